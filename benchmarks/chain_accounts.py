"""A chain with any number of accounts, and signed transfers between them.

The accounts are in the state from the beginning, written with the genesis in one go, as a
snapshot would restore them: what is measured is the chain with them, not how they came.
Only some of them have keys that we hold; those send, and everybody is paid.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from random import Random

from ledger.chain.account import Account
from ledger.chain.genesis import Genesis
from ledger.chain.leaf import LeafKind, encode_leaf
from ledger.chain.machine.block_rows import put_genesis
from ledger.chain.machine.home import ChainPaths
from ledger.chain.state import store as state_store
from ledger.chain.state_keys import account_key, asset_key
from ledger.chain.transaction import sign_transaction
from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.log import Log
from ledger.note import NoteSigner
from ledger.published import PublishedCheckpoint, published_directory
from ledger.schema import chain_payment_pb2, chain_pb2
from ledger.schema.canonical import serialize_message
from ledger.signing_keys import SigningKeys
from ledger.storage import WriteTransaction
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind

RICH = 10**12
BLOCK = 5_000
"""Transactions a block, at most."""
GENESIS_NS = 1_700_000_000 * 10**9


@dataclass(slots=True)
class Senders:
    """Accounts whose keys we hold, the sequence of each, and everybody they may pay."""

    chain: bytes
    keys: Sequence[PrivateKey] = field(repr=False)
    everybody: Sequence[bytes] = field(repr=False)
    random: Random = field(repr=False)
    sequences: dict[int, int] = field(default_factory=dict, repr=False)

    def transfers(self, count: int) -> list[bytes]:
        """So many signed transfers from random senders to random accounts."""
        return list(self._transfers(count))

    def _transfers(self, count: int) -> Iterator[bytes]:
        for _ in range(count):
            sender = self.random.randrange(len(self.keys))
            sequence = self.sequences.get(sender, 0)
            self.sequences[sender] = sequence + 1
            transfer = chain_payment_pb2.Transfer(
                recipient=self.random.choice(self.everybody), amount=1
            )
            body = chain_pb2.TransactionBody(
                sequence=sequence, expiry_height=1 << 40, fee=1, transfer=transfer
            )
            yield sign_transaction(self.chain, self.keys[sender], body)


def make_genesis(name: str, treasury: bytes, given: Mapping[bytes, int] | None = None) -> Genesis:
    """A genesis with one asset, of which so much is given to whom.

    Every chain has a name of its own: what they publish is remembered in one place.
    """
    return Genesis.make(
        chain_pb2.Genesis(
            version=1,
            origin=f"example.com/bench/{name}",
            time_ns=GENESIS_NS,
            parameters=chain_pb2.Parameters(
                min_fee=1,
                treasury=treasury,
                max_block_transactions=BLOCK,
                max_block_bytes=16 << 20,
                cap_delay=10,
                recovery_delay=10,
                max_overlap=10,
                min_challenge=2,
            ),
            assets=[chain_payment_pb2.Asset(id=0, symbol="QPU", decimals=2)],
            allocations=[
                chain_pb2.Allocation(account=account, asset=0, amount=amount)
                for account, amount in sorted((given or {}).items())
            ],
        )
    )


def make_chain(root: Path, accounts: int, senders: int, seed: int = 1) -> Senders:
    """Make a chain of so many accounts in ``root``; some of them send."""
    random = Random(seed)
    keys = [PrivateKey.from_seed(random.randbytes(32)) for _ in range(min(senders, accounts))]
    everybody = [bytes(key.public_key) for key in keys]
    everybody += [sha256(b"account %d" % n).digest() for n in range(accounts - len(keys))]
    genesis = make_genesis(root.name, everybody[0])
    row = Account(holdings=((0, RICH),)).encode()
    rows = genesis.state()
    rows.update((account_key(account), row) for account in everybody)
    asset = chain_payment_pb2.AssetRecord(
        asset=genesis.message.assets[0], minted=RICH * len(everybody)
    )
    rows[asset_key(0)] = serialize_message(asset, "asset")
    write_chain(root, genesis, rows)
    return Senders(genesis.chain, keys, everybody, random)


def write_chain(root: Path, genesis: Genesis, rows: dict[bytes, bytes | None]) -> None:
    """Make a chain at height 0 with these rows in its state."""
    paths = ChainPaths(root)
    paths.signing_keys.mkdir(parents=True, mode=0o700)
    signer = NoteSigner(genesis.origin, PrivateKey.generate())
    SigningKeys(paths.signing_keys).add(signer)
    with _store(paths) as storage:
        published = PublishedCheckpoint(published_directory(), log_id(genesis.origin))
        log = Log.create(storage, genesis.origin, signer.verifier_key, published)
        with storage.read() as transaction:
            update = state_store.finalize(transaction, 0, rows)

        def alongside(transaction: WriteTransaction) -> None:
            state_store.commit(transaction, update)
            put_genesis(transaction, genesis)

        log.append([encode_leaf(LeafKind.GENESIS, genesis.encoded)], alongside=alongside)


@contextmanager
def _store(paths: ChainPaths) -> Iterator[LmdbStorage]:
    storage = LmdbStorage.create(paths.log, StoreKind.CHAIN)
    try:
        yield storage
    finally:
        storage.close()
