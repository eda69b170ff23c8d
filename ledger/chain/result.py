"""Results: what came of each transaction of a block, under one root.

The results root is the RFC 6962 root over the encoded results, in the order of the
block's transactions. With no transaction it is the root of the empty tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from ledger.chain.codes import ResultCode
from ledger.chain.leaf import ID_SIZE
from ledger.errors import CorruptStoreError, MalformedError
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import leaf_hashes
from ledger.schema import chain_pb2
from ledger.schema.canonical import parse_message, serialize_message

# A result without events, field by field: 0x0a 0x20 || id, then 0x10 || varint code if not 0.
_ID_FIELD: Final = b"\x0a\x20"


class Result(NamedTuple):
    """The result of one transaction."""

    transaction: bytes
    code: int
    """A `ResultCode`; a newer chain may have codes that this version does not know."""
    events: tuple[chain_pb2.Event, ...] = ()

    def encode(self) -> bytes:
        """Return the message."""
        if not self.events and self.code == ResultCode.OK:
            return _ID_FIELD + self.transaction
        return serialize_message(
            chain_pb2.Result(transaction=self.transaction, code=self.code, events=self.events),
            "result",
        )

    @classmethod
    def parse(cls, encoded: bytes) -> Result:
        """Read a result. Raises MalformedError."""
        message = parse_message(chain_pb2.Result, encoded, "result")
        if len(message.transaction) != ID_SIZE:
            raise MalformedError("a result is of a transaction, whose id is 32 bytes")
        return cls(message.transaction, message.code, tuple(message.events))


def results_root(encoded: Sequence[bytes]) -> bytes:
    """Return the root over the encoded results of a block."""
    return CompactRange().extend(leaf_hashes(encoded)).root()


def join_results(encoded: Sequence[bytes]) -> bytes:
    """Return the row that holds the results of a block: u32be length || result, each."""
    return b"".join(b"%b%b" % (len(each).to_bytes(4, "big"), each) for each in encoded)


def split_results(row: bytes) -> list[bytes]:
    """Return the encoded results in a row. Raises CorruptStoreError."""
    found, at = [], 0
    while at < len(row):
        end = at + 4 + int.from_bytes(row[at : at + 4], "big")
        found.append(row[at + 4 : end])
        at = end
    if at != len(row):
        raise CorruptStoreError("the results of a block are damaged")
    return found
