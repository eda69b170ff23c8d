"""The buyer's folder of one purchase: whose crash costs nothing that was checked.

::

    FOLDER/            mode 0700
      purchase         "quipu-purchase/v1\\n" || grant (`Grant.encode`) || channel (32)
                       || X25519 key (32) || SHA256(all before); written once, mode 0600
      units            salt_i (32) || leaf_i (32) for each unit that was checked, in order
      content          the content as far as it came
      lock             one process at a time

A unit's chunk is written, then its row, and then the next unit is paid. Both files are synced
together after some units (`ledger.storage.paced_sync`): a power cut takes 16 at most, and
those are asked for again, for nothing. On opening, the chunks of the last 16 rows are hashed
again, so a row whose chunk did not reach the disk is dropped.

When all are there, the root over the leaves must be the content root once more, and `place`
gives the content its files.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from ledger.chain.leaf import ID_SIZE
from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError, RefusedError
from ledger.exchange.grant import GRANT_SIZE, Grant
from ledger.exchange.session import X25519_SIZE, new_agreement_key
from ledger.experience.content_root import (
    CHUNK_SIZE,
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
from ledger.storage.writer_lock import WriterLock

_MAGIC: Final = b"quipu-purchase/v1\n"
_ROW_SIZE: Final = SALT_SIZE + HASH_SIZE


class Purchase:
    """A purchase that is open in this process; `create` or `open` it, `close` it."""

    def __init__(
        self, folder: Path, grant: Grant, channel: bytes, agreement: bytes, lock: WriterLock
    ) -> None:
        self.folder: Final = folder
        self.grant: Final = grant
        self.channel: Final = channel
        """That pays, 32 bytes; nothing where units are free."""
        self.agreement: Final = agreement
        """The buyer's X25519 key, a secret."""
        self._lock: Final = lock
        self._content = self._units = -1
        self._sync: PacedSync | None = None
        self._kept = 0

    def __repr__(self) -> str:
        return f"Purchase({self.folder}, {self._kept} of {self.grant.count} units)"

    @classmethod
    def create(cls, folder: Path, grant: Grant, channel: bytes) -> Purchase:
        """Begin a purchase in a folder, durably.

        Raises RefusedError where one was begun, MalformedError, LockedError, StorageError.
        """
        if len(channel) != (ID_SIZE if grant.price else 0):
            raise MalformedError("a channel's id is 32 bytes, and none pays for what is free")
        make_private_folder(folder)
        lock = WriterLock(folder / "lock")
        try:
            path = folder / "purchase"
            if path.exists():
                raise RefusedError(f"a purchase was begun in {folder}", hint="take it up again")
            agreement = new_agreement_key()
            content = _MAGIC + grant.encode() + (channel or bytes(ID_SIZE)) + agreement
            with storage_errors(path):
                write_durably(path, content + sha256(content).digest(), mode=PRIVATE)
            purchase = cls(folder, grant, channel, agreement, lock)
            purchase._open_files()
        except BaseException:
            lock.release()
            raise
        return purchase

    @classmethod
    def open(cls, folder: Path) -> Purchase:
        """Take up a purchase where it was left.

        Raises NotFoundError, CorruptStoreError, LockedError, StorageError.
        """
        path = folder / "purchase"
        if not path.is_file():
            raise NotFoundError(f"no purchase was begun in {folder}")
        lock = WriterLock(folder / "lock")
        try:
            with storage_errors(path):
                grant, channel, agreement = _read(path, path.read_bytes())
            purchase = cls(folder, grant, channel, agreement, lock)
            purchase._open_files()
            purchase._look_again()
        except BaseException:
            lock.release()
            raise
        return purchase

    @property
    def kept(self) -> int:
        """Units that are here and were checked: 0 to ``kept - 1``."""
        return self._kept

    def keep(self, leaf: bytes, unit: bytes) -> None:
        """Keep the next unit, whose leaf was checked. Raises StorageError."""
        view, offset = memoryview(unit), self._kept * CHUNK_SIZE
        self._write(self._content, "content", view[SALT_SIZE:], offset)
        row = bytes(view[:SALT_SIZE]) + leaf
        self._write(self._units, "units", memoryview(row), self._kept * _ROW_SIZE)
        self._kept += 1
        if self._sync is not None:
            self._sync.wrote()

    def finish(self) -> None:
        """Have it all on disk, and check the root over all leaves once more.

        Raises RefusedError while units are missing, CorruptStoreError, StorageError.
        """
        if self._kept < self.grant.count:
            raise RefusedError(f"{self._kept} of {self.grant.count} units are here")
        if self._sync is not None:
            self._sync.flush()
        leaves = [row[SALT_SIZE:] for row in self._rows(0)]
        if content_root_of_leaves(leaves) != self.grant.content_root:
            raise CorruptStoreError(
                f"{self.folder / 'units'} was altered: its leaves have another root",
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
        if sum(size for _, size in files) != self.grant.content_size:
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
                        f"chunk {index} of {self.folder / 'content'} was altered",
                        hint="remove the folder and fetch the content again; it stays paid",
                    )
                placed.write_from(index * CHUNK_SIZE, chunk)
            placed.sync()
        with storage_errors(target):
            for folder in sorted({span.path.parent for span in spans} | {target}):
                sync_folder(folder)
        return tuple(span.path for span in spans)

    def close(self) -> None:
        """Have what was kept on disk, and let others in. Raises StorageError."""
        try:
            if self._sync is not None:
                self._sync.close()
        finally:
            self._sync = None
            for descriptor in (self._content, self._units):
                if descriptor >= 0:
                    os.close(descriptor)
            self._content = self._units = -1
            self._lock.release()

    def _open_files(self) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with storage_errors(self.folder):
            self._content = os.open(self.folder / "content", flags, PRIVATE)
            self._units = os.open(self.folder / "units", flags, PRIVATE)
            sync_folder(self.folder)
            size = os.fstat(self._units).st_size
        self._kept = min(size // _ROW_SIZE, self.grant.count)
        self._sync = PacedSync(self.folder, [self._content, self._units])

    def _look_again(self) -> None:
        """Drop rows from the first whose chunk is not what its leaf says."""
        first = max(0, self._kept - SYNC_LIMIT)
        for index, row in enumerate(self._rows(first), first):
            if chunk_leaf(row[:SALT_SIZE], self._chunk(index)) != row[SALT_SIZE:]:
                self._kept = index
                break

    def _rows(self, first: int) -> list[bytes]:
        with storage_errors(self.folder):
            data = os.pread(self._units, (self._kept - first) * _ROW_SIZE, first * _ROW_SIZE)
        return [data[start : start + _ROW_SIZE] for start in range(0, len(data), _ROW_SIZE)]

    def _chunk(self, index: int) -> bytes:
        with storage_errors(self.folder / "content"):
            length = chunk_length(index, self.grant.content_size)
            return os.pread(self._content, length, index * CHUNK_SIZE)

    def _write(self, descriptor: int, name: str, data: memoryview, offset: int) -> None:
        with storage_errors(self.folder / name):
            while data:
                written = os.pwrite(descriptor, data, offset)
                data, offset = data[written:], offset + written


def _read(path: Path, data: bytes) -> tuple[Grant, bytes, bytes]:
    content, digest = data[:-32], data[-32:]
    rest = content[len(_MAGIC) :]
    if (
        not content.startswith(_MAGIC)
        or len(rest) != GRANT_SIZE + ID_SIZE + X25519_SIZE
        or sha256(content).digest() != digest
    ):
        raise CorruptStoreError(f"{path} is damaged: its content is not what was written")
    try:
        grant = Grant.decode(rest[:GRANT_SIZE])
    except MalformedError as error:
        raise CorruptStoreError(f"{path} is damaged: {error.message}") from error
    channel = rest[GRANT_SIZE : GRANT_SIZE + ID_SIZE]
    return grant, channel if any(channel) else b"", rest[GRANT_SIZE + ID_SIZE :]
