"""What a robot's home holds, read in one pass over its log: for audits, and for reports.

Every entry is parsed once and hashed once. Of records no more is kept than how many there
are, and each that a purchase or a training names.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.ed25519 import SIGNATURE_SIZE
from ledger.errors import LedgerError
from ledger.experience.access import ExperienceReader, Record
from ledger.experience.entry import Entry, parse_entry, verify_entry
from ledger.experience.kinds import Acquisition, Erasure, Experience, Pruning, Training
from ledger.experience.records import Presence
from ledger.log_reader import LogReader
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import leaf_hashes
from ledger.note import SignedNote
from ledger.storage import Storage

_HASHED_AT_ONCE: Final = 4_096
_CHECKPOINTS_KEPT: Final = 512
_TIMED: Final = 8 + SIGNATURE_SIZE
"""Bytes of a signature that has a time: a witness's."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """An Acquisition or a Training, with its entry's index."""

    index: int
    kind: Acquisition | Training
    signed: bool
    """Whether the robot key that the entry names signed it for this log."""


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A checkpoint that the home keeps. Who signed it was not looked into here."""

    size: int
    cosigned: int
    """How many lines of witnesses it carries."""
    time_s: int
    """The earliest that a witness gives, in seconds since 1970; 0 where none does."""


@dataclass(slots=True)
class HomeFacts:
    """A home. ``root_at`` has the roots that were asked for, computed from the entries."""

    path: Path
    origin: str
    log_id: bytes
    size: int
    root: bytes = b""
    root_at: dict[int, bytes] = field(default_factory=dict)
    recorded_ns: array[int] = field(default_factory=lambda: array("Q"))
    """When each recording ended, by the robot's clock, in the order of the log."""
    content_bytes: int = 0
    """Of all recordings, whether they are still there or not."""
    unreadable: int = 0
    """Entries that are none; the home's own audit names them."""
    acquisitions: list[Provenance] = field(default_factory=list)
    trainings: list[Provenance] = field(default_factory=list)
    erased: dict[bytes, int] = field(default_factory=dict)
    """Records whose content was erased, with the entry that says so."""
    pruned: dict[bytes, int] = field(default_factory=dict)
    presence: dict[Presence, int] = field(default_factory=dict)
    checkpoints: list[KeptCheckpoint] = field(default_factory=list)
    """The newest of them, oldest first."""
    checkpoints_total: int = 0
    records: dict[bytes, Record] = field(default_factory=dict)
    """Those that a purchase or a training names."""


class HomeReading:
    """A home that is open to be read."""

    def __init__(self, path: Path, storage: Storage, size: int | None = None) -> None:
        """``size`` is how many entries to read, if not all."""
        self._size: Final = size
        self.path: Final = path
        self.log: Final = LogReader(storage)
        self.experiences: Final = ExperienceReader(path, storage, self.log)

    def facts(self, *sizes: int) -> HomeFacts:
        """Read it all, with the roots over its first ``sizes`` entries. Raises LedgerError."""
        log = self.log
        size = log.size if self._size is None else min(self._size, log.size)
        facts = HomeFacts(self.path, log.origin, log.log_id, size)
        tree = CompactRange()
        done = 0
        for stop in sorted({each for each in sizes if 0 <= each <= size} | {size}):
            tree = self._extend(facts, tree, done, stop)
            facts.root_at[stop], done = tree.root(), stop
        facts.root = facts.root_at[size]
        self._read_tables(facts)
        for note in (*facts.acquisitions, *facts.trainings):
            self._find_records(facts, note)
        return facts

    def record(self, record_id: bytes) -> Record | None:
        """A record of the home, or None where it has none, or none that can be read."""
        try:
            return self.experiences.record(record_id)
        except LedgerError:
            return None

    def content_is_there(self, record: Record) -> bool:
        """Whether the files of content that is kept are where they belong."""
        if record.state.presence is Presence.STORED:
            paths = self.experiences.content.paths(record.experience, sealed=record.state.sealed)
            return all(path.is_file() for path in paths)
        if record.state.presence is Presence.IN_PLACE:
            copies = self.experiences.copies.of(record.record_id)
            return any(all(path.is_file() for path in copy.paths) for copy in copies)
        return record.state.presence is Presence.EMPTY

    def _extend(self, facts: HomeFacts, tree: CompactRange, start: int, stop: int) -> CompactRange:
        waiting: list[bytes] = []
        for index, encoded in enumerate(self.log.entries(start, stop), start):
            self._take(facts, index, encoded)
            waiting.append(encoded)
            if len(waiting) == _HASHED_AT_ONCE:
                tree = tree.extend(leaf_hashes(waiting))
                waiting.clear()
        return tree.extend(leaf_hashes(waiting))

    def _take(self, facts: HomeFacts, index: int, encoded: bytes) -> None:
        try:
            entry = parse_entry(encoded)
        except LedgerError:
            facts.unreadable += 1
            return
        match entry.kind:
            case Acquisition():
                facts.acquisitions.append(_provenance(facts, index, entry, entry.kind))
            case Training():
                facts.trainings.append(_provenance(facts, index, entry, entry.kind))
            case Experience() as experience:
                facts.recorded_ns.append(experience.end_ns)
                facts.content_bytes += experience.content_size
            case Erasure(record_ids=gone):
                facts.erased.update(dict.fromkeys(gone, index))
            case Pruning(record_ids=gone):
                facts.pruned.update(dict.fromkeys(gone, index))
            case _:
                pass

    def _read_tables(self, facts: HomeFacts) -> None:
        for _, state in self.experiences.tables.states():
            facts.presence[state.presence] = facts.presence.get(state.presence, 0) + 1
        for size, note in self.log.checkpoints():
            facts.checkpoints_total += 1
            facts.checkpoints.append(_checkpoint(size, note))
            if len(facts.checkpoints) > 2 * _CHECKPOINTS_KEPT:
                del facts.checkpoints[:_CHECKPOINTS_KEPT]

    def _find_records(self, facts: HomeFacts, note: Provenance) -> None:
        named = [note.kind.record_id]
        if isinstance(note.kind, Training):
            named += note.kind.inputs
        for record_id in named:
            if record_id not in facts.records:
                record = self.record(record_id)
                if record is not None:
                    facts.records[record_id] = record


def _provenance(
    facts: HomeFacts, index: int, entry: Entry, kind: Acquisition | Training
) -> Provenance:
    try:
        verify_entry(entry, facts.log_id)
    except LedgerError:
        return Provenance(index, kind, False)
    return Provenance(index, kind, entry.sequence == index)


def _checkpoint(size: int, note: bytes) -> KeptCheckpoint:
    try:
        lines = SignedNote.parse(note).signatures
    except LedgerError:
        return KeptCheckpoint(size, 0, 0)  # the home's own audit names it
    # tlog-cosignature: u64be(time) || Ed25519 signature
    timed = [line.signature for line in lines if len(line.signature) == _TIMED]
    times = [int.from_bytes(each[:8], "big") for each in timed]
    return KeptCheckpoint(size, len(timed), min(times, default=0))
