"""The robot's store: LMDB, one durable transaction a write.

A store is a directory::

    data.mdb     the tables (LMDB)
    lock.mdb     LMDB's table of readers
    writer.lock  held by the one writer, with its process id in it

Which tables there are, and what META's ``format`` says, depends on what the store is
for (`ledger.storage.store_kind`).

LMDB runs with ``sync`` and ``metasync`` on and ``writemap`` off (a full disk under
a writable map is a SIGBUS). The map starts small and grows: a transaction that
does not fit is aborted, the map doubled (by at most 1 GiB a step), and the work
run again. LMDB never notices bit rot, and reads past the end of a file that was
cut short kill the process; so the file's length is checked on opening. Free pages
at its end may be missing, and nothing else.

Within one process a directory can be open once: threads share one `LmdbStorage`.
An open store does not survive ``fork``.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Final, TypeVar

import lmdb

from ledger.durable_file import sync_folder
from ledger.errors import (
    CorruptStoreError,
    FormatVersionError,
    LedgerError,
    ReadOnlyError,
    RefusedError,
    StorageError,
)
from ledger.storage import Table, WriteTransaction
from ledger.storage.lmdb_pages import verify_pages
from ledger.storage.os_errors import can_grow, storage_error, storage_errors
from ledger.storage.store_kind import FORMAT_KEY, StoreKind
from ledger.storage.turnstile import Turnstile
from ledger.storage.writer_lock import WriterLock

T = TypeVar("T")

FIRST_MAP_BYTES: Final = 16 << 20
MAP_STEP_BYTES: Final = 1 << 30
_MAX_READERS: Final = 510
_PROBE_BYTES: Final = 1 << 20
_LENGTH_TRIES: Final = 4
_LENGTH_WAIT_S: Final = 0.005
"""A writer at work that has freed the last pages covers them in less than that."""
_ADDED_TABLES: Final = {Table.PROGRESS, Table.PROVENANCE}  # older stores have none of them


class _LmdbTransaction:
    """One LMDB transaction. What its writes raise is translated where it ends."""

    __slots__ = ("_cursors", "_databases", "_storage", "_txn", "deleted")

    def __init__(self, storage: LmdbStorage, txn: lmdb.Transaction[bytes]) -> None:
        self._storage = storage
        self._txn = txn
        self._databases = storage._databases
        self._cursors: dict[Table, lmdb.Cursor[bytes]] = {}
        self.deleted = False

    def get(self, table: Table, key: bytes) -> bytes | None:
        try:
            return self._txn.get(key, None, self._databases[table])
        except lmdb.Error as error:
            raise self._storage._translate(error) from error

    def scan(
        self, table: Table, start: bytes = b"", stop: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        try:
            with self._txn.cursor(self._databases[table]) as cursor:
                if not (cursor.set_range(start) if start else cursor.first()):
                    return
                for key, value in cursor.iternext():
                    if stop is not None and key >= stop:
                        return
                    yield key, value
        except lmdb.Error as error:
            raise self._storage._translate(error) from error

    def take(self, table: Table, start: bytes, count: int) -> list[tuple[bytes, bytes]]:
        try:
            cursor = self._cursors.get(table)
            if cursor is None:
                cursor = self._cursors[table] = self._txn.cursor(self._databases[table])
            return list(islice(cursor, count)) if cursor.set_range(start) else []
        except lmdb.Error as error:
            raise self._storage._translate(error) from error

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        try:
            with self._txn.cursor(self._databases[table]) as cursor:
                return cursor.item() if cursor.last() else None
        except lmdb.Error as error:
            raise self._storage._translate(error) from error

    def count(self, table: Table) -> int:
        try:
            return self._txn.stat(self._databases[table])["entries"]
        except lmdb.Error as error:
            raise self._storage._translate(error) from error

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        self._txn.put(key, value, db=self._databases[table])

    def put_many(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        with self._txn.cursor(self._databases[table]) as cursor:
            cursor.putmulti(rows)

    def append_many(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        with self._txn.cursor(self._databases[table]) as cursor:
            consumed, added = cursor.putmulti(rows, append=True)
        if added != consumed:
            raise StorageError(f"rows appended to {table.name} are out of key order")

    def delete(self, table: Table, key: bytes) -> bool:
        self.deleted = True
        return self._txn.delete(key, db=self._databases[table])


class _Snapshot:
    """The ``with`` block of one read transaction."""

    __slots__ = ("_storage", "_txn")

    def __init__(self, storage: LmdbStorage) -> None:
        self._storage = storage

    def __enter__(self) -> _LmdbTransaction:
        self._txn = self._storage._begin_read()
        return _LmdbTransaction(self._storage, self._txn)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._txn.abort()
        self._storage._turnstile.leave()
        if isinstance(error, lmdb.Error):
            raise self._storage._translate(error) from error


class LmdbStorage:
    """`Storage` in a directory. Use `create`, `open_writer` or `open_reader`."""

    def __init__(
        self, path: Path, env: lmdb.Environment, lock: WriterLock | None, kind: StoreKind
    ) -> None:
        self.path = path
        self.kind = kind
        self._env = env
        self._lock = lock
        self._turnstile = Turnstile()
        self._databases: dict[Table, lmdb._Database] = {}
        self._data_fd = -1

    @classmethod
    def create(cls, path: Path, kind: StoreKind = StoreKind.LOG) -> LmdbStorage:
        """Make an empty store and open it for writing.

        It appears under its name whole or not at all. Raises RefusedError if
        something is there, ReadOnlyError or StorageFullError if it cannot be made.
        """
        if path.is_dir() and any(path.iterdir()):
            raise RefusedError(
                f"{path} is not empty", hint="open the log that is there, or choose another place"
            )
        new = path.with_name(path.name + ".new")
        with storage_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            if new.exists():
                shutil.rmtree(new)
            new.mkdir()
        store = cls._open(new, WriterLock(new / "writer.lock"), kind, create=True)
        try:
            store.write(lambda transaction: transaction.put(Table.META, FORMAT_KEY, kind.format))
        finally:
            store.close()
        with storage_errors(path):
            sync_folder(new)
            new.replace(path)
            sync_folder(path.parent)
        return cls.open_writer(path, kind)

    @classmethod
    def open_writer(cls, path: Path, kind: StoreKind = StoreKind.LOG) -> LmdbStorage:
        """Open a store for writing, and clear out readers that died.

        Raises LockedError, ReadOnlyError, FormatVersionError, CorruptStoreError,
        or StorageError if there is none.
        """
        _check_data_file(path)
        return cls._open(path, WriterLock(path / "writer.lock"), kind, create=False)

    @classmethod
    def open_reader(cls, path: Path, kind: StoreKind = StoreKind.LOG) -> LmdbStorage:
        """Open a store for reading, beside a writer and other readers.

        Where the reader may not write LMDB's table of readers it goes without,
        and a writer at work meanwhile may then change pages under it. Raises
        as `open_writer` does, LockedError and ReadOnlyError excepted.
        """
        _check_data_file(path)
        return cls._open(path, None, kind, create=False)

    @classmethod
    def _open(
        cls, path: Path, lock: WriterLock | None, kind: StoreKind, *, create: bool
    ) -> LmdbStorage:
        try:
            store = cls(path, _environment(path, writer=lock is not None), lock, kind)
        except BaseException:
            if lock:
                lock.release()
            raise
        try:
            store._check_length()
            store._open_tables(create=create)
            if lock:
                store._env.reader_check()
                store._data_fd = os.open(path / "data.mdb", os.O_RDWR | os.O_CLOEXEC)
                store._cover_tree()
        except lmdb.Error as error:
            store.close()
            raise store._translate(error) from error
        except BaseException:
            store.close()
            raise
        return store

    def read(self) -> _Snapshot:
        """Open a snapshot for the length of a ``with`` block."""
        return _Snapshot(self)

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """Run ``work`` in a transaction; durable when this returns.

        Raises StorageFullError or another StorageError, with nothing kept.
        """
        if self._lock is None:
            raise ReadOnlyError(f"{self.path} is open for reading only")
        self._turnstile.start_writing()
        try:
            while True:
                try:
                    with self._env.begin(write=True) as txn:
                        transaction = _LmdbTransaction(self, txn)
                        result = work(transaction)
                    if transaction.deleted:
                        self._cover_tree()
                except lmdb.MapFullError:
                    self._grow_map()
                except lmdb.Error as error:
                    raise self._translate(error) from error
                else:
                    return result
        finally:
            self._turnstile.stop_writing()

    def close(self) -> None:
        """Close the store and release the writer's lock; a second call does nothing."""
        self._env.close()
        if self._data_fd >= 0:
            os.close(self._data_fd)
            self._data_fd = -1
        if self._lock:
            self._lock.release()

    def map_bytes(self) -> int:
        """The size of the map now, in bytes."""
        return self._env.info()["map_size"]

    def _begin_read(self) -> lmdb.Transaction[bytes]:
        self._turnstile.enter()
        try:
            while True:
                try:
                    return self._env.begin()
                except lmdb.MapResizedError:
                    # Another process grew the file; 0 adopts its size.
                    with self._turnstile.alone():
                        self._env.set_mapsize(0)
        except lmdb.Error as error:
            self._turnstile.leave()
            raise self._translate(error) from error
        except BaseException:
            self._turnstile.leave()
            raise

    def _grow_map(self) -> None:
        size = self.map_bytes()
        with self._turnstile.alone():
            try:
                self._env.set_mapsize(size + min(size, MAP_STEP_BYTES))
            except lmdb.Error as error:
                raise self._translate(error) from error

    def _tree_bytes(self) -> int:
        """How long data.mdb must be to hold every page its tree may name."""
        return (self._env.info()["last_pgno"] + 1) * self._env.stat()["psize"]

    def _check_length(self) -> None:
        data = self.path / "data.mdb"
        for _ in range(_LENGTH_TRIES):
            needed, found = self._tree_bytes(), data.stat().st_size
            if found >= needed:
                return
            time.sleep(_LENGTH_WAIT_S)
        # Free pages at the end may be missing: a writer was killed, or lost its power,
        # before they were covered. A page in use that is missing is told of here.
        if verify_pages(self.path):
            raise CorruptStoreError(
                f"{data} was cut short: {found} bytes of {needed}",
                hint="restore the log from a backup or from a peer, then catch up",
            )

    def _cover_tree(self) -> None:
        # LMDB does not write pages freed by the transaction that allocated them; were
        # they the last of the file, `_check_length` would have to look at all others. Only
        # deletions free such pages. (Asking costs 0.1 ms, too much for every write.)
        needed = self._tree_bytes()
        if self._data_fd >= 0 and os.fstat(self._data_fd).st_size < needed:
            with storage_errors(self.path):
                os.ftruncate(self._data_fd, needed)

    def _open_tables(self, *, create: bool) -> None:
        try:
            meta = self._env.open_db(Table.META.value, create=create)
            if not create:
                with self._env.begin(db=meta) as txn:
                    self.kind.check_format(txn.get(FORMAT_KEY, b""), self.path)
            for table in self.kind.tables:
                self._databases[table] = self._open_table(table, create=create)
        except (lmdb.NotFoundError, lmdb.IncompatibleError, lmdb.ReadonlyError) as error:
            raise self.kind.foreign(self.path) from error

    def _open_table(self, table: Table, *, create: bool) -> lmdb._Database:
        add = table in _ADDED_TABLES and self._lock is not None
        try:
            return self._env.open_db(table.value, create=create or add)
        except lmdb.NotFoundError:
            if table not in _ADDED_TABLES:
                raise
            raise FormatVersionError(
                f"{self.path} was made by an older version",
                hint="open it once to write, and it is brought up to date: quipu doctor",
            ) from None

    def _translate(self, error: lmdb.Error) -> LedgerError:
        data = self.path / "data.mdb"
        if isinstance(error, lmdb.BadValsizeError):
            return StorageError("a key that is empty or longer than 511 bytes")
        if isinstance(error, lmdb.ReadersFullError):
            return StorageError(
                f"{self.path} has {_MAX_READERS} readers already", hint="close some of them"
            )
        code = getattr(error, "code", 0)
        if code == errno.EIO and self._data_fd >= 0 and not can_grow(data, _PROBE_BYTES):
            # Give back what the aborted transaction had taken of the last space.
            os.ftruncate(self._data_fd, self._tree_bytes())
            code = errno.ENOSPC
        return _error_for(error, code, self.path)


