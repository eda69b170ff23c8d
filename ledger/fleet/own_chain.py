"""The settlement chain of a fleet that has its own: its genesis, its keys, its trust file.

::

    DIRECTORY/chain/                   the chain's home, its operator's key included
    DIRECTORY/chain/keys/governor/     the wallet that governs it, mints, and is its treasury
    DIRECTORY/wallets/authority/       the wallet that speaks for the fleet
    DIRECTORY/chain.trust              what robots and others trust: the chain's id and keys
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from ledger.chain.account import FEE_ASSET
from ledger.chain.genesis import VERSION, Genesis
from ledger.chain.light.trust import Trust
from ledger.chain.light.trust_file import encode_trust
from ledger.chain.machine.block_rows import read_genesis
from ledger.chain.machine.home import ChainPaths, open_chain
from ledger.chain.machine.writer import create_chain
from ledger.durable_file import write_durably
from ledger.errors import KeyStoreError, RefusedError
from ledger.fleet.model import Fleet
from ledger.schema.chain_payment_pb2 import Asset
from ledger.schema.chain_pb2 import Allocation, Governors, Parameters
from ledger.schema.chain_pb2 import Genesis as GenesisMessage
from ledger.storage.os_errors import storage_errors
from ledger.wallet.wallet import Wallet

SYMBOL: Final = "QPU"
DECIMALS: Final = 6
UNIT: Final = 10**DECIMALS
SUPPLY: Final = 1_000_000 * UNIT
"""What the governor has at the start; it can mint more."""
MIN_FEE: Final = 100
"""Millionths of a QPU: ten thousand transactions for one."""


def make_chain(fleet: Fleet) -> Trust:
    """Make the fleet's chain where it is missing; what to trust, which is also written down.

    Raises StorageError, `KeyStoreError`, and `RefusedError` where something else is there.
    """
    root = fleet.paths.chain
    governor = governor_wallet(fleet)
    if not ChainPaths(root).exists:
        create_chain(root, _genesis(f"{fleet.name}/settlement", governor.account))
    with open_chain(root) as home:
        with home.storage.read() as transaction:
            chain = read_genesis(transaction).chain
        trust = Trust(chain, home.vkeys)
    encoded, path = encode_trust(trust), fleet.paths.chain_trust
    with storage_errors(path):
        if not path.exists() or path.read_bytes() != encoded:
            write_durably(path, encoded)
    return trust


def governor_wallet(fleet: Fleet) -> Wallet:
    """The wallet that governs the fleet's own chain; made where it is missing."""
    return open_or_make(fleet.paths.chain / "keys" / "governor", fleet.paths.chain)


def open_or_make(folder: Path, private_from: Path | None = None) -> Wallet:
    """A wallet, made where there is none. Raises `KeyStoreError` for a damaged one.

    Folders from ``private_from`` on that are made on the way are for their owner only.
    """
    if (folder / "key").exists():
        return Wallet.open(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / "channels").is_dir():
        raise KeyStoreError(f"{folder} is no wallet", hint="name another folder")
    with storage_errors(folder):
        for each in reversed([folder.parent, *folder.parent.parents]):
            private = private_from is not None and each.is_relative_to(private_from)
            each.mkdir(mode=0o700 if private else 0o777, exist_ok=True)
    try:
        return Wallet.create(folder)
    except RefusedError:  # another process was first
        return Wallet.open(folder)


def _genesis(origin: str, governor: bytes) -> Genesis:
    return Genesis.make(
        GenesisMessage(
            version=VERSION,
            origin=origin,
            time_ns=time.time_ns(),
            parameters=Parameters(
                min_fee=MIN_FEE,
                treasury=governor,
                max_block_transactions=5_000,
                max_block_bytes=4 << 20,
                cap_delay=100,
                recovery_delay=1_000,
                max_overlap=1_000,
                min_challenge=10,
            ),
            governors=Governors(threshold=1, keys=[governor]),
            assets=[Asset(id=FEE_ASSET, symbol=SYMBOL, decimals=DECIMALS)],
            allocations=[Allocation(account=governor, asset=FEE_ASSET, amount=SUPPLY)],
        )
    )
