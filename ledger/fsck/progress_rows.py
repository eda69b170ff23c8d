"""Progress entries held against one another, against PROGRESS, and against what came of them.

`ProgressRows` follows the entries as `ledger.fsck.record_rows` does. It needs no bytes
of content: a root over the first chunks is compared with the kept chunk leaves, which
lead to the sealed root. What needs bytes is in `ledger.fsck.progress_tails`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from ledger.errors import LedgerError
from ledger.experience.entry import Experience, parse_entry
from ledger.experience.fields import RECORD_ID_SIZE
from ledger.experience.growing import contradiction
from ledger.experience.growing_content import ProgressMark
from ledger.experience.growing_seal import contradictions
from ledger.experience.kinds import Progress
from ledger.experience.records import ContentState, Presence, progress_index, progress_row
from ledger.fsck.findings import MAX_FINDINGS, AuditTrail, FindingKind
from ledger.log_reader import U64
from ledger.storage import ReadTransaction, Table

_KEY_SIZE = RECORD_ID_SIZE + U64.size


def marks_before(
    txn: ReadTransaction, record_id: bytes, stop: int
) -> Iterator[tuple[int, ProgressMark]]:
    """The record's marks before entry ``stop`` that can be read, the newest first."""
    _, after, _ = progress_row(record_id, stop)
    for key, _ in txn.scan(Table.PROGRESS, after + b"\0", record_id + b"\xff" * 9):
        if len(key) == _KEY_SIZE:
            index = progress_index(key)
            mark = _mark(txn, record_id, index)
            if mark is not None:
                yield index, mark


class ProgressRows:
    """Give it every Progress and every Experience in order, then call `finish`."""

    def __init__(self, txn: ReadTransaction, trail: AuditTrail) -> None:
        self._txn = txn
        self._trail = trail
        self._rows = 0

    def follow(self, index: int, progress: Progress, state: ContentState | None) -> None:
        """Check one Progress entry; ``state`` is that of its record, if there is one."""
        record_id = progress.record_id
        _, key, _ = progress_row(record_id, index)
        if self._txn.get(Table.PROGRESS, key) is None:
            self._find(FindingKind.PROGRESS_ROW, record_id, f"no row leads to entry {index}", index)
        else:
            self._rows += 1
        end = self._end(record_id, state)
        if end is not None and end < index:
            message = f"entry {index} is progress of it, and entry {end} had ended it"
            self._find(FindingKind.PROGRESS_LATE, record_id, message, index)
        before = next(believed(marks_before(self._txn, record_id, index), self._trail), None)
        if before is not None:
            wrong = contradiction(before[1], mark_of(progress))
            if wrong is not None:
                message = f"its progress {wrong}, after entry {before[0]}"
                self._find(FindingKind.PROGRESS_CONTRADICTED, record_id, message, index)

    def seal(self, index: int, experience: Experience, leaves: Sequence[bytes] | None) -> None:
        """Check the progress of a record that entry ``index`` seals.

        ``leaves`` lead to its content root; None if they are not kept or damaged.
        """
        record_id = experience.record_id
        marks = list(believed(marks_before(self._txn, record_id, index), self._trail))[::-1]
        if leaves is not None:
            every = [mark for _, mark in marks]
            wrong = contradictions(every, leaves, experience.content_size)
        else:
            wrong = (
                (position, f"{mark.length} bytes were committed")
                for position, (_, mark) in enumerate(marks)
                if mark.length > experience.content_size
            )
        for position, what in wrong:
            at = marks[position][0]
            message = f"it was sealed by entry {index} with {experience.content_size} bytes: {what}"
            self._find(FindingKind.PROGRESS_CONTRADICTED, record_id, message, at)

    def finish(self, *, whole: bool) -> tuple[bytes, ...]:
        """Name rows without an entry; the ids of the records that no entry seals."""
        if whole and self._txn.count(Table.PROGRESS) != self._rows:
            self._name_extra()
        return tuple(self._unsealed())

    def _end(self, record_id: bytes, state: ContentState | None) -> int | None:
        """The index of the entry that ended the writing of a record, if one did."""
        row = self._txn.get(Table.RECORDS, record_id)
        if row is not None:
            return int(U64.unpack(row)[0]) if len(row) == U64.size else None
        if state is not None and state.presence is Presence.ERASED:
            return state.removed_by
        return None

    def _unsealed(self) -> Iterator[bytes]:
        start = b""
        while (row := next(self._txn.scan(Table.PROGRESS, start), None)) is not None:
            key = row[0]
            record_id = key[:RECORD_ID_SIZE]
            if len(key) != _KEY_SIZE or key < start:  # a damaged row or page, and named
                return
            if self._txn.get(Table.RECORDS, record_id) is None:
                yield record_id
            start = record_id + b"\xff" * 9

    def _name_extra(self) -> None:
        named = self._trail.named_entries()
        for key, _ in islice(self._txn.scan(Table.PROGRESS), self._rows + MAX_FINDINGS):
            if len(key) == _KEY_SIZE:
                index = progress_index(key)
                if index in named or _mark(self._txn, key[:RECORD_ID_SIZE], index) is not None:
                    continue
            subject = f"row {key.hex()} of {Table.PROGRESS.name}"
            self._trail.find(FindingKind.PROGRESS_ROW, subject, "no entry is this progress")

    def _find(self, kind: FindingKind, record_id: bytes, message: str, index: int) -> None:
        self._trail.find(kind, f"record {record_id.hex()}", message, entry=index)


def believed(
    marks: Iterable[tuple[int, ProgressMark]], trail: AuditTrail
) -> Iterator[tuple[int, ProgressMark]]:
    """The marks but for those of entries in which something wrong was found already."""
    named = trail.named_entries()
    return ((index, mark) for index, mark in marks if index not in named)


def mark_of(progress: Progress) -> ProgressMark:
    """The mark that a Progress entry holds."""
    return ProgressMark(progress.leaf_count, progress.root, progress.length, progress.tail_hash)


def _mark(txn: ReadTransaction, record_id: bytes, index: int) -> ProgressMark | None:
    encoded = txn.get(Table.ENTRIES, U64.pack(index))
    try:
        kind = parse_entry(encoded or b"").kind
    except LedgerError:
        return None
    if not isinstance(kind, Progress) or kind.record_id != record_id:
        return None
    return mark_of(kind)
