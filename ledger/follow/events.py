"""What following a directory tells: progress, sealed files, notes, and alarms.

An `Alarm` says that bytes which were committed are not what they were, or are gone
before they could be sealed. Everything else that is worth knowing is a `Noted`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from ledger.experience.ingest import IngestReceipt


class AlarmKind(Enum):
    """What is wrong; the value is the word that is printed."""

    PREFIX_CHANGED = "prefix-changed"
    """Bytes that were committed while the file grew are others now."""
    TRUNCATED = "truncated"
    """The file is shorter than what was committed of it."""
    LOST = "lost"
    """The file is gone, and was not sealed."""
    SEALED_CHANGED = "sealed-changed"
    """A sealed file is not what was sealed."""
    NOT_THE_SAME = "not-the-same"
    """What took a sealed file's place as its compressed form holds something else."""


class NoteKind(Enum):
    """What is worth knowing; the value is the word that is printed."""

    WAITING_FOR_CLOSE = "waiting-for-close"
    """A format whose writer changes what it wrote: committed once, after it is closed."""
    REWRITING = "rewriting"
    """The writer goes back to fill in what it left open; that part is not committed before."""
    RESUMED = "resumed"
    """What a crash had interrupted is taken up; every mark holds."""
    UNFINISHED = "unfinished"
    """The recorder died: sealed as it is, without its end."""
    NOT_THERE = "not-there"
    """A directory that may come later."""
    EMPTY = "empty"
    NOT_A_BAG = "not-a-bag"
    """Named like a bag, and none inside: committed as it is, after it is closed."""
    RENAMED = "renamed"
    DELETED = "deleted"
    """A sealed file was deleted; where its bytes were left in place, the log says so."""
    COMPRESSED = "compressed"
    """A file was replaced by its compressed form, which holds the same bytes."""
    CHANGED = "changed"
    """A file that may change after it was committed did, and is committed again."""
    IGNORED = "ignored"
    """Not followed: a link, not a regular file, or a name that no entry can hold."""
    UNREADABLE = "unreadable"
    NOT_COMMITTED = "not-committed"
    """The home cannot be written now; it is tried again, and nothing is lost meanwhile."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """The first ``length`` bytes of ``path`` are committed by entry ``index``."""

    path: Path
    record_id: bytes
    index: int
    length: int


@dataclass(frozen=True, slots=True)
class Sealed:
    """``path`` is in the log as a whole."""

    path: Path
    receipt: IngestReceipt


@dataclass(frozen=True, slots=True)
class Noted:
    """Something to know about ``path``; no alarm."""

    kind: NoteKind
    path: Path
    detail: str


@dataclass(frozen=True, slots=True)
class Alarm:
    """What was committed of ``path``, as record ``record_id``, does not hold any more."""

    kind: AlarmKind
    path: Path
    record_id: bytes
    detail: str


Event: TypeAlias = Progressed | Sealed | Noted | Alarm
Listener: TypeAlias = Callable[[Event], None]
