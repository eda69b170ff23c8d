"""Acquisitions and Trainings held against the records that they name, and PROVENANCE against them.

What a purchase says of the chain and of the seller's log is not looked into here: that
takes the chain.
"""

from __future__ import annotations

from itertools import islice

from ledger.errors import CorruptStoreError, LedgerError
from ledger.experience.entry import Entry, Experience, parse_entry
from ledger.experience.kinds import Acquisition, Training
from ledger.experience.records import provenance_index, provenance_rows
from ledger.fsck.findings import MAX_FINDINGS, AuditTrail, FindingKind
from ledger.log_reader import U64
from ledger.storage import ReadTransaction, Table


class ProvenanceRows:
    """Give it every Acquisition and Training in order, then call `finish`."""

    def __init__(self, txn: ReadTransaction, trail: AuditTrail) -> None:
        self._txn = txn
        self._trail = trail
        self._rows = 0

    def follow(self, index: int, kind: Acquisition | Training) -> None:
        """Check one entry, and the rows that lead to it."""
        for table, key, _ in provenance_rows(kind, index):
            if self._txn.get(table, key) is None:
                subject = f"row {key.hex()} of {table.name}"
                self._find(FindingKind.PROVENANCE_ROW, subject, "it is not there", index)
            else:
                self._rows += 1
        match kind:
            case Acquisition(record_id=record_id):
                self._require_earlier(index, record_id, "says that it was bought")
            case Training(record_id=record_id, inputs=inputs):
                self._require_earlier(index, record_id, "says that it is a model")
                for each in inputs:
                    self._require_earlier(index, each, "says that a model was trained on it")

    def finish(self, *, whole: bool) -> None:
        """Name rows without an entry; ``whole`` if every entry was followed."""
        if not whole or self._txn.count(Table.PROVENANCE) == self._rows:
            return
        named = self._trail.named_entries()
        for key, _ in islice(self._txn.scan(Table.PROVENANCE), self._rows + MAX_FINDINGS):
            if not self._is_asked_for(key, named):
                subject = f"row {key.hex()} of {Table.PROVENANCE.name}"
                self._trail.find(FindingKind.PROVENANCE_ROW, subject, "no entry is about this")

    def _require_earlier(self, index: int, record_id: bytes, what: str) -> None:
        subject, said = f"record {record_id.hex()}", f"entry {index} {what}"
        row = self._txn.get(Table.RECORDS, record_id)
        at = U64.unpack(row)[0] if row is not None and len(row) == U64.size else None
        experience = None if at is None else self._entry(at)
        if at is not None and experience is not None and _is_of(experience, record_id):
            if at >= index:
                message = f"{said}, and it is entry {at}"
                self._find(FindingKind.PROVENANCE_UNKNOWN, subject, message, index)
        elif not self._is_to_blame(subject, at):
            message = f"{said}, and there is no such record"
            self._find(FindingKind.PROVENANCE_UNKNOWN, subject, message, index)

    def _is_to_blame(self, subject: str, at: int | None) -> bool:
        """Whether the record is there, and its row or its entry is what was found wrong."""
        return (at is not None and at in self._trail.named_entries()) or any(
            finding.kind is FindingKind.RECORD_ROW and finding.subject == subject
            for finding in self._trail.findings
        )

    def _is_asked_for(self, key: bytes, named: set[int | None]) -> bool:
        try:
            index = provenance_index(key)
        except CorruptStoreError:
            return False
        if index in named:  # the rows of an entry that is damaged itself are not to blame
            return True
        entry = self._entry(index)
        return (
            entry is not None
            and isinstance(entry.kind, Acquisition | Training)
            and any(key == row[1] for row in provenance_rows(entry.kind, index))
        )

    def _entry(self, index: int) -> Entry | None:
        encoded = self._txn.get(Table.ENTRIES, U64.pack(index))
        try:
            return None if encoded is None else parse_entry(encoded)
        except LedgerError:
            return None

    def _find(self, kind: FindingKind, subject: str, message: str, index: int) -> None:
        self._trail.find(kind, subject, message, entry=index)


def _is_of(entry: Entry, record_id: bytes) -> bool:
    return isinstance(entry.kind, Experience) and entry.kind.record_id == record_id
