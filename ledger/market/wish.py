"""What somebody wants to buy, and on which conditions; it says nothing of who."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.chain.role import Role
from ledger.errors import MalformedError

MAX_U64: Final = 2**64 - 1
MAX_PURPOSE: Final = 64
MAX_ROLE: Final = 63


class Mode(IntEnum):
    """How content and money change hands (`ledger.exchange`); numbers of the wish's file."""

    STREAM = 0
    """Chunk by chunk, each paid over a channel: either side risks one."""
    WHOLE = 1
    """In an atomic sale, for which the seller puts up a deposit: all of it, or the money back."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A recording that is offered, and how it is to be asked for.

    Raises MalformedError for what no request can say.
    """

    offer: bytes
    """Its id, 32 bytes."""
    purpose: str
    max_price: int | None = None
    """Of the whole, in smallest units of the contract's asset; None: what the budget allows."""
    min_level: int | None = None
    """The level to prove; None: the least with which the contract's policy lets it be had."""
    role: str | None = None
    """The role to show, with its certifications; None: only if the policy asks. Empty: hidden."""
    use: int | None = None
    """Which of the contract's uses; None: any that this member has left."""
    mode: Mode = Mode.STREAM

    def __post_init__(self) -> None:
        if len(self.offer) != ID_SIZE:
            raise MalformedError(f"an offer's id is {ID_SIZE} bytes")
        if not self.purpose or len(self.purpose.encode("utf-8")) > MAX_PURPOSE:
            raise MalformedError(f"a purpose is 1 to {MAX_PURPOSE} bytes", hint="say it shorter")
        if not self.purpose.isprintable():
            raise MalformedError("a purpose is text without control characters")
        if len((self.role or "").encode("utf-8")) > MAX_ROLE:
            raise MalformedError(f"a role is {MAX_ROLE} bytes at most")
        if self.role:
            Role.parse(self.role)
        numbers = (self.max_price or 0, self.min_level or 0, self.use or 0)
        if any(not 0 <= number <= MAX_U64 for number in numbers):
            raise MalformedError("a number of the wish is out of its range")
