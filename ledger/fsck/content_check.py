"""Keys and content of every record, by record id, as their states say they must be.

The rows of some records are read in one short transaction, and their files looked
at outside of it: reading terabytes holds up no writer. A record whose removal is
under way meanwhile is noted and not judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from ledger.errors import CorruptStoreError, LedgerError, StorageError
from ledger.experience.content_check import locate_bytes
from ledger.experience.content_root import chunk_count
from ledger.experience.content_store import ContentStore, open_content
from ledger.experience.copies import CopyKind, CopyRegister
from ledger.experience.entry import Experience, parse_entry
from ledger.experience.file_span import SpanFile
from ledger.experience.growing_content import ProgressMark
from ledger.experience.pending import PendingNotes, PendingRemoval
from ledger.experience.record_keys import RecordKeys
from ledger.experience.records import ContentState, Presence, RecordTables
from ledger.experience.sealing import sealed_size
from ledger.fsck.content_scan import DamagedPiece, scan_content
from ledger.fsck.findings import AuditTrail, Depth, FindingKind, Phase
from ledger.fsck.key_files import KeyFiles
from ledger.fsck.open_records import OpenRecords
from ledger.fsck.progress_rows import believed, marks_before
from ledger.fsck.progress_tails import bad_tails
from ledger.fsck.snapshot import Snapshot
from ledger.log_reader import U64
from ledger.storage import Storage, Table

_ROWS_A_READ: Final = 64
_WHILE_REMOVED: Final = frozenset(
    {
        FindingKind.CONTENT_MISSING,
        FindingKind.CONTENT_REMAINS,
        FindingKind.KEY_MISSING,
        FindingKind.KEY_REMAINS,
    }
)
_KEPT: Final = (Presence.STORED, Presence.IN_PLACE)


@dataclass(frozen=True, slots=True)
class _Record:
    index: int
    experience: Experience
    state: ContentState
    leaves: tuple[bytes, ...]
    originals: tuple[Path, ...] | None
    """Where content that was left in place lies; None if no row says it."""
    marks: tuple[tuple[int, ProgressMark], ...]
    """Its progress with the entries that hold it, oldest first, where it will be read."""

    @property
    def id(self) -> bytes:
        return self.experience.record_id


class ContentCheck:
    """Looks at the content of the records of entries from ``first`` on."""

    def __init__(
        self, storage: Storage, home: Path, trail: AuditTrail, depth: Depth, first: int
    ) -> None:
        self._storage = storage
        self._incoming = home / "incoming"
        self._copies = home / "copies"
        self._trail = trail
        self._depth = depth
        self._first = first
        self._store = ContentStore(home)
        self._keys = KeyFiles(home / "keys" / "records", trail)
        self._open = OpenRecords(storage, home, self._keys, trail)
        self._content_folders = 0
        self._hashed = 0

    def run(self, content_bytes: int, unsealed: tuple[bytes, ...] = ()) -> None:
        """Check every record; ``content_bytes`` is how much `Depth.DEEP` has to read.

        ``unsealed`` are those of which there is only progress.
        """
        self._total = content_bytes
        self._keys.check_all(self._is_record)
        self._open.check(unsealed)
        for record in self._records():
            self._check(record)
        if self._first == 0:
            self._note_orphan_content()

    def _check(self, record: _Record) -> None:
        problems = AuditTrail(counters=self._trail.counters)
        secrets = self._check_keys(record, problems)
        match record.state.presence:
            case Presence.STORED | Presence.IN_PLACE:
                self._check_content(record, secrets, problems)
            case Presence.ERASED | Presence.PRUNED:
                self._check_gone(record, problems)
            case Presence.EMPTY:
                pass
        passing = {finding.kind for finding in problems.findings} <= _WHILE_REMOVED
        if problems.findings_total and passing and self._is_under_way(record):
            self._trail.note(f"record {record.id.hex()} is being removed, and was not judged")
            return
        self._trail.merge(problems)

    def _check_keys(self, record: _Record, problems: AuditTrail) -> RecordKeys | None:
        """The record's secrets, if its state asks for them and they are there."""
        in_file = self._keys.of_file(record.id)
        if in_file is None:
            return None  # the file has been named
        secrets = in_file.get(record.id)
        if (secrets is None) != (record.state.presence is Presence.ERASED):
            # A writer may have been here since the file was read for another record.
            secrets = (self._keys.of_file(record.id, again=True) or {}).get(record.id)
        path = str(self._keys.path_of(record.id))
        if record.state.presence is Presence.ERASED:
            if secrets is not None:
                message = "it was erased, and its keys are still there"
                self._find(problems, FindingKind.KEY_REMAINS, record, message, file=path)
            return None
        if record.state.presence is Presence.EMPTY:
            return None
        if secrets is None:
            self._find(problems, FindingKind.KEY_MISSING, record, "its keys are gone", file=path)
        elif record.state.sealed and secrets.content_key is None:
            message = "its content is sealed and has no key"
            self._find(problems, FindingKind.KEY_MISSING, record, message, file=path)
            return None
        return secrets

    def _check_content(
        self, record: _Record, secrets: RecordKeys | None, problems: AuditTrail
    ) -> None:
        files = self._files(record, problems)
        if files is None:
            return
        sound = [self._check_file(record, file, problems) for file in files]
        if record.state.presence is Presence.STORED:
            self._content_folders += self._store.folder_of(record.experience.content_root).is_dir()
        if all(sound) and secrets is not None and self._depth is Depth.DEEP:
            self._scan(record, [file.path for file in files], secrets, problems)

    def _files(self, record: _Record, problems: AuditTrail) -> tuple[SpanFile, ...] | None:
        experience = record.experience
        if record.state.sealed:
            (path,) = self._store.paths(experience, sealed=True)
            return (SpanFile(path, sealed_size(experience.content_size)),)
        paths: tuple[Path, ...] | None
        if record.state.presence is Presence.IN_PLACE:
            paths = record.originals
        else:
            paths = self._store.paths(experience, sealed=False)
        if paths is None or len(paths) != len(experience.files):
            if any(finding.entry == record.index for finding in self._trail.findings):
                return None  # its row is damaged, and named
            message = "its content was left in place and no row of COPIES says where"
            self._find(problems, FindingKind.COPY_ROW, record, message)
            return None
        return tuple(
            SpanFile(path, file.size) for path, file in zip(paths, experience.files, strict=True)
        )

    def _check_file(self, record: _Record, file: SpanFile, problems: AuditTrail) -> bool:
        """Whether a file is there with its size."""
        name = str(file.path)
        try:
            if file.path.is_symlink():
                raise FileNotFoundError
            size = file.path.stat().st_size
        except FileNotFoundError:
            message = f"{file.path} is missing"
            self._find(problems, FindingKind.CONTENT_MISSING, record, message, file=name)
            return False
        except OSError as error:
            message = f"{file.path} cannot be read: {error.strerror}"
            self._find(problems, FindingKind.CONTENT_MISSING, record, message, file=name)
            return False
        if size != file.size:
            message = f"{file.path} has {size} bytes, not {file.size}"
            span = (min(size, file.size), max(size, file.size))
            self._find(problems, FindingKind.CONTENT_SIZE, record, message, file=name, span=span)
            return False
        return True

    def _scan(
        self, record: _Record, paths: list[Path], keys: RecordKeys, problems: AuditTrail
    ) -> None:
        def progress(count: int) -> None:
            self._hashed += count
            self._trail.counters.content_bytes += count
            self._trail.at(Phase.CONTENT, self._hashed, self._total)

        sealed = record.state.sealed
        try:
            result = scan_content(
                record.experience, paths, keys, record.leaves, sealed=sealed, progress=progress
            )
        except CorruptStoreError as error:
            self._find(problems, FindingKind.CONTENT_MISSING, record, error.message)
            return
        chunks = chunk_count(record.experience.content_size)
        self._trail.counters.chunks += chunks
        if not result.located:
            message = "its content does not have the content root of the entry"
            self._find(problems, FindingKind.CONTENT_CHANGED, record, message)
        elif result.chunks_damaged == chunks > 1:
            message = f"none of its {chunks} chunks fits its key"
            key_file = str(self._keys.path_of(record.id))
            self._find(problems, FindingKind.KEY_WRONG, record, message, file=key_file)
        else:
            for piece in result.damaged:
                self._find_changed(record, piece, problems)
            self._check_tails(record, paths, keys, problems)

    def _check_tails(
        self, record: _Record, paths: list[Path], keys: RecordKeys, problems: AuditTrail
    ) -> None:
        """Name the progress that the content does not bear out."""
        experience, sealed = record.experience, record.state.sealed
        if not record.marks:
            return
        try:
            with open_content(experience, paths, keys, sealed=sealed) as source:
                found = list(bad_tails(source, keys.salt_key, record.marks, record.leaves))
        except CorruptStoreError as error:  # erased since it was scanned
            self._find(problems, FindingKind.CONTENT_MISSING, record, error.message)
            return
        for tail in found:
            message = f"bytes [{tail.start}, {tail.end}) of it are not what entry {tail.index}"
            part = locate_bytes(experience, tail.start, tail.end)[0]
            file, span = None, None
            if not sealed:
                names = [each.name for each in experience.files]
                file = str(paths[names.index(part.name)])
                span = (part.start, part.end)
            kind, message = FindingKind.PROGRESS_CONTRADICTED, f"{message} committed"
            self._find(problems, kind, record, message, file=file, span=span, entry=tail.index)

    def _find_changed(self, record: _Record, piece: DamagedPiece, problems: AuditTrail) -> None:
        message = (
            f"bytes [{piece.start}, {piece.end}) of {piece.path} (chunk {piece.chunk}) changed"
        )
        if piece.files_of_chunk > 1:
            message += f", or the chunk's part in another of its {piece.files_of_chunk} files"
        span = (piece.start, piece.end)
        kind, file = FindingKind.CONTENT_CHANGED, str(piece.path)
        self._find(problems, kind, record, message, file=file, span=span)

    def _check_gone(self, record: _Record, problems: AuditTrail) -> None:
        folder = self._store.folder_of(record.experience.content_root)
        if not record.experience.content_root or not folder.exists():
            return
        if folder.is_dir():
            self._content_folders += 1
        word = record.state.presence.name.lower()
        message = f"it was {word}, and its content is still there"
        self._find(problems, FindingKind.CONTENT_REMAINS, record, message, file=str(folder))

    def _records(self) -> Iterator[_Record]:
        start = b""
        done = 0
        while True:
            with self._storage.read() as txn:
                rows = list(islice(txn.scan(Table.RECORDS, start), _ROWS_A_READ))
                snapshot = Snapshot(txn)
                total = txn.count(Table.RECORDS)
                records = [self._read(snapshot, record_id, row) for record_id, row in rows]
            yield from (record for record in records if record is not None)
            done += len(rows)
            if self._depth is Depth.LOG:
                self._trail.at(Phase.CONTENT, done, total)
            # Keys that do not ascend are those of a damaged page: it has no end.
            if len(rows) < _ROWS_A_READ or rows[-1][0] < start:
                return
            start = rows[-1][0] + b"\0"

    def _read(self, snapshot: Snapshot, record_id: bytes, row: bytes) -> _Record | None:
        """A record with its rows; None where they are damaged, which the log's pass names."""
        if len(row) != U64.size or U64.unpack(row)[0] < self._first:
            return None
        with snapshot.read() as txn:
            encoded = txn.get(Table.ENTRIES, row)
        tables = RecordTables(snapshot)
        try:
            entry = parse_entry(encoded or b"")
            if not isinstance(entry.kind, Experience) or entry.kind.record_id != record_id:
                return None
            state = tables.state(record_id)
        except LedgerError:
            return None
        index = U64.unpack(row)[0]
        originals = None
        try:
            copies = CopyRegister(snapshot, self._copies).of(record_id)
            kept = [copy.paths for copy in copies if copy.kind is CopyKind.ORIGINAL]
            originals = kept[0] if kept else None
        except StorageError as error:
            subject = f"record {record_id.hex()}"
            self._trail.find(FindingKind.COPY_ROW, subject, error.message, entry=index)
        try:
            leaves = tuple(tables.leaves(record_id)) if state.presence in _KEPT else ()
        except CorruptStoreError:
            leaves = ()
        marks: tuple[tuple[int, ProgressMark], ...] = ()
        if self._depth is Depth.DEEP and state.presence in _KEPT:
            with snapshot.read() as txn:
                newest_first = believed(marks_before(txn, record_id, index), self._trail)
                marks = tuple(newest_first)[::-1]
        return _Record(index, entry.kind, state, leaves, originals, marks)

    def _is_under_way(self, record: _Record) -> bool:
        """Whether a note says that the record will be removed, or its state has changed.

        In this order: a note goes only after the new state is there, so a removal that
        ends between the two looks is seen by the second.
        """
        try:
            if any(
                isinstance(work, PendingRemoval) and record.id in work.entry.record_ids
                for _, work in PendingNotes(self._incoming).left()
            ):
                return True
            with self._storage.read() as txn:
                return RecordTables(Snapshot(txn)).state(record.id) != record.state
        except LedgerError:
            return False

    def _is_record(self, record_id: bytes) -> bool:
        # A record's note goes after its entry is there: the third look misses none.
        return self._has_row(record_id) or self._open.is_open(record_id) or self._has_row(record_id)

    def _has_row(self, record_id: bytes) -> bool:
        with self._storage.read() as txn:
            return txn.get(Table.RECORDS, record_id) is not None

    def _note_orphan_content(self) -> None:
        """Note folders of content that no record has; found by counting first."""
        found = list(self._store_folders())
        if len(found) == self._content_folders:
            return
        with self._storage.read() as txn:
            rows = txn.scan(Table.RECORDS)
            roots = {self._root_of(txn.get(Table.ENTRIES, row)) for _, row in rows}
        for path in found:
            if path.name not in roots:
                self._trail.note(f"{path} is the content of no record")

    def _root_of(self, encoded: bytes | None) -> str:
        try:
            kind = parse_entry(encoded or b"").kind
        except LedgerError:
            return ""
        return kind.content_root.hex() if isinstance(kind, Experience) else ""

    def _store_folders(self) -> Iterator[Path]:
        return self._store.folder_of(b"\0" * 32).parent.parent.glob("*/*")

    def _find(
        self,
        problems: AuditTrail,
        kind: FindingKind,
        record: _Record,
        message: str,
        *,
        file: str | None = None,
        span: tuple[int, int] | None = None,
        entry: int | None = None,
    ) -> None:
        subject, entry = f"record {record.id.hex()}", record.index if entry is None else entry
        problems.find(kind, subject, message, entry=entry, file=file, span=span)
