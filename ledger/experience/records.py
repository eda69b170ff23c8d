"""What the store knows of each record beside its entry.

Tables (``ledger.storage.Table``)::

    RECORDS     record id -> u64be(leaf index)
    CONTENT     record id -> ContentState (ledger/schema/store.proto)
    CHUNKS      record id -> chunk leaves, 32 bytes each; kept when the content goes
    COPIES      record id || u32be(n) -> Copy; see `ledger.experience.copies`
    PROGRESS    record id || u64be(2^64 - 1 - leaf index) -> empty: its Progress entries
    PROVENANCE  record id, or the first 16 bytes of a grant's || u64be(leaf index) -> empty:
                an Acquisition or a Training names it
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from typing import Final, TypeAlias

from ledger.errors import CorruptStoreError, MalformedError, NotFoundError
from ledger.experience.content_root import split_leaves
from ledger.experience.fields import RECORD_ID_SIZE, UINT64_MAX
from ledger.experience.kinds import Acquisition, Training
from ledger.schema import store_pb2
from ledger.schema.canonical import parse_message, serialize_message
from ledger.storage import ReadTransaction, Storage, Table

Row: TypeAlias = tuple[Table, bytes, bytes]
"""A row to be written together with entries: table, key, value."""

_ROWS_A_READ: Final = 512


class Presence(Enum):
    """Where a record's content is; the values are those of the schema."""

    EMPTY = 1
    STORED = 2
    IN_PLACE = 3
    PRUNED = 4
    ERASED = 5


@dataclass(frozen=True, slots=True)
class ContentState:
    """How a record's content is kept.

    ``removed_by`` is the index of the Pruning or Erasure entry, where there is
    one. ``stray_links`` counts hard links to erased plaintext whose paths nobody
    told us.
    """

    presence: Presence
    sealed: bool = False
    removed_by: int = 0
    stray_links: int = 0


class RecordTables:
    """Reads the tables of records. Raises CorruptStoreError for what it cannot read."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def state(self, record_id: bytes) -> ContentState:
        """How the content of a record is kept. Raises `NotFoundError` for no record."""
        with self._storage.read() as transaction:
            value = transaction.get(Table.CONTENT, record_id) if record_id else None
        if value is None:
            raise NotFoundError(f"no record {record_id.hex()} in this log")
        return _decode_state(record_id, value)

    def states(self) -> Iterator[tuple[bytes, ContentState]]:
        """Every record's id and state, by id; no transaction is held between two of them."""
        start = b""
        while True:
            with self._storage.read() as transaction:
                rows = list(islice(transaction.scan(Table.CONTENT, start), _ROWS_A_READ))
            for record_id, value in rows:
                yield record_id, _decode_state(record_id, value)
            if len(rows) < _ROWS_A_READ:
                return
            start = rows[-1][0] + b"\0"

    def leaves(self, record_id: bytes) -> list[bytes]:
        """The chunk leaves of a record; none for a record without content."""
        with self._storage.read() as transaction:
            joined = transaction.get(Table.CHUNKS, record_id) if record_id else None
        try:
            return split_leaves(joined or b"")
        except MalformedError as error:
            raise CorruptStoreError(
                f"the chunk hashes of record {record_id.hex()} are damaged"
            ) from error

    def progress(self, record_id: bytes) -> list[int]:
        """The indices of a record's Progress entries, in the order of the log."""
        with self._storage.read() as transaction:
            indices = [progress_index(key) for key in _progress_keys(transaction, record_id)]
        indices.reverse()
        return indices

    def newest_progress(self, record_id: bytes) -> int | None:
        """The index of a record's last Progress entry; None if it has none."""
        with self._storage.read() as transaction:
            key = next(_progress_keys(transaction, record_id), None)
        return None if key is None else progress_index(key)

    def provenance(self, name: bytes) -> list[int]:
        """The indices of the Acquisitions and Trainings that name a record or a grant, ascending.

        Of a grant the first 16 bytes are looked for: an entry may be another one's.
        """
        prefix = name[:RECORD_ID_SIZE]
        with self._storage.read() as transaction:
            rows = transaction.scan(Table.PROVENANCE, prefix, prefix + b"\xff" * 9)
            return [provenance_index(key) for key, _ in rows]

    def recording_ids(self) -> Iterator[bytes]:
        """The ids of all records that have Progress entries, ascending."""
        start = b""
        while True:
            with self._storage.read() as transaction:
                row = next(transaction.scan(Table.PROGRESS, start), None)
            if row is None:
                return
            record_id = row[0][:RECORD_ID_SIZE]
            yield record_id
            start = record_id + b"\xff" * 9


def progress_row(record_id: bytes, index: int) -> Row:
    """The row that says that entry ``index`` is progress of a record."""
    # 2^64 - 1 - index: a scan ascends, and the newest entry is the one most asked for.
    return Table.PROGRESS, record_id + (UINT64_MAX - index).to_bytes(8, "big"), b""


def progress_index(key: bytes) -> int:
    """The entry index in the key of a `progress_row`. Raises `CorruptStoreError`."""
    if len(key) != RECORD_ID_SIZE + 8:
        raise CorruptStoreError(f"row {key.hex()} of PROGRESS is damaged", hint="audit the home")
    return UINT64_MAX - int.from_bytes(key[RECORD_ID_SIZE:], "big")


def provenance_rows(kind: Acquisition | Training, index: int) -> list[Row]:
    """The rows that say that entry ``index`` tells where something came from."""
    match kind:
        case Acquisition(record_id=record_id, grant=grant):
            names = {record_id, grant[:RECORD_ID_SIZE]}
        case Training(record_id=record_id, inputs=inputs):
            names = {record_id, *inputs}
    return [(Table.PROVENANCE, name + index.to_bytes(8, "big"), b"") for name in sorted(names)]


def provenance_index(key: bytes) -> int:
    """The entry index in the key of a `provenance_rows` row. Raises `CorruptStoreError`."""
    if len(key) != RECORD_ID_SIZE + 8:
        raise CorruptStoreError(f"row {key.hex()} of PROVENANCE is damaged", hint="audit the home")
    return int.from_bytes(key[RECORD_ID_SIZE:], "big")


def _progress_keys(transaction: ReadTransaction, record_id: bytes) -> Iterator[bytes]:
    rows = transaction.scan(Table.PROGRESS, record_id, record_id + b"\xff" * 9)
    return (key for key, _ in rows)


def state_row(record_id: bytes, state: ContentState) -> Row:
    """The row that says how a record's content is kept."""
    message = store_pb2.ContentState(
        presence=store_pb2.Presence.Name(state.presence.value),
        sealed=state.sealed,
        removed_by=state.removed_by,
        stray_links=state.stray_links,
    )
    return Table.CONTENT, record_id, serialize_message(message, "content state")


def index_row(record_id: bytes, index: int) -> Row:
    """The row that says which entry is a record's."""
    return Table.RECORDS, record_id, index.to_bytes(8, "big")


def leaves_row(record_id: bytes, leaves: tuple[bytes, ...]) -> Row:
    """The row that keeps a record's chunk leaves."""
    return Table.CHUNKS, record_id, b"".join(leaves)


def _decode_state(record_id: bytes, value: bytes) -> ContentState:
    try:
        message = parse_message(store_pb2.ContentState, value, "content state")
        return ContentState(
            presence=Presence(message.presence),
            sealed=message.sealed,
            removed_by=message.removed_by,
            stray_links=message.stray_links,
        )
    except (MalformedError, ValueError) as error:
        raise CorruptStoreError(
            f"the content state of record {record_id.hex()} is damaged"
        ) from error
