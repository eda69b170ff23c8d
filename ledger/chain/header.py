"""Headers: the leaf at the end of a block, which everything else hangs from.

A header names the log before it (so its block's transactions), the root of their results
and the root of the state after them. Its leaf hash is the chain's ``app_hash`` at that
height, and stands in the next header. A checkpoint whose last leaf is a header therefore
covers all of the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.chain.leaf import ID_SIZE, LeafKind, encode_leaf, leaf_id
from ledger.errors import MalformedError, VerificationError
from ledger.merkle.hashing import MAX_SIZE
from ledger.schema import chain_pb2
from ledger.schema.canonical import parse_message, serialize_message

VERSION: Final = 1
MAX_TIME_NS: Final = 2**63 - 1
MAX_HEIGHT: Final = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Header:
    """A header. Raises MalformedError for one that no block can have."""

    chain: bytes
    height: int
    time_ns: int
    previous: bytes
    log_size: int
    """Leaves before this one."""
    log_root: bytes
    transactions: int
    """How many of them are this block's transactions, the last ones."""
    results_root: bytes
    state_root: bytes

    def __post_init__(self) -> None:
        hashes = (self.chain, self.previous, self.log_root, self.results_root, self.state_root)
        if any(len(each) != ID_SIZE for each in hashes):
            raise MalformedError("a header's hashes are 32 bytes each")
        if not 1 <= self.height <= MAX_HEIGHT or not 1 <= self.time_ns <= MAX_TIME_NS:
            raise MalformedError("a header's height and time are 1 to 2^63 - 1")
        # The genesis and a header of every height before are leaves too.
        if not self.height + self.transactions <= self.log_size < MAX_SIZE:
            raise MalformedError("a header's log is too short for its height and transactions")

    @classmethod
    def parse(cls, encoded: bytes) -> Header:
        """Read the message of a header leaf. Raises MalformedError."""
        message = parse_message(chain_pb2.Header, encoded, "header")
        if message.version != VERSION:
            raise MalformedError(f"a header of version {message.version}; this reads {VERSION}")
        return cls(
            message.chain,
            message.height,
            message.time_ns,
            message.previous,
            message.log_size,
            message.log_root,
            message.transactions,
            message.results_root,
            message.state_root,
        )

    def encode(self) -> bytes:
        """Return the message."""
        return serialize_message(
            chain_pb2.Header(
                version=VERSION,
                chain=self.chain,
                height=self.height,
                time_ns=self.time_ns,
                previous=self.previous,
                log_size=self.log_size,
                log_root=self.log_root,
                transactions=self.transactions,
                results_root=self.results_root,
                state_root=self.state_root,
            ),
            "header",
        )

    @property
    def leaf(self) -> bytes:
        """The leaf."""
        return encode_leaf(LeafKind.HEADER, self.encode())

    @property
    def app_hash(self) -> bytes:
        """The leaf hash: what the next header names as the one before."""
        return leaf_id(LeafKind.HEADER, self.encode())

    @property
    def first_transaction(self) -> int:
        """Leaf index of the block's first transaction, were there one."""
        return self.log_size - self.transactions


def check_succession(before: Header, after: Header) -> None:
    """Check that ``after`` is the header right after ``before``, as far as the two can say.

    Raises VerificationError.
    """
    if after.chain != before.chain or after.previous != before.app_hash:
        raise VerificationError(f"header {after.height} does not follow header {before.height}")
    if after.height != before.height + 1 or after.time_ns <= before.time_ns:
        raise VerificationError("heights rise by one from header to header, and times rise")
    if after.first_transaction != before.log_size + 1:
        raise VerificationError("a block's transactions follow the header before")
