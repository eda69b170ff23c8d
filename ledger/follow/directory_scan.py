"""What lies in a followed directory that is a bag's: found by looking, never by a name's number.

Links are not followed, hidden folders and the home itself are left out, and nothing is
opened. A directory that is not there yet holds nothing.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path, PurePath
from typing import Final

from ledger.experience.readers.bag_metadata import FILE_NAME
from ledger.follow.unpacking import SUFFIXES
from ledger.follow.watched_file import FileState

MCAP_SUFFIX: Final = ".mcap"
DATABASE_SUFFIX: Final = ".db3"
_STORAGE: Final = (MCAP_SUFFIX, DATABASE_SUFFIX)


class FileKind(Enum):
    """How a file is followed."""

    MCAP = auto()
    DATABASE = auto()
    PACKED = auto()
    """An MCAP file or a database, compressed as a whole."""
    METADATA = auto()


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A regular file of a bag, as it is now."""

    path: Path
    kind: FileKind
    state: FileState


Ignored = Callable[[Path, str], None]
"""Told a path that is not followed, and why."""


def scan(
    directories: Sequence[Path], *, avoid: Path | None, max_depth: int, ignored: Ignored
) -> Iterator[FoundFile]:
    """The files of bags under ``directories``, without what is under ``avoid``."""
    for directory in directories:
        yield from _scan_folder(directory, avoid, max_depth, ignored)


def _scan_folder(
    folder: Path, avoid: Path | None, depth: int, ignored: Ignored
) -> Iterator[FoundFile]:
    try:
        with os.scandir(folder) as entries:
            children = [(Path(entry.path), entry.stat(follow_symlinks=False)) for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        ignored(folder, f"it cannot be listed: {error.strerror}")
        return
    for path, status in children:
        if stat.S_ISDIR(status.st_mode):
            if depth and not path.name.startswith(".") and path != avoid:
                yield from _scan_folder(path, avoid, depth - 1, ignored)
            continue
        kind = kind_of(path.name)
        if kind is None:
            continue
        if stat.S_ISLNK(status.st_mode):
            ignored(path, "it is a symbolic link")
        elif not stat.S_ISREG(status.st_mode):
            ignored(path, "it is not a regular file")
        elif not _is_text(path):
            ignored(path, "its name is not UTF-8")
        else:
            yield FoundFile(path, kind, FileState.of(status))


def kind_of(name: str) -> FileKind | None:
    """What a file of this name is followed as; None for what is no bag's."""
    path = PurePath(name)
    suffix = path.suffix
    if suffix in SUFFIXES and path.stem.endswith(_STORAGE):
        return FileKind.PACKED
    if name == FILE_NAME:
        return FileKind.METADATA
    return {MCAP_SUFFIX: FileKind.MCAP, DATABASE_SUFFIX: FileKind.DATABASE}.get(suffix)


def _is_text(path: Path) -> bool:
    try:
        f"{path.parent.name}/{path.name}".encode()
    except UnicodeEncodeError:
        return False
    return True
