"""Writing a report: whole or not at all, and over nothing but an older report."""

from __future__ import annotations

from pathlib import Path

from ledger.durable_file import write_durably
from ledger.errors import RefusedError
from ledger.report.page import OPENING
from ledger.storage.os_errors import storage_errors


def check_place(path: Path) -> None:
    """Refuse, before any work is done, to write over what is no report.

    Raises RefusedError; StorageError where nothing can be written or read.
    """
    with storage_errors(path):
        if path.is_dir():
            raise RefusedError(f"{path} is a folder", hint="name a file, such as report.html")
        if not path.parent.is_dir():
            raise RefusedError(f"{path.parent} is no folder", hint="make it, or name another")
        if path.is_symlink():
            raise RefusedError(f"{path} is a symbolic link", hint="name the file itself")
        if path.exists():
            with path.open("rb") as file:
                beginning = file.read(len(OPENING))
            if beginning and beginning != OPENING.encode("ascii"):
                raise RefusedError(
                    f"{path} is there, and is no audit report", hint="name another file"
                )


def write_report(path: Path, text: str) -> None:
    """Write a report, durable on return. Raises RefusedError as `check_place`, StorageError."""
    check_place(path)
    with storage_errors(path):
        write_durably(path, text.encode("utf-8"))
