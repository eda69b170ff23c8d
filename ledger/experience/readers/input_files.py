"""Which bytes an input path stands for: regular files only, in a stated order.

Symbolic links are refused, not followed: a loop of links cannot hang a reader,
and a link cannot smuggle a file of another folder into a recording. Only the
input path itself may be a link; it is resolved first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ledger.errors import RecordingError
from ledger.experience.readers.recording import RecordingFile

LINK_HINT = "copy the recording with its links resolved (cp -rL) and ingest the copy"


def resolve_input(path: Path) -> Path:
    """The absolute path of an input that exists.

    Raises `RecordingError` when there is nothing, or only a loop of links.
    """
    try:
        return path.resolve(strict=True)
    except FileNotFoundError as error:
        raise RecordingError(
            f"there is nothing at {path}", hint="check the path of the recording"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise RecordingError(
            f"{path} cannot be resolved: {reason(error).lower()}",
            hint="check the path for loops of links and for permissions",
        ) from error


def recording_file(root: Path, name: str) -> RecordingFile:
    """The regular file ``root/name``.

    Raises `RecordingError` when it is missing, a link, a device, a pipe or a socket.
    """
    path = root / name
    try:
        status = path.lstat()
    except FileNotFoundError as error:
        raise RecordingError(
            f"{path} is missing", hint="the recording is incomplete; find the file or re-index"
        ) from error
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    _check_regular(path, status.st_mode)
    return RecordingFile(name=name, path=path, size=status.st_size)


def list_files(root: Path, *, hidden_folders: bool = True) -> list[RecordingFile]:
    """Every regular file under ``root``, sorted by the bytes of its relative path.

    Empty folders are not listed, and folders directly under ``root`` whose name
    starts with a dot only with ``hidden_folders``. Raises `RecordingError` for a link, a device, a
    pipe, a socket, or a folder that cannot be read.
    """
    found: list[RecordingFile] = []
    folders = [root]
    while folders:
        folder = folders.pop()
        try:
            with os.scandir(folder) as entries:
                children = [
                    (Path(entry.path), entry.stat(follow_symlinks=False)) for entry in entries
                ]
        except OSError as error:
            raise unreadable(folder, error) from error
        for path, status in children:
            if stat.S_ISDIR(status.st_mode):
                if hidden_folders or folder != root or not path.name.startswith("."):
                    folders.append(path)
                continue
            _check_regular(path, status.st_mode)
            name = path.relative_to(root).as_posix()
            found.append(RecordingFile(name=name, path=path, size=status.st_size))
    return sorted(found, key=lambda file: os.fsencode(file.name))


@contextmanager
def open_input(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading; an `OSError` on the way becomes a `RecordingError`."""
    try:
        with path.open("rb") as stream:
            yield stream
    except OSError as error:
        raise unreadable(path, error) from error


def read_small_file(path: Path, limit: int) -> bytes:
    """All bytes of a metadata file of at most ``limit`` bytes, else `RecordingError`."""
    with open_input(path) as stream:
        content = stream.read(limit + 1)
    if len(content) > limit:
        raise RecordingError(
            f"{path} is larger than {limit} bytes", hint="ingest with --opaque to keep it as it is"
        )
    return content


def unreadable(path: Path, error: Exception) -> RecordingError:
    """The error for a path that the operating system will not let us read."""
    return RecordingError(
        f"{path} cannot be read: {reason(error).lower()}", hint="check the permissions and the disk"
    )


def _check_regular(path: Path, mode: int) -> None:
    if stat.S_ISLNK(mode):
        raise RecordingError(f"{path} is a symbolic link, which is not followed", hint=LINK_HINT)
    if not stat.S_ISREG(mode):
        raise RecordingError(
            f"{path} is not a regular file", hint="devices, pipes and sockets hold no recording"
        )


def reason(error: Exception) -> str:
    """What another library says went wrong, on one line of bounded length."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(text.split())[:200]
