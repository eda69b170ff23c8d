"""How far a home's log is anchored on a settlement chain, and what stands in the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final


class AnchorState(Enum):
    """How anchoring goes; the values are those of the schema."""

    OFF = 0
    """No chain was named."""
    WAITING = 1
    """It begins, or a transaction is on its way."""
    ANCHORED = 2
    """All that is signed, or that enough witnesses have cosigned, is anchored."""
    UNWITNESSED = 3
    """What is new lacks the cosignatures that the fleet asks for."""
    UNREACHABLE = 4
    """The chain does not answer; it is tried again, however long that takes."""
    REFUSED = 5
    """The chain refused the last transaction; ``detail`` says why."""
    UNKNOWN = 6
    """The chain does not know this log, or none of its keys."""
    FROZEN = 7
    """The chain has proof that this log forked: nothing more is anchored, for ever."""
    RETIRED = 8
    """The robot was retired from the chain."""
    CONTRADICTED = 9
    """What the chain has anchored is not in this log: it was restored, or another writes it."""
    DISTRUSTED = 10
    """What the chain says cannot be verified, or its operator has signed two histories."""
    FAILED = 11
    """Something here failed; ``detail`` says what."""


ALARMING: Final = frozenset(
    {
        AnchorState.UNKNOWN,
        AnchorState.FROZEN,
        AnchorState.RETIRED,
        AnchorState.CONTRADICTED,
        AnchorState.DISTRUSTED,
    }
)
"""States that do not pass by themselves: somebody has to look."""


@dataclass(frozen=True, slots=True)
class AnchorStatus:
    """What the chain has of the log, as its proofs say, and how anchoring goes."""

    state: AnchorState = AnchorState.OFF
    size: int = 0
    """Leaves that are anchored."""
    height: int = 0
    """Of the block that anchored them."""
    time_ns: int = 0
    """Of that block, since the Unix epoch."""
    detail: str = ""
    """Why it does not go on, for people."""

    @property
    def alarming(self) -> bool:
        """Whether somebody has to look."""
        return self.state in ALARMING


NOT_ANCHORED: Final = AnchorStatus()
"""Of a home that nobody anchors."""
