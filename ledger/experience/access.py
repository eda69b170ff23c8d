"""One home's experiences: log, tables, content, keys and copies in one hand.

::

    HOME/content/  HOME/incoming/          `ledger.experience.content_store`
    HOME/keys/records/                     `ledger.experience.record_keys`
    HOME/copies/                           `ledger.experience.copies`
    HOME/incoming/*.pending                `ledger.experience.pending`
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from ledger.ed25519 import PrivateKey
from ledger.errors import BehindError, CorruptStoreError, MalformedError, NotFoundError
from ledger.experience.content_store import ContentStore
from ledger.experience.copies import CopyRegister
from ledger.experience.entry import encode_entry, parse_entry
from ledger.experience.fields import UINT64_MAX
from ledger.experience.kinds import Experience, Kind
from ledger.experience.pending import PendingNotes
from ledger.experience.record_keys import RecordKeyStore
from ledger.experience.records import ContentState, RecordTables, Row
from ledger.log import Log
from ledger.log_reader import LogReader
from ledger.storage import Storage

RowsAt: TypeAlias = Callable[[range], Sequence[Row]]
"""The rows to be written with entries, given the entries' indices."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as the log has it and as it is kept now."""

    index: int
    experience: Experience
    state: ContentState

    @property
    def record_id(self) -> bytes:
        """The record's id, 16 bytes."""
        return self.experience.record_id


class ExperienceReader:
    """The experiences of a home, to be read by any number of processes."""

    def __init__(self, home: Path, storage: Storage, log: LogReader) -> None:
        self.log = log
        self.tables: Final = RecordTables(storage)
        self.content: Final = ContentStore(home)
        self.keys: Final = RecordKeyStore(home / "keys" / "records")
        self.copies: Final = CopyRegister(storage, home / "copies")

    def record(self, record_id: bytes) -> Record:
        """A record by its id.

        Raises `NotFoundError` when there is none, `CorruptStoreError` when the store
        points at an entry that is not the record's.
        """
        index = self.log.record_index(record_id)
        try:
            kind = parse_entry(self.log.entry(index)).kind
        except (MalformedError, NotFoundError) as error:
            raise CorruptStoreError(
                f"entry {index}, of record {record_id.hex()}, is damaged", hint="audit the home"
            ) from error
        if not isinstance(kind, Experience) or kind.record_id != record_id:
            raise CorruptStoreError(
                f"entry {index} is not that of record {record_id.hex()}", hint="audit the home"
            )
        return Record(index, kind, self.tables.state(record_id))


class ExperienceWriter(ExperienceReader):
    """The experiences of a home, in the hands of the log's one writer.

    ``key`` signs the entries. After opening, call `ledger.experience.recovery.recover`
    before anything else.
    """

    log: Log

    def __init__(self, home: Path, storage: Storage, log: Log, key: PrivateKey) -> None:
        super().__init__(home, storage, log)
        self.pending: Final = PendingNotes(home / "incoming")
        self._key: Final = key

    def append(self, kinds: Sequence[Kind], rows_at: RowsAt) -> range:
        """Sign and append one entry a kind with the rows that go with them; the indices.

        Durable on return, all or nothing. Raises EntryTooLargeError, BehindError,
        StorageError.
        """
        start = self.log.size
        indices = range(start, start + len(kinds))
        log_id = self.log.log_id
        entries = [
            encode_entry(log_id, index, kind, self._key)
            for index, kind in zip(indices, kinds, strict=True)
        ]
        return self.log.append(entries, rows_at(indices))

    def require_room_for(self, kind: Kind) -> None:
        """Refuse, before any work, what could not be appended after it.

        Raises EntryTooLargeError for an entry that is too long, BehindError for a
        log that is shorter than what it published.
        """
        encode_entry(self.log.log_id, UINT64_MAX, kind, self._key)
        if self.log.behind is not None:
            raise BehindError(
                f"the log has {self.log.size} leaves, but has published a checkpoint of"
                f" {self.log.behind.size}",
                hint="it was restored from an old backup; let it catch up first",
            )