def _error_for(error: lmdb.Error, code: int, path: Path) -> StorageError:
    if isinstance(error, lmdb.VersionMismatchError):
        return FormatVersionError(
            f"{path} was written by another version of LMDB", hint="install a newer lmdb"
        )
    if isinstance(error, (lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError)):
        return CorruptStoreError(
            f"{path} is damaged or no LMDB database: {error}",
            hint="restore the log from a backup or from a peer, then catch up",
        )
    if code > 0:
        return storage_error(code, path)
    return StorageError(f"{path}: {error}")


def _check_data_file(path: Path) -> None:
    # LMDB would turn a missing or empty file into a new database.
    data = path / "data.mdb"
    with storage_errors(data):
        size = data.stat().st_size
    if not size:
        raise CorruptStoreError(
            f"{data} is empty",
            hint="restore the log from a backup or from a peer, then catch up",
        )


def _environment(path: Path, *, writer: bool) -> lmdb.Environment:
    def environment(*, lock: bool) -> lmdb.Environment:
        return lmdb.open(
            str(path),
            map_size=FIRST_MAP_BYTES,
            readonly=not writer,
            metasync=True,
            sync=True,
            writemap=False,
            create=False,
            max_dbs=len(Table),
            max_readers=_MAX_READERS,
            max_spare_txns=1,
            lock=lock,
        )

    try:
        try:
            return environment(lock=True)
        except lmdb.Error as error:
            if writer or getattr(error, "code", 0) not in (errno.EACCES, errno.EROFS):
                raise
            return environment(lock=False)
    except lmdb.Error as error:
        raise _error_for(error, getattr(error, "code", 0), path) from error
