"""Syncing a file that is written to again and again, beside the writing.

A sync takes a disk hundreds of microseconds to some milliseconds, far longer than what goes
into the file between two of them. `PacedSync` runs them in another thread, each begun as late
as the last one's length allows, and lets the writer wait only when ``limit`` writes are not yet
safe: so at no time does a power cut lose more than ``limit`` of them. A process that is killed
loses none: what was written is the kernel's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

from ledger.storage.os_errors import storage_errors

SYNC_LIMIT: Final = 16
"""Writes that a power cut may take."""

_SPARE: Final = 2
"""Writes by which a sync may take longer than the last one."""


class PacedSync:
    """Syncs the data of some open files, in the order given; it does not close them."""

    def __init__(self, path: Path, descriptors: Sequence[int], limit: int = SYNC_LIMIT) -> None:
        """``path`` is what errors name."""
        self._path: Final = path
        self._descriptors: Final = tuple(descriptors)
        self._limit: Final = limit
        self._pool: ThreadPoolExecutor | None = None
        self._running: Future[None] | None = None
        self._covered = 0
        self._unsafe = 0
        self._meanwhile = limit // 2
        """Writes during the last sync, as a first guess half of what there is room for."""

    def wrote(self) -> None:
        """Count one write that just went into the files. Raises StorageError of any sync."""
        self._unsafe += 1
        running = self._running
        if running is not None and (self._unsafe >= self._limit or running.done()):
            self._wait()
            self._meanwhile = self._unsafe
        if self._running is None and self._unsafe + self._meanwhile + _SPARE >= self._limit:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, thread_name_prefix="paced-sync")
            self._covered = self._unsafe
            self._running = self._pool.submit(self._sync)

    def flush(self) -> None:
        """Have all that was written on disk. Raises StorageError."""
        self._wait()
        if self._unsafe:
            self._sync()
            self._unsafe = 0

    def close(self) -> None:
        """`flush`, and end the thread. Raises StorageError."""
        try:
            self.flush()
        finally:
            if self._pool is not None:
                self._pool.shutdown()
                self._pool = None

    def _wait(self) -> None:
        running, self._running = self._running, None
        if running is not None:
            running.result()
            self._unsafe -= self._covered

    def _sync(self) -> None:
        with storage_errors(self._path):
            for descriptor in self._descriptors:
                os.fdatasync(descriptor)
