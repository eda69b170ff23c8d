"""A file that somebody else writes, held open for reading.

It is reached through its folder's descriptor and without following links, so that what
was looked at is what is read. What is held open can be read to its end even after it
was deleted.

`WatchedFile.sync` has what was read reach the disk: ``fdatasync`` writes back all of a
file's pages that are in the system's hands, whoever wrote them, and needs no right to
write. What the writer still has in buffers of its own is not in the file yet, and was
not read either.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from ledger.errors import RecordingError
from ledger.experience.growing_content import GrowingContent
from ledger.follow.writer_presence import WriterPresence, writer_presence

_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
_FOLDER_FLAGS: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_DIRECTORY
PIECE_BYTES: Final = 1 << 19


@dataclass(frozen=True, slots=True)
class FileState:
    """Which file it is, and how it was when it was looked at."""

    device: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result) -> FileState:
        """What a ``stat`` says."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def is_same_file(self, other: FileState) -> bool:
        """Whether both are of one file, however it has grown."""
        return (self.device, self.inode) == (other.device, other.inode)


class WatchedFile:
    """One file, open for reading. Raises OSError where the system does."""

    def __init__(self, path: Path) -> None:
        """Open ``path``. Raises `RecordingError` for what is no regular file."""
        self.path = path
        folder = os.open(path.parent, _FOLDER_FLAGS)
        try:
            self._descriptor = os.open(path.name, _FLAGS, dir_fd=folder)
        finally:
            os.close(folder)
        self._buffer = bytearray(PIECE_BYTES)
        status = os.fstat(self._descriptor)
        if not stat.S_ISREG(status.st_mode):
            self.close()
            raise RecordingError(f"{path} is not a regular file")

    def state(self) -> FileState:
        """How the file is now."""
        return FileState.of(os.fstat(self._descriptor))

    def read_at(self, offset: int, view: memoryview) -> int:
        """Read into ``view``; how many bytes, 0 at the end."""
        return os.preadv(self._descriptor, [view], offset)

    def feed(self, content: GrowingContent, stop: int) -> int:
        """Hash one piece of what follows ``content``, up to ``stop``; how many bytes."""
        wanted = min(PIECE_BYTES, stop - content.length)
        with memoryview(self._buffer) as buffer, buffer[:wanted] as view:
            count = self.read_at(content.length, view)
            with view[:count] as piece:
                content.update(piece)
        return count

    def sync(self) -> None:
        """Have what is in the file on disk."""
        os.fdatasync(self._descriptor)

    def sync_name(self) -> None:
        """Have the file's name on disk."""
        folder = os.open(self.path.parent, _FOLDER_FLAGS)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def presence(self) -> WriterPresence:
        """Whether somebody still has it open for writing."""
        return writer_presence(self._descriptor)

    def stream(self) -> BinaryIO:
        """The file from its start, to be read apart from `read_at`."""
        return os.fdopen(os.dup(self._descriptor), "rb")

    def close(self) -> None:
        """Close it; a second call does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
