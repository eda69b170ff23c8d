"""What became of a channel since its file was last replaced: rows of a few bytes, appended.

``WALLET/channels/<channel id in hex>.payer.journal``, ``.payee.journal``, mode 0600::

    row      = progress || SHA256(before || progress)
    before   = the SHA-256 at the end of the row before; of the file, for the first row
    progress = u64be paid                        payer
               u64be earned || claim (64)        payee

A payment for each chunk of some gigabytes cannot wait for the disk each time. A row is
written before its claim leaves, or before its claim is answered, and synced with at most 15
others (`ledger.storage.paced_sync`). Killing the process loses nothing. A power cut takes 16
rows at most: a payer learns from the payee what it had paid (`PayerOpen.recover`), a payee is
shown its newest claim by the payer that wants to go on.

The hashes tie rows to each other and to the file: once that is replaced, older rows mean
nothing, wherever a crash left them.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, sync_folder
from ledger.storage.os_errors import storage_errors
from ledger.storage.paced_sync import PacedSync
from ledger.storage.positioned_write import write_at

JOURNAL_SUFFIX: Final = ".journal"
_DIGEST_SIZE: Final = 32


class ChannelJournal:
    """The journal beside one channel's file, which holds the lock."""

    def __init__(self, path: Path, progress_size: int) -> None:
        """``path`` is the channel's file. Nothing is opened yet."""
        self._path: Final = path.with_name(path.name + JOURNAL_SUFFIX)
        self._row_size: Final = progress_size + _DIGEST_SIZE
        self._descriptor = -1
        self._sync: PacedSync | None = None
        self._length = 0
        self._digest = b""

    def begin(self, digest: bytes) -> None:
        """Begin anew after a file that ends in ``digest``. Raises StorageError."""
        self._digest, self._length = digest, 0
        if self._descriptor >= 0:
            with storage_errors(self._path):
                os.ftruncate(self._descriptor, 0)

    def read(self, digest: bytes) -> bytes | None:
        """The progress of the last row that follows ``digest``; None where none does.

        What follows that row was torn by a crash, and is overwritten. Raises StorageError.
        """
        self._digest, self._length = digest, 0
        with storage_errors(self._path):
            data = self._path.read_bytes() if self._path.exists() else b""
        newest = None
        for start in range(0, len(data) - self._row_size + 1, self._row_size):
            end = start + self._row_size
            progress, found = data[start : end - _DIGEST_SIZE], data[end - _DIGEST_SIZE : end]
            if sha256(self._digest + progress).digest() != found:
                break
            newest, self._digest, self._length = progress, found, end
        return newest

    def append(self, progress: bytes) -> None:
        """Write a row. Raises StorageError, and then nothing was written."""
        descriptor, sync = self._open()
        digest = sha256(self._digest + progress).digest()
        write_at(descriptor, self._path, progress + digest, self._length)
        self._digest, self._length = digest, self._length + self._row_size
        sync.wrote()

    def flush(self) -> None:
        """Have every row on disk. Raises StorageError."""
        if self._sync is not None:
            self._sync.flush()

    def close(self) -> None:
        """`flush`, and close; a second call does nothing. Raises StorageError."""
        try:
            if self._sync is not None:
                self._sync.close()
        finally:
            self._sync = None
            if self._descriptor >= 0:
                os.close(self._descriptor)
                self._descriptor = -1

    def remove(self) -> None:
        """Close and unlink. Raises StorageError."""
        self.close()
        with storage_errors(self._path):
            self._path.unlink(missing_ok=True)

    def _open(self) -> tuple[int, PacedSync]:
        if self._sync is None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            with storage_errors(self._path):
                self._descriptor = os.open(self._path, flags, PRIVATE)
                os.fchmod(self._descriptor, PRIVATE)
                os.ftruncate(self._descriptor, self._length)
                sync_folder(self._path.parent)
            self._sync = PacedSync(self._path, [self._descriptor])
        return self._descriptor, self._sync
