"""A store in memory, for tests and for logs that need not outlive their process."""

from __future__ import annotations

import threading
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from ledger.errors import StorageError
from ledger.storage import MAX_KEY_BYTES, Table, WriteTransaction

T = TypeVar("T")


class _Rows:
    """One table: values by key, and the keys in order. Never changed once committed."""

    __slots__ = ("keys", "values")

    def __init__(self, values: dict[bytes, bytes], keys: list[bytes]) -> None:
        self.values = values
        self.keys = keys

    def copy(self) -> _Rows:
        return _Rows(self.values.copy(), self.keys.copy())


class _MemoryRead:
    """A snapshot: the tables as they were committed when it opened."""

    def __init__(self, tables: Mapping[Table, _Rows]) -> None:
        self._tables = dict(tables)
        self._open = True

    def _rows(self, table: Table) -> _Rows:
        if not self._open:
            raise StorageError("the transaction is over")
        return self._tables[table]

    def get(self, table: Table, key: bytes) -> bytes | None:
        _check_key(key)
        return self._rows(table).values.get(key)

    def scan(
        self, table: Table, start: bytes = b"", stop: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        keys = self._rows(table).keys
        end = len(keys) if stop is None else bisect_left(keys, stop)
        for key in keys[bisect_left(keys, start) : end]:
            yield key, self._rows(table).values[key]

    def take(self, table: Table, start: bytes, count: int) -> list[tuple[bytes, bytes]]:
        rows = self._rows(table)
        at = bisect_left(rows.keys, start)
        return [(key, rows.values[key]) for key in rows.keys[at : at + count]]

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        rows = self._rows(table)
        return (rows.keys[-1], rows.values[rows.keys[-1]]) if rows.keys else None

    def count(self, table: Table) -> int:
        return len(self._rows(table).keys)

    def end(self) -> None:
        self._open = False


class _MemoryWrite(_MemoryRead):
    """Copies a table the first time it changes it."""

    def __init__(self, tables: Mapping[Table, _Rows]) -> None:
        super().__init__(tables)
        self._copied: set[Table] = set()

    def _own(self, table: Table) -> _Rows:
        rows = self._rows(table)
        if table not in self._copied:
            rows = self._tables[table] = rows.copy()
            self._copied.add(table)
        return rows

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        _check_key(key)
        rows = self._own(table)
        if key not in rows.values:
            insort(rows.keys, bytes(key))
        rows.values[bytes(key)] = bytes(value)

    def put_many(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in rows:
            self.put(table, key, value)

    def append_many(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in rows:
            last = self.last(table)
            if last is not None and key <= last[0]:
                raise StorageError(f"rows appended to {table.name} are out of key order")
            self.put(table, key, value)

    def delete(self, table: Table, key: bytes) -> bool:
        _check_key(key)
        rows = self._own(table)
        if rows.values.pop(key, None) is None:
            return False
        del rows.keys[bisect_left(rows.keys, key)]
        return True

    def tables(self) -> Mapping[Table, _Rows]:
        return self._tables


class MemoryStorage:
    """`Storage` in memory: durable until the process ends."""

    def __init__(self) -> None:
        self._tables: Mapping[Table, _Rows] = {table: _Rows({}, []) for table in Table}
        self._writing = threading.Lock()
        self._thread = threading.local()
        self._closed = False

    @contextmanager
    def read(self) -> Iterator[_MemoryRead]:
        """Open a snapshot."""
        self._check_open()
        snapshot = _MemoryRead(self._tables)
        self._thread.depth = getattr(self._thread, "depth", 0) + 1
        try:
            yield snapshot
        finally:
            self._thread.depth -= 1
            snapshot.end()

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """Run ``work``; its changes are kept if it returns."""
        if getattr(self._thread, "depth", 0):
            raise StorageError("a thread cannot write inside a transaction of its own")
        with self._writing:
            self._check_open()
            transaction = _MemoryWrite(self._tables)
            self._thread.depth = 1
            try:
                result = work(transaction)
            finally:
                self._thread.depth = 0
                transaction.end()
            self._tables = transaction.tables()
            return result

    def close(self) -> None:
        """Forget everything."""
        self._closed = True
        self._tables = {}

    def _check_open(self) -> None:
        if self._closed:
            raise StorageError("the store is closed")


def _check_key(key: bytes) -> None:
    if not 1 <= len(key) <= MAX_KEY_BYTES:
        raise StorageError(f"a key of {len(key)} bytes; keys are 1 to {MAX_KEY_BYTES}")
