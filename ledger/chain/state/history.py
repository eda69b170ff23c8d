"""What every height replaced, so that a state can be read as it was.

Tiles and leaves are stored as they are now. A height that changes them first keeps
what was there, one row each, in the table of history::

    u64be(height) || 0x00            -> u64be(the height before) || the root before
    u64be(height) || 0x01 || tile    -> 0x00 || the whole tile, which is gone now
                                     or 0x01 || for every slot that changed:
                                        u8 slot || u8 what was below || its hash
    u64be(height) || 0x02 || u8      -> of the paths whose first byte this is, ascending:
                                        path || varint(len row) || row of the leaf,
                                        empty if it was not there

``tile`` is its key (`tile.tile_key`). Leaves share rows because a row costs more to
write and to delete than what is in it. A node as it was at height h is the newest one,
with the *first* change after h undone for each part of it. Rows are written in the
order of their keys, at the end of the table; the heights that nobody needs any more
are the rows at its beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from ledger.chain.state.bucket import Leaf
from ledger.chain.state.hashing import HASH_SIZE
from ledger.chain.state.tile import (
    EMPTY_TILE,
    TILE_BYTES,
    WIDTH,
    Tile,
    first_path,
    last_path,
    node_offset,
    tile_key,
)
from ledger.chain.state.trie import TrieUpdate
from ledger.chain.state.varint import decode_varint, encode_varint
from ledger.errors import CorruptStoreError, MalformedError
from ledger.storage import ReadTransaction, Table

_BEFORE: Final = b"\x00"
_TILE: Final = b"\x01"
_LEAVES: Final = b"\x02"
_WHOLE: Final = b"\x00"
_SLOTS: Final = b"\x01"
_SLOT_BYTES: Final = 2 + HASH_SIZE
_MOST_PATHS: Final = b"\xff" * HASH_SIZE
_MAX_TILES: Final = 1_024


def height_key(height: int) -> bytes:
    """Return what the keys of a height's rows begin with."""
    return height.to_bytes(8, "big")


def history_rows(
    height: int, before: tuple[int, bytes], update: TrieUpdate
) -> list[tuple[bytes, bytes]]:
    """Return the rows, in the order of their keys, that undo an update.

    ``before`` is the height before and its root.
    """
    start = height_key(height)
    rows = [(start + _BEFORE, height_key(before[0]) + before[1])]
    at = start + _TILE
    for change in sorted(update.tiles, key=lambda change: change.key):
        old = change.old
        if old is None:
            continue  # nobody asks for a tile where there was none
        if change.new is None:
            rows.append((at + change.key, _WHOLE + old))
        else:
            rows.append((at + change.key, _SLOTS + _old_slots(old, change.slots)))
    at = start + _LEAVES
    for first, leaves in groupby(update.leaves, key=_first_byte):
        parts: list[bytes] = []
        for path, row, _ in leaves:
            parts += (path, encode_varint(len(row or b"")), row or b"")
        rows.append((at + first, b"".join(parts)))
    return rows


def _first_byte(leaf: tuple[bytes, bytes | None, bytes | None]) -> bytes:
    return leaf[0][:1]


def _old_leaves(data: bytes) -> Iterator[Leaf]:
    """Read a row of leaves. Raises CorruptStoreError."""
    at = 0
    try:
        while at < len(data):
            size, start = decode_varint(data, at + HASH_SIZE)
            yield data[at : at + HASH_SIZE], data[start : start + size]
            at = start + size
    except MalformedError as error:
        raise CorruptStoreError(f"the state's history is damaged: {error.message}") from error
    if at > len(data):
        raise CorruptStoreError("the state's history is damaged: a leaf is cut short")


def _old_slots(tile: bytes, slots: Iterable[int]) -> bytes:
    parts = []
    for slot in slots:
        pair, at = tile[slot >> 1], node_offset(WIDTH + slot)
        parts.append(bytes((slot, pair & 15 if slot & 1 else pair >> 4)) + tile[at : at + 32])
    return b"".join(parts)


def read_root(transaction: ReadTransaction, height: int) -> bytes:
    """Return the root at a height that is not the newest. Raises CorruptStoreError."""
    row = transaction.get(Table.STATE_HISTORY, height_key(height + 1) + _BEFORE)
    if row is None or len(row) != 8 + HASH_SIZE or row[:8] != height_key(height):
        raise CorruptStoreError(f"the state's history after height {height} is damaged")
    return row[8:]


