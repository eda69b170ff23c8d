"""The secrets of each record, in small files that can really lose them.

``HOME/keys/records/<first byte of the record id, hex>.keys``, mode 0600::

    RecordKeyFile (protobuf, ledger/schema/store.proto) || SHA-256 of it

Every key is random and never derived from another, and none is ever in LMDB,
which keeps deleted bytes. A change writes a new file beside the old one, syncs
it, renames it into place, syncs the folder, and then overwrites what the old
file held: on a file system that writes in place the old keys are gone at once.
What an SSD's spare blocks, a copy-on-write file system or a backup may still
hold is beyond any program's reach.
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Final, TypeVar

from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import KeyStoreError, MalformedError, NotFoundError
from ledger.experience.fields import (
    HASH_SIZE,
    KEY_SIZE,
    RECORD_ID_SIZE,
    require_ascending,
    require_bytes,
    require_int64,
)
from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.experience.private_folder import make_private_folder
from ledger.schema import store_pb2
from ledger.schema.canonical import parse_message, serialize_message
from ledger.storage.os_errors import storage_error, storage_errors

T = TypeVar("T")

_READ_TRIES: Final = 5
_DAMAGED_HINT: Final = "its records' content can no longer be verified; restore the file"


@dataclass(frozen=True, slots=True)
class CommitmentOpening:
    """What opens a commitment: the committed integer and its blinding (32 bytes)."""

    kind: CommitmentKind
    source: RewardSource
    value: int = field(repr=False)
    blinding: bytes = field(repr=False)

    def __post_init__(self) -> None:
        require_int64(self.value, "committed value")
        require_bytes(self.blinding, KEY_SIZE, "blinding")


@dataclass(frozen=True, slots=True)
class RecordKeys:
    """All secrets of one record. ``content_key`` only for sealed content."""

    record_id: bytes
    salt_key: bytes = field(repr=False)
    content_key: bytes | None = field(default=None, repr=False)
    openings: tuple[CommitmentOpening, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        require_bytes(self.record_id, RECORD_ID_SIZE, "record id")
        require_bytes(self.salt_key, KEY_SIZE, "salt key")
        if self.content_key is not None:
            require_bytes(self.content_key, KEY_SIZE, "content key")

    @classmethod
    def generate(
        cls, record_id: bytes, *, sealed: bool, openings: tuple[CommitmentOpening, ...] = ()
    ) -> RecordKeys:
        """Fresh keys from the operating system's randomness."""
        content_key = os.urandom(KEY_SIZE) if sealed else None
        return cls(record_id, os.urandom(KEY_SIZE), content_key, openings)

    def extended(self, *, sealed: bool, openings: tuple[CommitmentOpening, ...]) -> RecordKeys:
        """The same with ``openings``, and with a fresh content key if ``sealed``."""
        content_key = os.urandom(KEY_SIZE) if sealed else None
        return RecordKeys(self.record_id, self.salt_key, content_key, openings)


