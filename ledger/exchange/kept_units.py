"""Units that were checked, on a buyer's disk, until the content gets its files.

::

    FOLDER/
      units            salt_i (32) || leaf_i (32) for each unit that was checked, in order
      content          the content as far as it came

A unit's chunk is written, then its row. Both files are synced together after some units
(`ledger.storage.paced_sync`): a power cut takes 16 at most. On opening, the chunks of the last
16 rows are hashed again, so a row whose chunk did not reach the disk is dropped.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, sync_folder
from ledger.errors import CorruptStoreError, MalformedError, RefusedError
from ledger.experience.content_root import (
    CHUNK_SIZE,
    chunk_count,
    chunk_leaf,
    chunk_length,
    content_root_of_leaves,
)
from ledger.experience.disclosure import SALT_SIZE
from ledger.experience.fields import require_file_name, require_file_tree
from ledger.experience.file_span import SpanFile, WriteSpan
from ledger.experience.private_folder import make_private_folder
from ledger.merkle.hashing import HASH_SIZE
from ledger.storage.os_errors import storage_errors
from ledger.storage.paced_sync import SYNC_LIMIT, PacedSync
from ledger.storage.positioned_write import write_at

_ROW_SIZE: Final = SALT_SIZE + HASH_SIZE


class KeptUnits:
    """The units of one content in a folder that is locked for this process."""

    def __init__(self, folder: Path, content_root: bytes, content_size: int) -> None:
        """Take up what is there; ``content_size`` is in bytes. Raises StorageError."""
        self._folder: Final = folder
        self._content_path: Final = folder / "content"
        self._units_path: Final = folder / "units"
        self._root: Final = content_root
        self._size: Final = content_size
        self._content = self._units = -1
        try:
            self._kept = self._open_files()
            self._look_again()
        except BaseException:
            self._close_files()
            raise
        self._sync: PacedSync | None = PacedSync(folder, [self._content, self._units])

    @property
    def kept(self) -> int:
        """Units that are here and were checked: 0 to ``kept - 1``."""
        return self._kept

    @property
    def count(self) -> int:
        """Units of the whole content."""
        return chunk_count(self._size)

    def keep(self, leaf: bytes, unit: bytes | memoryview) -> None:
        """Keep the next unit, whose leaf was checked. Raises StorageError."""
        kept, view = self._kept, memoryview(unit)
        chunk, row = view[SALT_SIZE:], bytes(view[:SALT_SIZE]) + leaf
        write_at(self._content, self._content_path, chunk, kept * CHUNK_SIZE)
        write_at(self._units, self._units_path, row, kept * _ROW_SIZE)
        self._kept = kept + 1
        if self._sync is not None:
            self._sync.wrote()

    def finish(self) -> None:
        """Have it all on disk, and check the root over all leaves once more.

        Raises RefusedError while units are missing, CorruptStoreError, StorageError.
        """
        if self._kept < self.count:
            raise RefusedError(f"{self._kept} of {self.count} units are here")
        if self._sync is not None:
            self._sync.flush()
        leaves = [row[SALT_SIZE:] for row in self._rows(0)]
        if content_root_of_leaves(leaves) != self._root:
            raise CorruptStoreError(
                f"{self._units_path} was altered: its leaves have another root",
                hint="remove the folder and fetch the content again; what is paid stays paid",
            )

    def place(self, target: Path, files: Sequence[tuple[str, int]]) -> tuple[Path, ...]:
        """Give a finished content its files, in order, as its log entry lists them.

        ``files`` are names and sizes in bytes, in a new folder ``target``; the content stays
        here too. Every chunk is checked again on the way. Raises MalformedError for files
        that are not this content's, RefusedError, CorruptStoreError, StorageError.
        """
        self.finish()
        names = [name for name, _ in files]
        for name in names:
            require_file_name(name, "file name")
        require_file_tree(names)
        if sum(size for _, size in files) != self._size:
            raise MalformedError("the files are not of the content's size")
        spans = [SpanFile(target / name, size) for name, size in files]
        if target.exists():
            raise RefusedError(f"{target} is there already", hint="choose another place")
        for folder in [target, *(span.path.parent for span in spans)]:
            make_private_folder(folder)
        with WriteSpan(spans, RefusedError, mode=PRIVATE) as placed:
            for index, row in enumerate(self._rows(0)):
                chunk = self._chunk(index)
                if chunk_leaf(row[:SALT_SIZE], chunk) != row[SALT_SIZE:]:
                    raise CorruptStoreError(
                        f"chunk {index} of {self._content_path} was altered",
                        hint="remove the folder and fetch the content again; it stays paid",
                    )
                placed.write_from(index * CHUNK_SIZE, chunk)
            placed.sync()
        with storage_errors(target):
            for folder in sorted({span.path.parent for span in spans} | {target}):
                sync_folder(folder)
        return tuple(span.path for span in spans)

    def close(self) -> None:
        """Have what was kept on disk. Raises StorageError."""
        try:
            if self._sync is not None:
                self._sync.close()
        finally:
            self._sync = None
            self._close_files()

    def _open_files(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with storage_errors(self._folder):
            self._content = os.open(self._content_path, flags, PRIVATE)
            self._units = os.open(self._units_path, flags, PRIVATE)
            sync_folder(self._folder)
            size = os.fstat(self._units).st_size
        return min(size // _ROW_SIZE, self.count)

    def _close_files(self) -> None:
        for descriptor in (self._content, self._units):
            if descriptor >= 0:
                os.close(descriptor)
        self._content = self._units = -1

    def _look_again(self) -> None:
        """Drop rows from the first whose chunk is not what its leaf says."""
        first = max(0, self._kept - SYNC_LIMIT)
        for index, row in enumerate(self._rows(first), first):
            if chunk_leaf(row[:SALT_SIZE], self._chunk(index)) != row[SALT_SIZE:]:
                self._kept = index
                break

    def _rows(self, first: int) -> list[bytes]:
        with storage_errors(self._folder):
            data = os.pread(self._units, (self._kept - first) * _ROW_SIZE, first * _ROW_SIZE)
        return [data[start : start + _ROW_SIZE] for start in range(0, len(data), _ROW_SIZE)]

    def _chunk(self, index: int) -> bytes:
        with storage_errors(self._content_path):
            length = chunk_length(index, self._size)
            return os.pread(self._content, length, index * CHUNK_SIZE)