@dataclass(frozen=True, slots=True)
class NewestNodes:
    """The newest state; a `node_reader.NodeReader`."""

    transaction: ReadTransaction

    def read_tile(self, level: int, prefix: int) -> bytes | None:
        """Return the tile at that place, or None. Raises CorruptStoreError."""
        tile = self.transaction.get(Table.STATE_TILES, tile_key(level, prefix))
        if tile is not None and len(tile) != TILE_BYTES:
            raise CorruptStoreError(f"a tile of the state is {len(tile)} bytes, not {TILE_BYTES}")
        return tile

    def read_bucket(self, level: int, prefix: int, count: int) -> list[Leaf]:
        """Return the leaves below a slot. Raises CorruptStoreError if there are fewer."""
        start = first_path(level, prefix)
        leaves = self.transaction.take(Table.STATE_LEAVES, start, count)
        # They ascend from the first path of the prefix, so the last one tells of all.
        if len(leaves) != count or leaves[-1][0] > last_path(level, start):
            raise _missing(level, prefix)
        return leaves

    def read_leaf(self, path: bytes) -> bytes | None:
        """Return the row of a leaf, or None."""
        return self.transaction.get(Table.STATE_LEAVES, path)

    def leaves(self) -> Iterator[Leaf]:
        """All leaves in the order of their paths."""
        return self.transaction.scan(Table.STATE_LEAVES)


class PastNodes:
    """The state as it was at ``height``, when ``newest`` is the newest; a `NodeReader`."""

    def __init__(self, transaction: ReadTransaction, height: int, newest: int) -> None:
        self._transaction = transaction
        self._now = NewestNodes(transaction)
        self._later = [height_key(later) for later in range(height + 1, newest + 1)]
        self._tiles: dict[tuple[int, int], bytes] = {}

    def read_tile(self, level: int, prefix: int) -> bytes | None:
        """Return the tile that was at that place, or None. Raises CorruptStoreError."""
        tile = self._tiles.get((level, prefix))
        if tile is None:
            tile = self._past_tile(level, prefix)
            if len(self._tiles) == _MAX_TILES:
                self._tiles.clear()
            self._tiles[level, prefix] = tile
        return tile

    def _past_tile(self, level: int, prefix: int) -> bytes:
        key = _TILE + tile_key(level, prefix)
        slots: dict[int, bytes] = {}
        whole = None
        for later in self._later:
            row = self._transaction.get(Table.STATE_HISTORY, later + key)
            if row is None:
                continue
            if row[:1] == _WHOLE:
                whole = row[1:]
                break
            if row[:1] != _SLOTS or len(row) % _SLOT_BYTES != 1:
                raise CorruptStoreError("the state's history is damaged: slots of a tile")
            for at in range(1, len(row), _SLOT_BYTES):
                slots.setdefault(row[at], row[at + 1 : at + _SLOT_BYTES])
        else:
            whole = self._now.read_tile(level, prefix) or (None if level else EMPTY_TILE)
        if whole is None or len(whole) != TILE_BYTES:
            raise CorruptStoreError(f"tile {prefix:#x} of level {level} is missing in the history")
        tile = Tile(whole)
        for slot, old in slots.items():
            tile.set_below(slot, old[0])
            tile.hashes[WIDTH + slot] = old[1:]
        tile.rehash(level, sorted(slots))
        return tile.to_bytes()

    def read_bucket(self, level: int, prefix: int, count: int) -> list[Leaf]:
        """Return the leaves that were below a slot. Raises CorruptStoreError."""
        start = first_path(level, prefix)
        leaves = sorted(self._past_leaves(start, last_path(level, start)))
        if len(leaves) != count:
            raise _missing(level, prefix)
        return leaves

    def read_leaf(self, path: bytes) -> bytes | None:
        """Return the row that a leaf had, or None."""
        for later in self._later:
            rows = self._transaction.get(Table.STATE_HISTORY, later + _LEAVES + path[:1])
            for old, row in _old_leaves(rows or b""):
                if old == path:
                    return row or None
        return self._now.read_leaf(path)

    def leaves(self) -> Iterator[Leaf]:
        """All leaves in the order of their paths; what changed since is held in memory."""
        undone = self._undone(bytes(HASH_SIZE), _MOST_PATHS)
        gone = iter(sorted((path, row) for path, row in undone.items() if row))
        next_gone = next(gone, None)
        for path, row in self._now.leaves():
            while next_gone and next_gone[0] < path:
                yield next_gone
                next_gone = next(gone, None)
            if path not in undone:
                yield path, row
            elif next_gone and next_gone[0] == path:
                yield next_gone
                next_gone = next(gone, None)
        while next_gone:
            yield next_gone
            next_gone = next(gone, None)

    def _past_leaves(self, first: bytes, last: bytes) -> Iterator[Leaf]:
        undone = self._undone(first, last)
        for path, row in self._transaction.scan(Table.STATE_LEAVES, first, last + b"\x00"):
            if path not in undone:
                yield path, row
        for path, row in undone.items():
            if row:
                yield path, row

    def _undone(self, first: bytes, last: bytes) -> dict[bytes, bytes]:
        undone: dict[bytes, bytes] = {}
        for later in self._later:
            start, stop = later + _LEAVES + first[:1], later + _LEAVES + last[:1] + b"\x00"
            for _, leaves in self._transaction.scan(Table.STATE_HISTORY, start, stop):
                for path, row in _old_leaves(leaves):
                    if first <= path <= last:
                        undone.setdefault(path, row)
        return undone


def _missing(level: int, prefix: int) -> CorruptStoreError:
    return CorruptStoreError(f"the leaves below slot {prefix:#x} of level {level} are not there")
