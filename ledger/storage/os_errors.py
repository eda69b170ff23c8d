"""Errors of the operating system, said in this package's words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.errors import ReadOnlyError, StorageError, StorageFullError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY = {errno.EROFS, errno.EACCES, errno.EPERM}


def storage_error(code: int, path: Path) -> StorageError:
    """The error for an ``errno`` met while reading or writing ``path``."""
    if code in _FULL:
        return StorageFullError(
            f"no space is left for {path}",
            hint="make room and try again; what was committed before is safe",
        )
    if code in _READ_ONLY:
        verb = "written" if code == errno.EROFS else "used"
        return ReadOnlyError(
            f"{path} cannot be {verb}: {os.strerror(code)}",
            hint="check the owner and mode of the directory, and whether it is mounted read-only",
        )
    if code == errno.ENOENT:
        return StorageError(f"{path} does not exist", hint="check the path, or create the log")
    return StorageError(f"{path}: {os.strerror(code)}", hint="check that path and its disk")


@contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Raise an OSError of the block as the StorageError for ``path``."""
    try:
        yield
    except OSError as error:
        raise storage_error(error.errno or errno.EIO, path) from error


def can_grow(path: Path, extra: int) -> bool:
    """Whether a file of this size plus ``extra`` bytes fits its file system and limits.

    LMDB reports a write cut short by a full disk as EIO. Only asking for space
    tells that from a failing disk, so this asks, in a sparse file beside it.
    """
    probe = path.with_name(path.name + ".probe")
    try:
        fd = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, path.stat().st_size, extra)
        finally:
            os.close(fd)
            probe.unlink()
    except OSError as error:
        return error.errno not in _FULL
    return True
