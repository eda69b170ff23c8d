"""Folders that only their owner can enter, made and removed so that it lasts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from ledger.durable_file import sync_folder
from ledger.storage.os_errors import storage_errors

PRIVATE_FOLDER: Final = 0o700


def make_private_folder(path: Path) -> None:
    """Make a folder of mode 0700, whatever the umask, with what lies above it, durably.

    A folder that is there already is left alone. Raises StorageError.
    """
    with storage_errors(path):
        _make(path)


def _make(path: Path) -> None:
    if path.is_dir():
        return
    _make(path.parent)
    path.mkdir(PRIVATE_FOLDER, exist_ok=True)
    path.chmod(PRIVATE_FOLDER)
    sync_folder(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder with all that is in it, durably; links are removed, not followed.

    Nothing there is fine. Raises StorageError.
    """
    with storage_errors(path):
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.exists():
            shutil.rmtree(path)
        if path.parent.is_dir():
            sync_folder(path.parent)
