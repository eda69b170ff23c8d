"""A batch of changes applied to the trie in one pass, from the root down and back.

Nothing is written here: the result says what to write, and what it replaces. It
depends on the state and on the changes, never on their order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from ledger.chain.state.bucket import Leaf, bucket_root
from ledger.chain.state.hashing import PATH_BITS
from ledger.chain.state.node_reader import NodeReader
from ledger.chain.state.tile import (
    EMPTY_TILE,
    HEIGHT,
    MASK,
    MAX_BUCKET,
    MAX_LEVEL,
    TILE_BELOW,
    WIDTH,
    Tile,
    first_path,
    tile_key,
)
from ledger.errors import CorruptStoreError, RefusedError

Change: TypeAlias = tuple[bytes, bytes | None]
"""``(path, row)``, or ``(path, None)`` to delete."""


class TileChange(NamedTuple):
    """A tile that is new, other than before, or gone; ``old`` and ``new`` are not both None."""

    key: bytes
    old: bytes | None
    new: bytes | None
    slots: Sequence[int]
    """The slots that changed, ascending."""


@dataclass(frozen=True, slots=True)
class TrieUpdate:
    """What a batch does: the root after it, and every tile and leaf that it replaces."""

    root: bytes
    tiles: list[TileChange] = field(repr=False)
    leaves: list[tuple[bytes, bytes | None, bytes | None]] = field(repr=False)
    """``(path, old row, new row)`` in the order of paths, without what stays the same."""


def update_trie(reader: NodeReader, changes: Sequence[Change]) -> TrieUpdate:
    """Apply changes, whose paths strictly ascend, to the state that ``reader`` reads.

    Deleting what is not there and writing what is there already change nothing.

    Raises:
        CorruptStoreError: the stored state contradicts itself.
        RefusedError: 15 paths share 252 bits; nobody can find such keys.
    """
    update = _Update(reader, changes)
    root, _ = update.tile(0, 0, 0, len(changes))
    return TrieUpdate(root, update.tiles, update.leaves)


class _Update:
    """One pass; what it replaces piles up in ``tiles`` and ``leaves``."""

    def __init__(self, reader: NodeReader, changes: Sequence[Change]) -> None:
        self._reader = reader
        self._changes = changes
        self._paths = [int.from_bytes(path, "big") for path, _ in changes]
        self.tiles: list[TileChange] = []
        self.leaves: list[tuple[bytes, bytes | None, bytes | None]] = []

    def tile(self, level: int, prefix: int, start: int, stop: int) -> tuple[bytes, int]:
        """Apply changes [start, stop) to a tile; its root, and what is now below its slot."""
        old = self._reader.read_tile(level, prefix)
        if old is None:
            if level:
                raise CorruptStoreError(f"tile {prefix:#x} of level {level} is missing")
            old = EMPTY_TILE
        tile = Tile(old)
        hashes = tile.hashes
        paths, shift = self._paths, PATH_BITS - HEIGHT * (level + 1)
        changed: list[int] = []
        shrunk = False
        while start < stop:
            here = paths[start] >> shift
            end = start + 1
            if end < stop and paths[end] >> shift == here:
                end = bisect_left(paths, here + 1 << shift, end, stop)
            slot = here & MASK
            kind = tile.below(slot)
            if kind == TILE_BELOW:
                node, new_kind = self.tile(level + 1, here, start, end)
            else:
                node, new_kind = self._bucket(level + 1, here, kind, start, end)
            if new_kind != kind:
                shrunk = shrunk or new_kind < kind
                tile.set_below(slot, new_kind)
            elif node == hashes[WIDTH + slot]:
                start = end
                continue
            hashes[WIDTH + slot] = node
            changed.append(slot)
            start = end
        if not changed:
            return tile.root(level), TILE_BELOW
        root = tile.rehash(level, changed)
        key = tile_key(level, prefix)
        if shrunk and level:
            count = tile.leaf_count()
            if count is not None and count <= MAX_BUCKET:
                self.tiles.append(TileChange(key, old, None, changed))
                return root, count
        self.tiles.append(TileChange(key, old, tile.to_bytes(), changed))
        return root, TILE_BELOW

    def _bucket(
        self, level: int, prefix: int, count: int, start: int, stop: int
    ) -> tuple[bytes, int]:
        """Apply changes [start, stop) to the leaves below a slot."""
        found = self._reader.read_bucket(level, prefix, count) if count else []
        if stop - start == 1:
            # Most changes are one of a value, alone in its bucket.
            change = self._changes[start]
            path, row = change
            for place, leaf in enumerate(found):
                if leaf[0] == path and row is not None:
                    if leaf[1] != row:
                        self.leaves.append((path, leaf[1], row))
                        found[place] = path, row
                    return bucket_root(found), count
        leaves = dict(found)
        for path, row in self._changes[start:stop]:
            old = leaves.get(path)
            if row == old:
                continue
            self.leaves.append((path, old, row))
            if row is None:
                del leaves[path]
            else:
                leaves[path] = row
        ordered = sorted(leaves.items())
        if len(ordered) <= MAX_BUCKET:
            return bucket_root(ordered), len(ordered)
        return self._new_tile(level, prefix, ordered), TILE_BELOW

    def _new_tile(self, level: int, prefix: int, leaves: Sequence[Leaf]) -> bytes:
        """Put a tile where there was a bucket; its root."""
        if level > MAX_LEVEL:
            raise RefusedError(f"{len(leaves)} paths of the state share {HEIGHT * level} bits")
        tile = Tile(EMPTY_TILE)
        changed: list[int] = []
        start = 0
        while start < len(leaves):
            here = int.from_bytes(leaves[start][0], "big") >> PATH_BITS - HEIGHT * (level + 1)
            stop = len(leaves)
            if here & MASK != MASK:
                stop = bisect_left(leaves, (first_path(level + 1, here + 1),), start)
            part, slot = leaves[start:stop], here & MASK
            kind = len(part) if len(part) <= MAX_BUCKET else TILE_BELOW
            node = bucket_root(part) if kind < TILE_BELOW else self._new_tile(level + 1, here, part)
            tile.set_below(slot, kind)
            tile.hashes[WIDTH + slot] = node
            changed.append(slot)
            start = stop
        root = tile.rehash(level, changed)
        self.tiles.append(TileChange(tile_key(level, prefix), None, tile.to_bytes(), changed))
        return root