class RecordKeyStore:
    """The folder of record keys of one home. One process writes, many may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, record_id: bytes) -> RecordKeys:
        """The keys of a record.

        Raises `NotFoundError` when none are kept, as after an erasure, and
        `KeyStoreError` for a file that is damaged or readable by others.
        """
        require_bytes(record_id, RECORD_ID_SIZE, "record id")
        keys = self._read(self._path(record_id)).get(record_id)
        if keys is None:
            raise NotFoundError(
                f"no keys are kept for record {record_id.hex()}",
                hint="they were destroyed by an erasure, or the key folder was not restored",
            )
        return keys

    def require_readable(self, record_id: bytes) -> None:
        """Refuse a damaged file now, before work is done that needs it. `KeyStoreError`."""
        self._read(self._path(record_id))

    def add(self, keys: Iterable[RecordKeys]) -> None:
        """Keep the keys of new records, durable on return.

        Raises `KeyStoreError` when a record has other keys already, StorageError.
        """
        for path, group in self._by_file({k.record_id: k for k in keys}).items():
            kept = self._read(path)
            for record_id, record in group.items():
                if kept.setdefault(record_id, record) != record:
                    raise KeyStoreError(f"record {record_id.hex()} has other keys already")
            self._replace(path, kept)

    def amend(self, keys: RecordKeys) -> None:
        """Give a record that has keys its other secrets, durable on return.

        The salt key stays what it is: `KeyStoreError` for another one, or for none.
        """
        path = self._path(keys.record_id)
        kept = self._read(path)
        before = kept.get(keys.record_id)
        if before is None or before.salt_key != keys.salt_key:
            raise KeyStoreError(f"record {keys.record_id.hex()} has other keys, or none")
        if before != keys:
            self._replace(path, {**kept, keys.record_id: keys})

    def destroy(self, record_ids: Iterable[bytes]) -> None:
        """Destroy every secret of these records; those without keys are passed over.

        Raises `KeyStoreError` for a damaged file, StorageError.
        """
        self.sweep()
        for path, group in self._by_file(dict.fromkeys(record_ids)).items():
            kept = self._read(path)
            if kept.keys() & group.keys():
                for record_id in group:
                    kept.pop(record_id, None)
                self._replace(path, kept)

    def sweep(self) -> None:
        """Destroy unfinished files, which a crash in `add` or `destroy` leaves behind."""
        with storage_errors(self._folder):
            stale = list(self._folder.glob(".*.new")) if self._folder.is_dir() else []
            for path in stale:
                with path.open("r+b", buffering=0) as old:
                    _overwrite(old.fileno())
                path.unlink()
            if stale:
                sync_folder(self._folder)

    def _path(self, record_id: bytes) -> Path:
        return self._folder / f"{record_id[:1].hex()}.keys"

    def _by_file(self, records: Mapping[bytes, T]) -> dict[Path, dict[bytes, T]]:
        ordered = sorted(records.items(), key=lambda item: item[0])
        return {
            path: dict(items) for path, items in groupby(ordered, lambda item: self._path(item[0]))
        }

    def _read(self, path: Path) -> dict[bytes, RecordKeys]:
        for _ in range(_READ_TRIES):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            except FileNotFoundError:
                return {}
            except OSError as error:
                reason = os.strerror(error.errno or 0).lower()
                raise KeyStoreError(f"key file {path} cannot be read: {reason}") from error
            with os.fdopen(descriptor, "rb") as stream:
                status = os.fstat(descriptor)
                if stat.S_IMODE(status.st_mode) & 0o077:
                    raise KeyStoreError(
                        f"key file {path} can be read by others", hint=f"chmod 600 {path}"
                    )
                message, checksum = _split(stream.read())
            if hmac.compare_digest(sha256(message).digest(), checksum):
                return _decode(path, message)
            # A file that was replaced while we read is overwritten: read the new one.
            with suppress(OSError):
                if path.stat().st_ino != status.st_ino:
                    continue
            break
        raise KeyStoreError(f"key file {path} is damaged", hint=_DAMAGED_HINT)

    def _replace(self, path: Path, kept: Mapping[bytes, RecordKeys]) -> None:
        make_private_folder(self._folder)
        message = _encode(kept)
        try:
            old = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            old = -1
        except OSError as error:
            raise storage_error(error.errno or 0, path) from error
        try:
            with storage_errors(path):
                write_durably(path, message + sha256(message).digest(), mode=PRIVATE)
                if old >= 0:
                    _overwrite(old)
        finally:
            if old >= 0:
                os.close(old)


def _overwrite(descriptor: int) -> None:
    """Write zeros over a file's bytes and have them reach the disk, as far as that goes."""
    with suppress(OSError):
        rest = os.fstat(descriptor).st_size
        offset = 0
        while rest > 0:
            count = os.pwrite(descriptor, bytes(min(rest, 1 << 20)), offset)
            offset += count
            rest -= count
        os.fsync(descriptor)


def _split(data: bytes) -> tuple[bytes, bytes]:
    return data[:-HASH_SIZE], data[-HASH_SIZE:]


def _encode(kept: Mapping[bytes, RecordKeys]) -> bytes:
    message = store_pb2.RecordKeyFile(
        records=[
            store_pb2.RecordKeys(
                record_id=keys.record_id,
                salt_key=keys.salt_key,
                content_key=keys.content_key or b"",
                openings=[
                    store_pb2.CommitmentOpening(
                        kind=opening.kind.value,
                        source=opening.source.value,
                        value=opening.value,
                        blinding=opening.blinding,
                    )
                    for opening in keys.openings
                ],
            )
            for _, keys in sorted(kept.items())
        ]
    )
    return serialize_message(message, "key file")


def _decode(path: Path, encoded: bytes) -> dict[bytes, RecordKeys]:
    try:
        message = parse_message(store_pb2.RecordKeyFile, encoded, "key file")
        require_ascending([record.record_id for record in message.records], "records")
        return {record.record_id: _record(record) for record in message.records}
    except (MalformedError, ValueError):
        # Not chained: the cause could quote the file.
        raise KeyStoreError(f"key file {path} is damaged", hint=_DAMAGED_HINT) from None


def _record(record: store_pb2.RecordKeys) -> RecordKeys:
    return RecordKeys(
        record_id=record.record_id,
        salt_key=record.salt_key,
        content_key=record.content_key or None,
        openings=tuple(
            CommitmentOpening(
                kind=CommitmentKind(opening.kind),
                source=RewardSource(opening.source),
                value=opening.value,
                blinding=opening.blinding,
            )
            for opening in record.openings
        ),
    )
