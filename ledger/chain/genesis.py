"""The genesis: leaf 0 of a chain's log, and the state that it makes.

The chain's id is its leaf hash, so two chains that agree on it agree on every parameter,
and a signature for one is none for the other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ledger.chain.account import (
    FEE_ASSET,
    Account,
    check_key,
    credit,
    write_account,
)
from ledger.chain.codes import RefusalError
from ledger.chain.leaf import ID_SIZE, LeafKind, encode_leaf, leaf_id
from ledger.chain.state_keys import GOVERNORS_KEY, PARAMETERS_KEY, asset_key
from ledger.chain.transaction import MAX_TRANSACTION_BYTES
from ledger.chain.working_state import WorkingState
from ledger.checkpoint import Checkpoint
from ledger.errors import MalformedError
from ledger.note import check_name
from ledger.schema import chain_payment_pb2, chain_pb2
from ledger.schema.canonical import parse_message, serialize_message

VERSION: Final = 1
MAX_DECIMALS: Final = 18
MAX_GOVERNORS: Final = 64
MAX_BLOCK_TRANSACTIONS: Final = 100_000
MAX_BLOCK_BYTES: Final = 64 << 20
MAX_BLOCKS: Final = 10_000_000
"""The longest delay or period of a parameter, in blocks."""

_SYMBOL: Final = re.compile(r"[A-Z][A-Z0-9]{0,11}")


@dataclass(frozen=True, slots=True)
class Genesis:
    """A genesis of good form; make one with `parse` or `make`."""

    encoded: bytes = field(repr=False)
    """The exact message; the leaf is `leaf`."""
    chain: bytes
    """The chain's id, 32 bytes."""
    origin: str
    time_ns: int
    parameters: chain_pb2.Parameters = field(repr=False)
    message: chain_pb2.Genesis = field(repr=False)

    @classmethod
    def parse(cls, encoded: bytes) -> Genesis:
        """Read the bytes of a genesis. Raises MalformedError."""
        message = parse_message(chain_pb2.Genesis, encoded, "genesis")
        _check(message)
        return cls(
            bytes(encoded),
            leaf_id(LeafKind.GENESIS, encoded),
            message.origin,
            message.time_ns,
            message.parameters,
            message,
        )

    @classmethod
    def make(cls, message: chain_pb2.Genesis) -> Genesis:
        """Check and encode a genesis. Raises MalformedError."""
        return cls.parse(serialize_message(message, "genesis"))

    @property
    def leaf(self) -> bytes:
        """Leaf 0 of the chain's log."""
        return encode_leaf(LeafKind.GENESIS, self.encoded)

    def state(self) -> dict[bytes, bytes | None]:
        """The rows of the state at height 0. Raises MalformedError for one that cannot be."""
        working = WorkingState(lambda _: None)
        message = self.message
        try:
            write_account(working, self.parameters.treasury, Account())
            minted = {asset.id: 0 for asset in message.assets}
            for item in message.allocations:
                credit(working, item.account, item.asset, item.amount)
                minted[item.asset] += item.amount
        except RefusalError as error:
            raise MalformedError(f"genesis: {error.message}") from error
        for asset in message.assets:
            if minted[asset.id] >= 1 << 64:
                raise MalformedError("genesis: 2^64 units of an asset or more are given out")
            record = chain_payment_pb2.AssetRecord(asset=asset, minted=minted[asset.id])
            working.write(asset_key(asset.id), record)
        working.write(PARAMETERS_KEY, message.parameters)
        working.write(GOVERNORS_KEY, message.governors)
        working.keep()
        return working.changes


def check_asset(asset: chain_payment_pb2.Asset) -> None:
    """Raise MalformedError for a symbol or a number of decimals that no asset has."""
    if not _SYMBOL.fullmatch(asset.symbol):
        raise MalformedError("an asset's symbol is 1 to 12 of A-Z and 0-9, a letter first")
    if asset.decimals > MAX_DECIMALS:
        raise MalformedError(f"an asset has at most {MAX_DECIMALS} decimals")


def _check(message: chain_pb2.Genesis) -> None:
    if message.version != VERSION:
        raise MalformedError(f"a genesis of version {message.version}; this reads {VERSION}")
    if len(message.SerializeToString()) > MAX_TRANSACTION_BYTES:
        raise MalformedError("a genesis is at most 60,000 bytes: mint what is more")
    Checkpoint(message.origin, 0, bytes(32))
    check_name(message.origin)
    if not 0 < message.time_ns < 1 << 63:
        raise MalformedError("a genesis needs a time, in nanoseconds since 1970")
    _check_parameters(message.parameters)
    _check_governors(message.governors)
    ids = [asset.id for asset in message.assets]
    if ids != sorted(set(ids)) or FEE_ASSET not in ids:
        raise MalformedError("assets are ascending by id, each once, and asset 0 is one of them")
    for asset in message.assets:
        check_asset(asset)
    given = [(item.account, item.asset) for item in message.allocations]
    if given != sorted(set(given)):
        raise MalformedError("allocations are ascending by account and asset, each once")
    for item in message.allocations:
        if item.asset not in ids or not item.amount:
            raise MalformedError("an allocation gives at least 1 of an asset of the genesis")


def _check_parameters(parameters: chain_pb2.Parameters) -> None:
    _require_key(parameters.treasury, "treasury")
    delays = (
        parameters.cap_delay,
        parameters.recovery_delay,
        parameters.max_overlap,
        parameters.min_challenge,
    )
    if not all(1 <= delay <= MAX_BLOCKS for delay in delays):
        raise MalformedError(f"delays of a genesis are 1 to {MAX_BLOCKS} blocks")
    if not 1 <= parameters.max_block_transactions <= MAX_BLOCK_TRANSACTIONS:
        raise MalformedError(f"a block has 1 to {MAX_BLOCK_TRANSACTIONS} transactions")
    if not MAX_TRANSACTION_BYTES <= parameters.max_block_bytes <= MAX_BLOCK_BYTES:
        raise MalformedError(f"a block has {MAX_TRANSACTION_BYTES} to {MAX_BLOCK_BYTES} bytes")


def _check_governors(governors: chain_pb2.Governors) -> None:
    keys = list(governors.keys)
    if keys != sorted(set(keys)) or len(keys) > MAX_GOVERNORS:
        raise MalformedError(f"governors are ascending, each once, {MAX_GOVERNORS} at most")
    for key in keys:
        _require_key(key, "governor")
    if governors.threshold > len(keys) or (keys and not governors.threshold):
        raise MalformedError("the governors' threshold is 1 to the number of their keys")


def _require_key(key: bytes, what: str) -> None:
    if len(key) != ID_SIZE:
        raise MalformedError(f"the {what} is not a key of {ID_SIZE} bytes")
    try:
        check_key(key)
    except RefusalError as error:
        raise MalformedError(f"the {what}: {error.message}") from error
