"""Files that the command reads and writes for its user."""

from __future__ import annotations

import os
from pathlib import Path

from ledger.durable_file import PRIVATE, write_durably
from ledger.errors import MalformedError, NotFoundError
from ledger.storage.os_errors import storage_errors

MAX_INPUT_BYTES = 1 << 29


def read_input(path: Path, what: str) -> bytes:
    """The bytes of a file named on the command line. Raises `NotFoundError` and its kin."""
    try:
        if not path.is_file():
            raise NotFoundError(f"{path} is not a file", hint=f"name the file with {what}")
        if path.stat().st_size > MAX_INPUT_BYTES:
            raise MalformedError(
                f"{path} is too large to be {what}", hint=f"name the file with {what}"
            )
        return path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            f"{path} cannot be read: {error.strerror}", hint="check the path and its permissions"
        ) from error


def write_result(path: Path, data: bytes, *, private: bool = False) -> None:
    """Write a result where the user wants it, whole or not at all.

    Raises `NotFoundError` where there is no such folder, and StorageError.
    """
    target = Path(os.path.realpath(path))  # a link stays one
    if not target.parent.is_dir():
        raise NotFoundError(f"there is no folder {path.parent}", hint="make it first")
    with storage_errors(path):
        if target.exists() and not target.is_file():
            target.write_bytes(data)  # a pipe or a device, which nothing may replace
        else:
            write_durably(target, data, mode=PRIVATE if private else 0o644)
