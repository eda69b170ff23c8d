"""Syncing a file that is written to again and again, beside the writing.

A sync takes a disk hundreds of microseconds to some milliseconds, far longer than what goes
into the file between two of them. `PacedSync` runs them in another thread, each begun as late
as the last one's length allows, and lets the writer wait only when ``limit`` writes are not yet
safe: so at no time does a power cut lose more than ``limit`` of them. A process that is killed
loses none: what was written is the kernel's.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

from ledger.storage.os_errors import storage_error

SYNC_LIMIT: Final = 16
"""Writes that a power cut may take."""

_SPARE: Final = 2
"""Writes by which a sync may take longer than the last one."""


class PacedSync:
    """Syncs the data of some open files, in the order given; it does not close them."""

    def __init__(self, path: Path, descriptors: Sequence[int], limit: int = SYNC_LIMIT) -> None:
        """``path`` is what errors name."""
        self._files: Final = _Files(path, descriptors)
        self._limit: Final = limit
        self._beside: _Beside | None = None
        self._is_running = False
        self._covered = 0
        self._unsafe = 0
        self._meanwhile = limit // 2
        """Writes during the last sync, as a first guess half of what there is room for."""

    def wrote(self) -> None:
        """Count one write that just went into the files. Raises StorageError of any sync."""
        self._unsafe += 1
        beside = self._beside
        if self._is_running and beside is not None:
            if self._unsafe < self._limit and not beside.is_done:
                return
            self._wait()
            self._meanwhile = self._unsafe
        if self._unsafe + self._meanwhile + _SPARE >= self._limit:
            if beside is None:
                beside = self._beside = _Beside(self._files.sync)
                # Whoever forgets to close leaves no thread behind.
                weakref.finalize(self, beside.stop)
            self._covered, self._is_running = self._unsafe, True
            beside.begin()

    def flush(self) -> None:
        """Have all that was written on disk. Raises StorageError."""
        self._wait()
        if self._unsafe:
            self._files.sync()
            self._unsafe = 0

    def close(self) -> None:
        """`flush`, and end the thread. Raises StorageError."""
        try:
            self.flush()
        finally:
            if self._beside is not None:
                self._beside.end()
                self._beside = None

    def _wait(self) -> None:
        if self._is_running and self._beside is not None:
            self._is_running = False
            self._beside.wait()
            self._unsafe -= self._covered


class _Files:
    def __init__(self, path: Path, descriptors: Sequence[int]) -> None:
        self._path: Final = path
        self._descriptors: Final = tuple(descriptors)

    def sync(self) -> None:
        try:
            for descriptor in self._descriptors:
                os.fdatasync(descriptor)
        except OSError as error:
            raise storage_error(error.errno or errno.EIO, self._path) from error


class _Beside:
    """A thread that does its work once for each `begin`, and `wait` for that before another.

    An executor would do; its futures and their conditions cost a writer as much as the write.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work: Final = work
        self._orders: Final[SimpleQueue[bool]] = SimpleQueue()
        self._busy: Final = Lock()
        self._error: Exception | None = None
        self._thread: Final = Thread(target=self._run, name="paced-sync", daemon=True)
        self._thread.start()

    @property
    def is_done(self) -> bool:
        return not self._busy.locked()

    def begin(self) -> None:
        self._busy.acquire()
        self._orders.put(True)

    def wait(self) -> None:
        """Raises what the work raised."""
        with self._busy:
            error, self._error = self._error, None
        if error is not None:
            raise error

    def stop(self) -> None:
        self._orders.put(False)

    def end(self) -> None:
        self.stop()
        self._thread.join()

    def _run(self) -> None:
        while self._orders.get():
            try:
                self._work()
            except Exception as error:  # noqa: BLE001 - whoever waits must be told of it
                self._error = error
            finally:
                self._busy.release()
