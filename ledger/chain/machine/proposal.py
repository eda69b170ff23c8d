"""What goes into a block, and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from enum import Enum
from hashlib import sha256

from ledger.chain.codes import ResultCode
from ledger.chain.header import Header


@dataclass(frozen=True, slots=True)
class Proposal:
    """A block as somebody proposes it: its transactions in order, and its time."""

    height: int
    time_ns: int
    transactions: Sequence[bytes] = field(repr=False)
    attachments: Mapping[bytes, bytes] = field(default_factory=dict, repr=False)
    """By SHA-256; those that no transaction names are of no account."""
    pruned: Set[bytes] = frozenset()
    """Attachments that were there when the block was made and are no more: a replay goes by
    what was recorded of their transactions. Empty in any block that is new."""

    @property
    def digest(self) -> bytes:
        """One hash for everything that decides what the block does."""
        digest = sha256(self.height.to_bytes(8, "big") + self.time_ns.to_bytes(8, "big"))
        for transaction in self.transactions:
            digest.update(len(transaction).to_bytes(4, "big"))
            digest.update(transaction)
        for name in sorted({*self.attachments, *self.pruned}):
            digest.update(name)
        return digest.digest()


@dataclass(frozen=True, slots=True)
class Prepared:
    """A proposal made of the transactions that were waiting."""

    proposal: Proposal
    refused: Sequence[tuple[bytes, Admission]]
    """Those that cannot be carried out now: the bytes, and why."""
    considered: int
    """How many of those waiting were looked at; the rest did not fit."""


@dataclass(frozen=True, slots=True)
class Admission:
    """What is said of one transaction before it is in a block."""

    id: bytes
    """Its id; of no bytes for what is no transaction."""
    code: ResultCode
    words: str = ""
    """For people; not agreed on."""

    @property
    def ok(self) -> bool:
        """Whether it may wait for a block."""
        return self.code is ResultCode.OK


class Verdict(Enum):
    """What a replica says of a proposal."""

    ACCEPT = 1
    REJECT = 2


@dataclass(frozen=True, slots=True)
class Finalized:
    """What a block comes to. Nothing of it is stored yet."""

    header: Header
    ids: Sequence[bytes] = field(repr=False)
    """Of its transactions, in order; leaf hashes of bytes that are no transaction too."""
    results: Sequence[bytes] = field(repr=False)
    """Encoded, in the same order."""

    @property
    def app_hash(self) -> bytes:
        """The header's leaf hash."""
        return self.header.app_hash


@dataclass(frozen=True, slots=True)
class Info:
    """Where a chain stands: the last height that is durable."""

    chain: bytes
    origin: str
    height: int
    time_ns: int
    app_hash: bytes
    """The newest header's leaf hash; the genesis' before the first block."""
    log_size: int
