"""The files of record keys, read as they lie on disk and checked once each.

``<first byte of the record id, hex>.keys`` = RecordKeyFile || SHA-256 of it
(``docs/format.md`` section 9), mode 0600. What is in them is never shown.
"""

from __future__ import annotations

import hmac
import os
import stat
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.errors import MalformedError
from ledger.experience.fields import HASH_SIZE, require_ascending
from ledger.experience.record_keys import RecordKeys
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.schema import store_pb2
from ledger.schema.canonical import parse_message

_FILE_NAMES: Final = frozenset(f"{byte:02x}.keys" for byte in range(256))


class KeyFiles:
    """Reads one file at a time: ask for records in the order of their ids."""

    def __init__(self, folder: Path, trail: AuditTrail) -> None:
        self._folder = folder
        self._trail = trail
        self._path: Path | None = None
        self._secrets: dict[bytes, RecordKeys] | None = {}
        self._named: set[tuple[Path, str]] = set()

    def path_of(self, record_id: bytes) -> Path:
        """The file that a record's keys are in."""
        return self._folder / f"{record_id[:1].hex()}.keys"

    def of_file(self, record_id: bytes, *, again: bool = False) -> dict[bytes, RecordKeys] | None:
        """Every record's keys in the file that holds this one's; None if it is damaged.

        ``again`` reads the file as it is now, and not as it was for the last record.
        """
        path = self.path_of(record_id)
        if again or path != self._path:
            self._path = path
            self._secrets = self._read(path)
        return self._secrets

    def check_all(self, is_record: Callable[[bytes], bool]) -> None:
        """Read every file, also those that no record needs, and note what does not belong."""
        try:
            paths = sorted(self._folder.iterdir())
        except FileNotFoundError:
            return
        except OSError as error:
            self._find(self._folder, f"it cannot be read: {error.strerror}")
            return
        for path in paths:
            if path.suffix != ".keys" or path.name not in _FILE_NAMES:
                self._trail.note(f"{path} is no key file")
                continue
            strays = [record_id for record_id in self._read(path) or () if not is_record(record_id)]
            for record_id in strays:
                self._trail.note(f"{path} has keys of {record_id.hex()}, which is no record")

    def _read(self, path: Path, tries: int = 4) -> dict[bytes, RecordKeys] | None:
        try:
            with path.open("rb") as file:
                status = os.fstat(file.fileno())
                data = file.read()
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._find(path, f"it cannot be read: {error.strerror}")
            return None
        if stat.S_IMODE(status.st_mode) & 0o077:
            self._find(path, "others than its owner can read it")
        message, checksum = data[:-HASH_SIZE], data[-HASH_SIZE:]
        if not hmac.compare_digest(sha256(message).digest(), checksum):
            if tries and _inode(path) != status.st_ino:
                return self._read(path, tries - 1)  # replaced, and overwritten, while we read
            self._find(path, "its checksum does not fit", (0, len(data)))
            return None
        try:
            return _decode(message, path)
        except MalformedError as error:
            self._find(path, error.message, (0, len(data)))
            return None

    def _find(self, path: Path, message: str, span: tuple[int, int] | None = None) -> None:
        if (path, message) in self._named:
            return
        self._named.add((path, message))
        self._trail.find(
            FindingKind.KEY_FILE, f"key file {path.name}", message, file=str(path), span=span
        )


def _decode(encoded: bytes, path: Path) -> dict[bytes, RecordKeys]:
    message = parse_message(store_pb2.RecordKeyFile, encoded, "key file")
    require_ascending([record.record_id for record in message.records], "records")
    secrets = {}
    for record in message.records:
        if record.record_id[:1].hex() != path.stem:
            raise MalformedError("it holds keys of a record that belongs in another file")
        secrets[record.record_id] = RecordKeys(
            record.record_id, record.salt_key, record.content_key or None
        )
    return secrets


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None
