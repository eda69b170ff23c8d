"""The tables of records held against the entries, in both directions.

Every entry looks up the rows it must have. Rows that no entry asked for are found
by counting, and only then by looking for them; so nothing is kept in memory.
"""

from __future__ import annotations

from functools import lru_cache

from ledger.errors import CorruptStoreError, LedgerError, MalformedError, NotFoundError
from ledger.experience.content_root import content_root_of_leaves, split_leaves
from ledger.experience.entry import (
    Acquisition,
    Entry,
    Erasure,
    Experience,
    Progress,
    Pruning,
    Training,
    parse_entry,
)
from ledger.experience.fields import RECORD_ID_SIZE
from ledger.experience.records import ContentState, Presence, RecordTables
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.fsck.progress_rows import ProgressRows
from ledger.fsck.provenance_rows import ProvenanceRows
from ledger.fsck.snapshot import Snapshot
from ledger.log_reader import U64
from ledger.storage import ReadTransaction, Table

_REMOVED = (Presence.PRUNED, Presence.ERASED)


class RecordRows:
    """Follows the entries: give each to `follow`, then call `finish`."""

    def __init__(self, txn: ReadTransaction, trail: AuditTrail) -> None:
        self._txn = txn
        self._trail = trail
        self._tables = RecordTables(Snapshot(txn))
        self._rows = dict.fromkeys((Table.RECORDS, Table.CONTENT, Table.CHUNKS), 0)
        self.content_bytes = 0
        """Bytes of content that records have now, stored or in place."""
        self.unsealed: tuple[bytes, ...] = ()
        """Records with progress that no entry seals; known after `finish`."""
        self._progress = ProgressRows(txn, trail)
        self._provenance = ProvenanceRows(txn, trail)
        self._removal = lru_cache(maxsize=64)(self._read_removal)

    def follow(self, index: int, entry: Entry) -> None:
        """Check the rows of one entry."""
        match entry.kind:
            case Experience() as experience:
                self._check_experience(index, experience)
            case Progress() as progress:
                self._progress.follow(index, progress, self._state(progress.record_id))
            case Erasure(record_ids=ids):
                for record_id in ids:
                    self._check_removed(index, record_id, (Presence.ERASED,))
                    self._count_abandoned(index, record_id)
            case Pruning(record_ids=ids):
                for record_id in ids:
                    self._check_removed(index, record_id, _REMOVED)
            case Acquisition() | Training():
                self._provenance.follow(index, entry.kind)

    def finish(self, *, whole: bool) -> None:
        """Name rows without an entry; ``whole`` if every entry was followed."""
        if whole:
            for table, kind in (
                (Table.RECORDS, FindingKind.RECORD_ROW),
                (Table.CONTENT, FindingKind.CONTENT_ROW),
                (Table.CHUNKS, FindingKind.CHUNKS_ROW),
            ):
                if self._txn.count(table) != self._rows[table]:
                    self._name_extra(table, kind)
        self._name_extra(Table.COPIES, FindingKind.COPY_ROW)
        self._provenance.finish(whole=whole)
        self.unsealed = self._progress.finish(whole=whole)

    def _check_experience(self, index: int, experience: Experience) -> None:
        record_id = experience.record_id
        row = self._txn.get(Table.RECORDS, record_id)
        if row is None or len(row) != U64.size:
            self._find(FindingKind.RECORD_ROW, record_id, f"no row leads to entry {index}", index)
            self._rows[Table.RECORDS] += row is not None
        elif U64.unpack(row)[0] != index:
            other = U64.unpack(row)[0]
            if self._is_record(other, record_id):
                message = f"entries {index} and {other} both claim it"
                self._find(FindingKind.RECORD_REPEATED, record_id, message, index)
                return
            self._rows[Table.RECORDS] += 1
            message = f"its row leads to entry {other}, it is entry {index}"
            self._find(FindingKind.RECORD_ROW, record_id, message, index)
        else:
            self._rows[Table.RECORDS] += 1
        self._trail.counters.records += 1
        state = self._check_state(index, experience)
        leaves = self._check_chunks(index, experience, state)
        self._progress.seal(index, experience, leaves)

    def _check_state(self, index: int, experience: Experience) -> ContentState | None:
        record_id = experience.record_id
        try:
            state = self._tables.state(record_id)
        except NotFoundError:
            self._find(FindingKind.CONTENT_ROW, record_id, "it has no row", index)
            return None
        except CorruptStoreError as error:
            self._rows[Table.CONTENT] += 1
            self._find(FindingKind.CONTENT_ROW, record_id, error.message, index)
            return None
        self._rows[Table.CONTENT] += 1
        if state.presence in _REMOVED:
            self._count_removed(state)
            ids = self._removal(state.removed_by, state.presence)
            if record_id not in ids:
                word = state.presence.name.lower()
                message = f"it is {word} by entry {state.removed_by}, which does not say so"
                self._find(FindingKind.CONTENT_ROW, record_id, message, index)
        elif (state.presence is Presence.EMPTY) != (experience.content_size == 0):
            message = (
                f"it is kept as {state.presence.name.lower()}, "
                f"the entry has {experience.content_size} bytes"
            )
            self._find(FindingKind.CONTENT_ROW, record_id, message, index)
        else:
            self.content_bytes += experience.content_size
        return state

    def _count_removed(self, state: ContentState) -> None:
        if state.presence is Presence.ERASED:
            self._trail.counters.records_erased += 1
        else:
            self._trail.counters.records_pruned += 1

    def _check_chunks(
        self, index: int, experience: Experience, state: ContentState | None
    ) -> list[bytes] | None:
        """The record's chunk leaves, if they are there and lead to its root."""
        record_id = experience.record_id
        joined = self._txn.get(Table.CHUNKS, record_id)
        self._rows[Table.CHUNKS] += joined is not None
        if joined is None:
            # A log that caught up never saw the hashes; once erased, they mean nothing.
            erased = state is not None and state.presence is Presence.ERASED
            if experience.content_size and not erased:
                message = "its chunk hashes are missing"
                self._find(FindingKind.CHUNKS_ROW, record_id, message, index)
            return None if experience.content_size else []
        try:
            leaves = split_leaves(joined)
        except MalformedError as error:
            self._find(FindingKind.CHUNKS_ROW, record_id, error.message, index)
            return None
        root = content_root_of_leaves(leaves)
        if root != experience.content_root and (joined or experience.content_root):
            message = "its chunk hashes do not lead to the content root of the entry"
            self._find(FindingKind.CHUNKS_ROW, record_id, message, index)
            return None
        return leaves

    def _check_removed(self, index: int, record_id: bytes, allowed: tuple[Presence, ...]) -> None:
        try:
            state = self._tables.state(record_id)
        except NotFoundError:
            message = f"entry {index} removes it and there is no such record"
            self._find(FindingKind.CONTENT_ROW, record_id, message, index)
            return
        except CorruptStoreError:
            return  # named with its own entry
        if state.presence not in allowed:
            word = state.presence.name.lower()
            message = f"entry {index} removes it, and it is kept as {word}"
            self._find(FindingKind.CONTENT_ROW, record_id, message, index)

    def _count_abandoned(self, index: int, record_id: bytes) -> None:
        """A record given up while it was written has a state, and no Experience."""
        state = self._state(record_id)
        if state is not None and state.removed_by == index and self._was_abandoned(record_id):
            self._rows[Table.CONTENT] += 1

    def _was_abandoned(self, record_id: bytes) -> bool:
        return (
            self._txn.get(Table.RECORDS, record_id) is None
            and self._tables.progress(record_id) != []
        )

    def _state(self, record_id: bytes) -> ContentState | None:
        try:
            return self._tables.state(record_id)
        except (NotFoundError, CorruptStoreError):
            return None

    def _read_removal(self, index: int, presence: Presence) -> frozenset[bytes]:
        """The records that entry ``index`` says were removed in this way."""
        entry = self._entry(index)
        wanted = Erasure if presence is Presence.ERASED else Pruning
        if entry is None or not isinstance(entry.kind, wanted):
            return frozenset()
        return frozenset(entry.kind.record_ids)

    def _is_record(self, index: int, record_id: bytes) -> bool:
        entry = self._entry(index)
        return (
            entry is not None
            and isinstance(entry.kind, Experience)
            and entry.kind.record_id == record_id
        )

    def _entry(self, index: int) -> Entry | None:
        encoded = self._txn.get(Table.ENTRIES, U64.pack(index))
        try:
            return None if encoded is None else parse_entry(encoded)
        except LedgerError:
            return None

    def _name_extra(self, table: Table, kind: FindingKind) -> None:
        # The rows of an entry that is damaged itself are not to blame.
        named = self._trail.named_entries()
        length = RECORD_ID_SIZE + (4 if table is Table.COPIES else 0)
        for key, value in self._txn.scan(table):
            record_id = key[:RECORD_ID_SIZE]
            row = value if table is Table.RECORDS else self._txn.get(Table.RECORDS, record_id)
            if row is not None and len(row) == U64.size and len(key) == length:
                (index,) = U64.unpack(row)
                if index in named or self._is_record(index, record_id):
                    continue
            elif table is Table.CONTENT and self._is_abandoned_state(record_id):
                continue
            self._trail.find(
                kind, f"row {key.hex()} of {table.name}", "no entry is about this record"
            )

    def _is_abandoned_state(self, record_id: bytes) -> bool:
        state = self._state(record_id)
        return (
            state is not None
            and state.presence is Presence.ERASED
            and self._was_abandoned(record_id)
            and record_id in self._removal(state.removed_by, Presence.ERASED)
        )

    def _find(self, kind: FindingKind, record_id: bytes, message: str, index: int) -> None:
        self._trail.find(kind, f"record {record_id.hex()}", message, entry=index)
