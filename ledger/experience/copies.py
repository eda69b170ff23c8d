"""The register of copies: where else the content of a record may be read.

An erasure destroys what the home holds; it can only name what lies elsewhere.
So whatever puts plaintext somewhere, or finds it there, says so here first:

- at ingest, in table COPIES, together with the entry;
- later (exports, offloads) in ``HOME/copies/<hh>/<record id hex>/<when>.copy``,
  so that a process that is not the log's writer can do it. ``hh`` is the first byte
  of the record id.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import CorruptStoreError, MalformedError
from ledger.experience.fields import RECORD_ID_SIZE
from ledger.experience.private_folder import make_private_folder
from ledger.experience.records import Row
from ledger.schema import store_pb2
from ledger.schema.canonical import parse_message, serialize_message
from ledger.storage import Storage, Table
from ledger.storage.os_errors import storage_errors

_ROWS_A_READ: Final = 512


class CopyKind(Enum):
    """What a copy is; the values are those of the schema."""

    EXPORT = 1
    HARD_LINK = 2
    ORIGINAL = 3
    OFFLOAD = 4


@dataclass(frozen=True, slots=True)
class Copy:
    """One copy of a record's content outside ``HOME/content``.

    ``paths`` are absolute: one for each file of the entry, in its order, or the
    one sealed file. ``verified`` says that it was rehashed after it was written.
    """

    kind: CopyKind
    paths: tuple[Path, ...]
    sealed: bool = False
    verified: bool = False


class CopyRegister:
    """The copies that are known. Raises StorageError, CorruptStoreError."""

    def __init__(self, storage: Storage, folder: Path) -> None:
        self._storage = storage
        self._folder = folder

    def of(self, record_id: bytes) -> tuple[Copy, ...]:
        """Every copy registered for a record, those from ingest first."""
        stop = record_id + b"\xff" * 5
        with self._storage.read() as transaction:
            rows = list(transaction.scan(Table.COPIES, record_id, stop))
        copies = [_decode(record_id, value) for _, value in rows]
        for path in self._notes(record_id):
            with storage_errors(path):
                copies.append(_decode(record_id, path.read_bytes()))
        return tuple(copies)

    def of_ingest(self) -> Iterator[tuple[bytes, Copy]]:
        """Every copy that was known when its record came, with the record's id, by id.

        A row that is damaged is left out: the audit names it.
        """
        start = b""
        while True:
            with self._storage.read() as transaction:
                rows = list(islice(transaction.scan(Table.COPIES, start), _ROWS_A_READ))
            for key, value in rows:
                with suppress(CorruptStoreError):
                    yield key[:RECORD_ID_SIZE], _decode(key[:RECORD_ID_SIZE], value)
            if len(rows) < _ROWS_A_READ:
                return
            start = rows[-1][0] + b"\0"

    def add(self, record_id: bytes, copy: Copy) -> Path:
        """Register a copy, durable on return; what came back names it for `replace`."""
        folder = self._record_folder(record_id)
        make_private_folder(folder)
        # A random name: two processes may register at once.
        path = folder / f"{time.time_ns():020}-{os.urandom(4).hex()}.copy"
        self.replace(path, copy)
        return path

    def replace(self, registered: Path, copy: Copy) -> None:
        """Say something else of a copy that `add` registered."""
        with storage_errors(registered):
            write_durably(registered, _encode(copy), mode=PRIVATE)

    def _notes(self, record_id: bytes) -> list[Path]:
        folder = self._record_folder(record_id)
        with storage_errors(folder):
            return sorted(folder.glob("*.copy")) if folder.is_dir() else []

    def _record_folder(self, record_id: bytes) -> Path:
        return self._folder / record_id[:1].hex() / record_id.hex()


def copy_rows(record_id: bytes, copies: tuple[Copy, ...]) -> list[Row]:
    """The rows of the copies that are known at ingest."""
    return [
        (Table.COPIES, record_id + number.to_bytes(4, "big"), _encode(copy))
        for number, copy in enumerate(copies)
    ]


def _encode(copy: Copy) -> bytes:
    message = store_pb2.Copy(
        kind=store_pb2.CopyKind.Name(copy.kind.value),
        sealed=copy.sealed,
        verified=copy.verified,
        paths=[os.fsencode(path) for path in copy.paths],
    )
    return serialize_message(message, "copy")


def _decode(record_id: bytes, value: bytes) -> Copy:
    try:
        message = parse_message(store_pb2.Copy, value, "copy")
        return Copy(
            kind=CopyKind(message.kind),
            paths=tuple(Path(os.fsdecode(path)) for path in message.paths),
            sealed=message.sealed,
            verified=message.verified,
        )
    except (MalformedError, ValueError) as error:
        raise CorruptStoreError(
            f"a registered copy of record {record_id.hex()} is damaged"
        ) from error
