"""Whether there is room to write, and whether the last write went well."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ledger.recording.segment import WriteFailedError
from ledger.recording.status import RecorderState

_logger = logging.getLogger(__name__)

_CHECK_S: Final = 1.0


class DiskRoom:
    """Looks at a file system now and then. One thread at a time; read by any.

    After a failed write nothing is written until the next look, a second later, finds
    at least ``min_free_bytes``.
    """

    def __init__(self, min_free_bytes: int, clock: Callable[[], float]) -> None:
        self.trouble: RecorderState | None = None
        """Why nothing can be written now; None if it can."""
        self.free_bytes = -1
        """-1 while nothing is watched."""
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._folder: Path | None = None
        self._checked_at = 0.0

    def watch(self, folder: Path) -> None:
        """Look at the file system of ``folder``, first of all at once."""
        if folder != self._folder:
            self._folder = folder
            self._checked_at = 0.0

    def check(self, now: float) -> None:
        """Look, if the last look was long enough ago."""
        if self._folder is None or now - self._checked_at < _CHECK_S:
            return
        self._checked_at = now
        try:
            facts = os.statvfs(self._folder)
        except OSError:
            return
        self.free_bytes = facts.f_bavail * facts.f_frsize
        if self.free_bytes < self._min_free_bytes:
            if self.trouble is None:
                _logger.error("the disk is full: messages are lost until there is room")
            self.trouble = RecorderState.DISK_FULL
        elif self.trouble is not None:
            _logger.warning("the disk has room: recording goes on")
            self.trouble = None

    def failed(self, error: WriteFailedError) -> None:
        """A write failed."""
        _logger.error("%s", error)
        self.trouble = RecorderState.DISK_FULL if error.full else RecorderState.DISK_FAILED
        self._checked_at = self._clock()
