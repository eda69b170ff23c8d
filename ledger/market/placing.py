"""Copies of what was bought, where people want them, and the memory of where that was.

Whoever bought something may have to erase it. So that every copy is found then, an acquisition
remembers each place before it puts a file there::

    FOLDER/placed        absolute paths, each ended by a zero byte; mode 0600
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.private_folder import make_private_folder, remove_folder
from ledger.storage.os_errors import storage_errors

_NAME: Final = "placed"


def place(folder: Path, target: Path) -> tuple[Path, ...]:
    """Copy an acquisition's files to the new folder ``target``, durably, or nothing of them.

    Raises NotFoundError before they are all here, RefusedError where something is, StorageError.
    """
    files = folder / "files"
    if not files.is_dir():
        raise NotFoundError(f"{folder} has no files yet", hint="take the purchase up again")
    target = Path(os.path.abspath(target))  # noqa: PTH100 - a link stays one
    if target.exists() or target.is_symlink():
        raise RefusedError(f"{target} is there already", hint="name a new folder")
    with storage_errors(target):
        if not target.parent.is_dir():
            raise NotFoundError(f"there is no folder {target.parent}", hint="make it first")
        _remember(folder, target)
        beside = target.with_name(f".{target.name}.{os.getpid()}.placing")
        try:
            made = [_copy(path, beside / path.relative_to(files)) for path in _files_of(files)]
            beside.rename(target)
        except BaseException:
            remove_folder(beside)
            raise
        sync_folder(target.parent)
    return tuple(target / path.relative_to(beside) for path in made)


def placed(folder: Path) -> tuple[Path, ...]:
    """Where an acquisition's files were put, be they there still or not. StorageError."""
    path = folder / _NAME
    with storage_errors(path):
        data = path.read_bytes() if path.exists() else b""
    return tuple(Path(os.fsdecode(each)) for each in data.split(b"\0") if each)


def _remember(folder: Path, target: Path) -> None:
    known = [*placed(folder), target]
    content = b"".join(os.fsencode(each) + b"\0" for each in dict.fromkeys(known))
    write_durably(folder / _NAME, content, mode=PRIVATE)


def _files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _copy(source: Path, target: Path) -> Path:
    make_private_folder(target.parent)
    with source.open("rb") as reading, target.open("xb") as writing:
        target.chmod(PRIVATE)
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())
    sync_folder(target.parent)
    return target
