"""The right to write, held by one process at a time.

LMDB lets writers of several processes take turns. A log must not: its writer
holds the right edge of the tree in memory. So the writer holds ``flock`` on
``writer.lock``, in which it leaves its process id for whoever finds it taken.
The kernel drops the lock when the process dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ledger.errors import LockedError
from ledger.storage.os_errors import storage_errors

_LINE_BYTES = 12


class WriterLock:
    """An exclusive ``flock`` on a file, held from construction to `release`.

    Raises LockedError, naming the holder, if another process has it.
    """

    def __init__(self, path: Path) -> None:
        self._fd = -1
        with storage_errors(path):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
            os.close(fd)
            raise LockedError(
                f"process {holder} is writing to {path.parent}",
                hint="one process writes to a log; stop that one, or open for reading",
            ) from None
        self._fd = fd
        try:
            with storage_errors(path):
                # Overwritten before it is cut: on a full disk the room it has is enough.
                os.pwrite(fd, b"%-11d\n" % os.getpid(), 0)
                os.ftruncate(fd, _LINE_BYTES)
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next writer in; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
