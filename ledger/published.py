"""The newest checkpoint that left this robot, remembered outside the home.

A home restored from an old backup has forgotten what it published since, and would
sign another history. So the newest published note is kept where restoring a home
does not reach: in $QUIPU_PUBLISHED, or $XDG_STATE_HOME/quipu/published, or
~/.local/state/quipu/published::

    <log id, hex>.checkpoint   the note, replaced atomically and synced
    <log id, hex>.lock         flock held while a checkpoint is checked and replaced
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ledger.durable_file import write_durably
from ledger.storage.os_errors import storage_errors


def published_directory(environ: Mapping[str, str] = os.environ) -> Path:
    """Where published checkpoints are remembered, by the environment."""
    if chosen := environ.get("QUIPU_PUBLISHED"):
        return Path(chosen)
    if state := environ.get("XDG_STATE_HOME"):
        return Path(state) / "quipu" / "published"
    return Path.home() / ".local" / "state" / "quipu" / "published"


class PublishedCheckpoint:
    """The newest published checkpoint of one log. Raises StorageError and its kin."""

    def __init__(self, directory: Path, log_id: bytes) -> None:
        self.directory = directory
        self.path = directory / f"{log_id.hex()}.checkpoint"

    def latest(self) -> bytes | None:
        """The note, unverified, or None if none was published from this machine."""
        with storage_errors(self.path):
            try:
                return self.path.read_bytes()
            except FileNotFoundError:
                return None

    def publish(self, note: bytes) -> None:
        """Remember ``note`` as the newest; durable when this returns."""
        with storage_errors(self.path):
            self.directory.mkdir(parents=True, exist_ok=True)
            write_durably(self.path, note)

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """Keep other processes from publishing for this log meanwhile."""
        lock = self.path.with_suffix(".lock")
        with storage_errors(lock):
            self.directory.mkdir(parents=True, exist_ok=True)
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            with storage_errors(lock):
                fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)
