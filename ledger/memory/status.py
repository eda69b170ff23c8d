"""What the owner of a home can say of it at any moment, without asking the disk's leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from ledger.memory.anchor_status import NOT_ANCHORED, AnchorStatus


class OwnerState(Enum):
    """What the owner is doing with the home; the values are those of the schema."""

    OPEN = 1
    """It writes, as it is asked to."""
    LENT = 2
    """A command has it; commits wait until it is given back."""
    BEHIND = 3
    """The log is shorter than what it published; it neither appends nor signs."""
    FAULTY = 4
    """It could not be opened to write; ``fault`` says why, and it is tried again."""
    CLOSED = 5
    """Nobody owns it, or not any more."""


@dataclass(frozen=True, slots=True)
class MemoryStatus:
    """A home and its log, as they were when the owner last looked.

    ``checkpoint_time_ns`` is by this machine's clock, since the Unix epoch, and 0 where
    the log has no checkpoint, or was signed on another machine; ``cosignatures`` are the
    lines of others under it.
    ``waiting`` callers want to write. ``last_commit_ms`` is how long the last small
    commit took, most of it the disk's sync. ``lent_to`` is a process id, or 0. ``anchor`` is
    what the settlement chain has of the log.
    """

    origin: str
    pid: int
    state: OwnerState
    lent_to: int = 0
    entries: int = 0
    checkpoint_size: int = 0
    checkpoint_time_ns: int = 0
    cosignatures: int = 0
    open_records: int = 0
    waiting: int = 0
    last_commit_ms: float = 0.0
    disk_free_bytes: int = 0
    fault: str = ""
    anchor: AnchorStatus = NOT_ANCHORED

    @property
    def uncheckpointed(self) -> int:
        """Entries that no checkpoint covers yet."""
        return self.entries - self.checkpoint_size


@dataclass(frozen=True, slots=True)
class CheckpointStored:
    """The log has a new newest checkpoint, or that one more signatures: ``note``, durable."""

    note: bytes


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The owner lent the home, took it back, or could not."""

    state: OwnerState
    fault: str = ""


MemoryEvent: TypeAlias = CheckpointStored | StateChanged

MemoryListener: TypeAlias = Callable[[MemoryEvent], None]
"""Told on the thread that wrote, before the next may: it must be quick and not write."""
