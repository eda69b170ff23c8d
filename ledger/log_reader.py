"""Reading a log: its entries, proofs and checkpoints.

Rows of a log (``ledger.storage.Table``)::

    META         origin, first_vkey, active_vkeys, known_vkeys   text, keys one a line
                 size                                            u64be, leaves
                 first_entry                                     u64be, only in a log that was
                                                                 restored from a snapshot
    ENTRIES      u64be(index) -> entry
    TILES        u8(level) || u64be(tile index) -> tile block
    CHECKPOINTS  u64be(size) -> signed note; every one is kept
    RECORDS      record id -> u64be(index)

Every read is of what is committed; a reader beside a writer sees the log grow.

A log that was restored from a snapshot has the entries from ``first_entry`` on, and of the
tree before it the right edge alone: enough to grow, and to prove what is newer. What is
asked of older leaves raises NotFoundError.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from ledger.checkpoint import log_id
from ledger.errors import CorruptStoreError, NotFoundError
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.consistency import prove_consistency
from ledger.merkle.inclusion import prove_inclusion
from ledger.merkle.tile_export import export_tiles
from ledger.merkle.tiles import TileReader
from ledger.note import VerifierKey
from ledger.storage import ReadTransaction, Storage, Table

U64: Final = struct.Struct(">Q")
TILE_KEY: Final = struct.Struct(">BQ")

ORIGIN: Final = b"origin"
FIRST_VKEY: Final = b"first_vkey"
ACTIVE_VKEYS: Final = b"active_vkeys"
KNOWN_VKEYS: Final = b"known_vkeys"
SIZE: Final = b"size"
FIRST_ENTRY: Final = b"first_entry"

_ROWS_A_READ: Final = 512


def tile_source(transaction: ReadTransaction) -> Callable[[int, int], bytes | None]:
    """Blocks by (tile level, tile index), as `ledger.merkle.tiles` wants them."""
    get, pack = transaction.get, TILE_KEY.pack
    return lambda level, index: get(Table.TILES, pack(level, index))


def read_size(transaction: ReadTransaction) -> int:
    """The number of leaves. Raises CorruptStoreError if the store has no log."""
    value = transaction.get(Table.META, SIZE)
    if value is None or len(value) != U64.size:
        raise CorruptStoreError("the store has no log in it", hint="create the log first")
    size: int = U64.unpack(value)[0]
    return size


def read_first_entry(transaction: ReadTransaction) -> int:
    """The index of the first entry that is here: 0 but after a snapshot. CorruptStoreError."""
    value = transaction.get(Table.META, FIRST_ENTRY)
    return 0 if value is None else _index(value)


class LogReader:
    """A log, read. Methods raise StorageError, CorruptStoreError and NotFoundError."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        with storage.read() as transaction:
            read_size(transaction)
            self.origin = _text(transaction, ORIGIN)
            self.first_vkey = _text(transaction, FIRST_VKEY)
        self.log_id = log_id(self.origin)

    @property
    def size(self) -> int:
        """The number of leaves committed."""
        with self._storage.read() as transaction:
            return read_size(transaction)

    @property
    def active_vkeys(self) -> tuple[str, ...]:
        """The vkeys that sign for the log now."""
        with self._storage.read() as transaction:
            return tuple(_text(transaction, ACTIVE_VKEYS).splitlines())

    def known_keys(self) -> tuple[VerifierKey, ...]:
        """Every key that ever signed for the log; old checkpoints verify with these."""
        with self._storage.read() as transaction:
            names = (FIRST_VKEY, KNOWN_VKEYS, ACTIVE_VKEYS)
            vkeys = [vkey for name in names for vkey in _text(transaction, name).splitlines()]
        return tuple(VerifierKey.parse(vkey) for vkey in dict.fromkeys(vkeys))

    @property
    def first_entry(self) -> int:
        """The first leaf whose entry is here: 0, unless the log came from a snapshot."""
        with self._storage.read() as transaction:
            return read_first_entry(transaction)

    def entry(self, index: int) -> bytes:
        """The exact bytes of leaf ``index``."""
        with self._storage.read() as transaction:
            _require_leaf(index, transaction)
            entry = transaction.get(Table.ENTRIES, U64.pack(index))
        if entry is None:
            raise CorruptStoreError(f"entry {index} is missing")
        return entry

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The entries from ``start`` up to ``stop``, or to the end as it is now.

        No transaction is held between two of them.
        """
        with self._storage.read() as transaction:
            size, first = read_size(transaction), read_first_entry(transaction)
        end = size if stop is None else stop
        if not 0 <= start <= end <= size:
            raise NotFoundError(f"entries {start} to {end} are not in a log of {size}")
        if start < first:
            raise _before_snapshot(f"entry {start}", first)
        return self._entries(start, end)

    def _entries(self, start: int, end: int) -> Iterator[bytes]:
        for first in range(start, end, _ROWS_A_READ):
            after = min(first + _ROWS_A_READ, end)
            with self._storage.read() as transaction:
                rows = list(transaction.scan(Table.ENTRIES, U64.pack(first), U64.pack(after)))
            if [key for key, _ in rows] != [U64.pack(index) for index in range(first, after)]:
                raise CorruptStoreError(f"entries are missing between {first} and {after - 1}")
            for _, entry in rows:
                yield entry

    def prove_inclusion(self, index: int, size: int) -> tuple[bytes, ...]:
        """The audit path of leaf ``index`` in the tree of the first ``size`` leaves."""
        with self._storage.read() as transaction:
            _require_size(size, transaction)
            if 0 <= index < (first := read_first_entry(transaction)):
                raise _before_snapshot(f"the path of leaf {index}", first)
            return prove_inclusion(index, size, TileReader(tile_source(transaction), size))

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """The proof that the first ``old_size`` of ``size`` leaves are an older tree."""
        with self._storage.read() as transaction:
            _require_size(size, transaction)
            if 0 < old_size <= (first := read_first_entry(transaction)):
                raise _before_snapshot(f"a proof from size {old_size}", first)
            return prove_consistency(old_size, size, TileReader(tile_source(transaction), size))

    def root(self, size: int) -> bytes:
        """The root over the first ``size`` leaves, from stored hashes."""
        with self._storage.read() as transaction:
            _require_size(size, transaction)
            reader = TileReader(tile_source(transaction), size)
            return CompactRange.from_reader(size, reader).root()

    def read_hashes(self, addresses: Sequence[tuple[int, int]]) -> list[bytes]:
        """Hashes of complete subtrees, as a `ledger.merkle.reader.HashReader`."""
        with self._storage.read() as transaction:
            return TileReader(tile_source(transaction), read_size(transaction)).read_hashes(
                addresses
            )

    def latest_checkpoint(self) -> bytes | None:
        """The stored note of the greatest size, or None."""
        with self._storage.read() as transaction:
            row = transaction.last(Table.CHECKPOINTS)
        return row[1] if row else None

    def checkpoint_at(self, size: int) -> bytes | None:
        """The stored note of exactly this size, or None."""
        if not 0 <= size < 1 << 64:
            return None
        with self._storage.read() as transaction:
            return transaction.get(Table.CHECKPOINTS, U64.pack(size))

    def checkpoints(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Every stored note of ``start`` leaves or more with its size, smallest first."""
        after = U64.pack(start)
        while True:
            with self._storage.read() as transaction:
                rows = list(islice(transaction.scan(Table.CHECKPOINTS, after), _ROWS_A_READ))
            for key, note in rows:
                yield _index(key), note
            if len(rows) < _ROWS_A_READ:
                return
            after = rows[-1][0] + b"\0"

    def record_index(self, record_id: bytes) -> int:
        """The leaf index of a record's entry."""
        with self._storage.read() as transaction:
            value = transaction.get(Table.RECORDS, record_id) if record_id else None
        if value is None:
            raise NotFoundError(f"no record {record_id.hex()} in this log")
        return _index(value)

    def find_records(self, prefix: str) -> list[int]:
        """The leaf indices of the records whose id starts with these hex digits."""
        try:
            start = bytes.fromhex(prefix[: len(prefix) // 2 * 2])
        except ValueError:
            return []
        with self._storage.read() as transaction:
            found = []
            for record_id, index in transaction.scan(Table.RECORDS, start):
                if not record_id.startswith(start):
                    break
                if record_id.hex().startswith(prefix):
                    found.append(_index(index))
        return found

    def export_tiles(self, size: int, previous_size: int = 0) -> Iterator[tuple[str, bytes]]:
        """The tlog-tiles resources of the first ``size`` leaves: relative path and bytes.

        Those that an export at ``previous_size`` held already are left out.
        """
        if first := self.first_entry:
            raise _before_snapshot("an export", first)

        def get_block(level: int, index: int) -> bytes | None:
            with self._storage.read() as transaction:
                return tile_source(transaction)(level, index)

        return export_tiles(size, get_block, self.entries, previous_size)


def _index(value: bytes) -> int:
    if len(value) != U64.size:
        raise CorruptStoreError(f"an index of {len(value)} bytes in the store")
    index: int = U64.unpack(value)[0]
    return index


def _text(transaction: ReadTransaction, name: bytes) -> str:
    value = transaction.get(Table.META, name)
    try:
        if value:
            return value.decode("utf-8")
    except UnicodeDecodeError:
        pass
    raise CorruptStoreError(
        f"the log's {name.decode()} is missing or damaged", hint="restore the log from a backup"
    )


def _require_leaf(index: int, transaction: ReadTransaction) -> None:
    size = read_size(transaction)
    if not 0 <= index < size:
        raise NotFoundError(f"entry {index} is not in a log of {size}")
    if index < (first := read_first_entry(transaction)):
        raise _before_snapshot(f"entry {index}", first)


def _require_size(size: int, transaction: ReadTransaction) -> None:
    stored = read_size(transaction)
    if not 0 <= size <= stored:
        raise NotFoundError(f"a tree of {size} leaves is not in a log of {stored}")
    if 0 < size < (first := read_first_entry(transaction)):
        raise _before_snapshot(f"a tree of {size} leaves", first)


def _before_snapshot(what: str, first: int) -> NotFoundError:
    return NotFoundError(
        f"{what} is older than the snapshot that this log was restored from",
        hint=f"its entries begin with {first}; ask whoever has the whole log",
    )
