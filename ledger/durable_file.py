"""Files that are either the old one or the new one, whole and on disk.

A file is written beside its place, synced, renamed over it, and the folder is
synced: after a power cut there is one or the other, never a part
(``rename(2)``; the folder's sync is what makes the name last).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from glob import escape
from pathlib import Path

PRIVATE = 0o600
"""Mode of a file with secrets."""


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` durable. Raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_durably(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replace ``path`` by ``data``, atomically and synced, with exactly ``mode``.

    Raises ``OSError``; the old file is then still there.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, mode)
    try:
        try:
            os.fchmod(descriptor, mode)  # whatever the umask
            view = memoryview(data)
            while view:
                view = view[os.write(descriptor, view) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        beside.rename(path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def unfinished_writes(path: Path) -> Iterator[Path]:
    """What processes have left beside ``path`` that died, or still are, in `write_durably`."""
    return path.parent.glob(f".{escape(path.name)}.*.new")
