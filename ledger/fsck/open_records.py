"""Records with progress that no entry seals: being recorded, given up, or lost."""

from __future__ import annotations

from pathlib import Path

from ledger.errors import LedgerError, NotFoundError
from ledger.experience.pending import Open, PendingNotes, PendingRecording
from ledger.experience.records import Presence, RecordTables
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.fsck.key_files import KeyFiles
from ledger.fsck.progress_rows import marks_before
from ledger.fsck.snapshot import Snapshot
from ledger.storage import Storage, Table

_AFTER_ALL = 2**63


class OpenRecords:
    """The records that are being recorded, by their notes, as of now."""

    def __init__(self, storage: Storage, home: Path, keys: KeyFiles, trail: AuditTrail) -> None:
        self._storage = storage
        self._pending = PendingNotes(home / "incoming")
        self._keys = keys
        self._trail = trail

    def is_open(self, record_id: bytes) -> bool:
        """Whether a note says that a record is being written."""
        return self._note(record_id) is not None

    def check(self, record_ids: tuple[bytes, ...]) -> None:
        """Judge records that a snapshot saw progress of, and no Experience."""
        for record_id in record_ids:
            self._check(record_id)

    def _check(self, record_id: bytes) -> None:
        # The note first, then the log: it goes only after the entry that ends the record.
        note = self._note(record_id)
        with self._storage.read() as txn:
            sealed = txn.get(Table.RECORDS, record_id) is not None
            index, mark = next(marks_before(txn, record_id, _AFTER_ALL), (None, None))
            try:
                state = RecordTables(Snapshot(txn)).state(record_id)
            except LedgerError:  # none, or named with the tables
                state = None
        if sealed or index is None or mark is None:
            return
        subject = f"record {record_id.hex()}"
        if state is not None and state.presence is Presence.ERASED:
            if record_id in (self._keys.of_file(record_id, again=True) or {}):
                path = str(self._keys.path_of(record_id))
                message = "it was given up, and its keys are still there"
                self._trail.find(FindingKind.KEY_REMAINS, subject, message, entry=index, file=path)
        elif note is None:
            message = (
                f"entry {index} committed {mark.length} bytes of it; no entry seals it, and it is"
                " not being recorded"
            )
            self._trail.find(FindingKind.PROGRESS_UNSEALED, subject, message, entry=index)
        elif isinstance(note.step, Open) and self._has_no_keys(record_id):
            path = str(self._keys.path_of(record_id))
            message = "it is being recorded, and its keys are gone"
            self._trail.find(FindingKind.KEY_MISSING, subject, message, entry=index, file=path)
        else:
            self._trail.note(
                f"{subject} is still being recorded: {mark.length} bytes of it are committed"
            )

    def _has_no_keys(self, record_id: bytes) -> bool:
        in_file = self._keys.of_file(record_id, again=True)
        if in_file is None or record_id in in_file:
            return False
        note = self._note(record_id)  # it may be given up by now
        return note is not None and isinstance(note.step, Open)

    def _note(self, record_id: bytes) -> PendingRecording | None:
        try:
            return self._pending.recording(record_id)[1]
        except NotFoundError:
            return None
        except LedgerError as error:
            self._trail.note(f"the note of record {record_id.hex()} could not be read: {error}")
            return None
