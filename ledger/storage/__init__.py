"""What the log needs of a store: ordered tables, snapshots, one atomic writer.

`Storage` is implemented twice, by `ledger.storage.memory.MemoryStorage` for tests
and by `ledger.storage.lmdb.LmdbStorage` for robots; one suite of contract tests
runs against both.

Contract:

* a key is 1 to 511 bytes; keys are ordered as byte strings; a value is any bytes;
* ``read()`` is a snapshot: nothing written after it opened is seen through it;
* ``write(work)`` runs ``work`` in a transaction and makes it durable before it
  returns. If ``work`` raises, nothing of it is kept. It may run more than once;
  only the effects of its last run are kept, so it must not have others;
* a thread does not write while it reads: the map may have to move under it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from enum import Enum
from typing import Protocol, TypeVar

T = TypeVar("T")

MAX_KEY_BYTES = 511
"""The longest key, in bytes (LMDB's own limit)."""


class Table(Enum):
    """The tables of a store; the value is the table's name in LMDB."""

    # Members are looked up at every access; Enum's own hash is of the name, in Python.
    __hash__ = object.__hash__

    META = b"meta"
    """name -> bytes: format, origin, first_vkey, active_vkeys, known_vkeys, size."""
    ENTRIES = b"entries"
    """u64be(leaf index) -> the entry's exact bytes."""
    TILES = b"tiles"
    """u8(level) || u64be(tile index) -> tile block (``ledger.merkle.tiles``)."""
    CHECKPOINTS = b"checkpoints"
    """u64be(tree size) -> signed note."""
    RECORDS = b"records"
    """record id -> u64be(leaf index)."""
    CONTENT = b"content"
    """record id -> where and how its content is kept."""
    CHUNKS = b"chunks"
    """record id -> 32-byte chunk leaf hashes, concatenated."""
    COPIES = b"copies"
    """record id || u32be(n) -> path of a known plaintext copy."""
    PROGRESS = b"progress"
    """record id || u64be(2^64 - 1 - leaf index) -> empty; a record's newest entry first."""
    PROVENANCE = b"provenance"
    """First 16 bytes of a record's or a grant's id || u64be(leaf index) -> empty."""
    STATE_LEAVES = b"state_leaves"
    """Of a chain only, as the next five: path -> leaf (``ledger.chain.state.leaf``)."""
    STATE_TILES = b"state_tiles"
    """u8(tile level) || prefix -> tile of the newest state (``ledger.chain.state.tile``)."""
    STATE_HISTORY = b"state_history"
    """u64be(height) || ... -> what that block replaced (``ledger.chain.state.history``)."""
    BLOCKS = b"blocks"
    """u64be(height) -> where its header is, its results (``ledger.chain.machine.block_rows``)."""
    TRANSACTIONS = b"transactions"
    """First 16 bytes of a transaction's id -> u64be(leaf index)."""
    ATTACHMENTS = b"attachments"
    """SHA-256 -> the bytes, until they are pruned."""


class ReadTransaction(Protocol):
    """A snapshot of every table."""

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value at ``key``, or None."""
        ...

    def scan(
        self, table: Table, start: bytes = b"", stop: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Rows with ``start <= key < stop``, in key order. Not to be mixed with writes."""
        ...

    def take(self, table: Table, start: bytes, count: int) -> list[tuple[bytes, bytes]]:
        """At most ``count`` rows with ``start <= key``, in key order; faster than `scan`."""
        ...

    def last(self, table: Table) -> tuple[bytes, bytes] | None:
        """The row with the greatest key, or None for an empty table."""
        ...

    def count(self, table: Table) -> int:
        """The number of rows."""
        ...


class WriteTransaction(ReadTransaction, Protocol):
    """A transaction that sees its own writes."""

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Write a row, replacing the one with this key."""
        ...

    def put_many(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Write rows in any order, replacing those with the same keys."""
        ...

    def append_many(self, table: Table, rows: Iterable[tuple[bytes, bytes]]) -> None:
        """Write rows whose keys ascend and follow every key of the table.

        The fastest way in; pages are left full. Raises StorageError for a key
        out of order, and the transaction is then lost.
        """
        ...

    def delete(self, table: Table, key: bytes) -> bool:
        """Delete a row; whether there was one."""
        ...


class Storage(Protocol):
    """Tables on some medium. Every method raises only ``StorageError`` and its kin."""

    def read(self) -> AbstractContextManager[ReadTransaction]:
        """Open a snapshot for the length of a ``with`` block."""
        ...

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """Run ``work`` in a transaction, durable when this returns; what ``work`` returned."""
        ...

    def close(self) -> None:
        """Give the store back; a second call does nothing."""
        ...
