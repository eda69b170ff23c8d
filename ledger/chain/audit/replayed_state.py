"""The state map in memory, as the replay of a chain makes it.

Some 500 bytes a key. What it would store is, byte for byte, what the store must hold
(`ledger.chain.state`).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from typing import Final

from ledger.chain.state.bucket import Leaf
from ledger.chain.state.hashing import EMPTY_ROOT, path_of
from ledger.chain.state.leaf import decode_leaf, encode_leaf
from ledger.chain.state.tile import first_path, last_path, tile_key
from ledger.chain.state.trie import TrieUpdate, update_trie

_PREFIX: Final = 2
"""Bytes of a path by which paths are kept together, so that a new one is put in quickly."""


class ReplayedState:
    """Rows and tiles; a `ledger.chain.state.node_reader.NodeReader`."""

    def __init__(self) -> None:
        self.root = EMPTY_ROOT
        self.rows: dict[bytes, bytes] = {}
        """By path."""
        self.tiles: dict[bytes, bytes] = {}
        """By their keys in the store."""
        self._paths: dict[int, list[bytes]] = {}

    def get(self, key: bytes) -> bytes | None:
        """The value of a key, or None."""
        row = self.rows.get(path_of(key))
        return None if row is None else decode_leaf(row)[1]

    def apply(self, changes: Mapping[bytes, bytes | None]) -> TrieUpdate:
        """Write new values of keys, None for a deleted one; what that replaced."""
        ordered = sorted(
            (path_of(key), None if value is None else encode_leaf(key, value))
            for key, value in changes.items()
        )
        update = update_trie(self, ordered)
        for path, old, new in update.leaves:
            if new is None:
                del self.rows[path]
                self._near(path).remove(path)
            else:
                self.rows[path] = new
                if old is None:
                    insort(self._near(path), path)
        for tile in update.tiles:
            if tile.new is None:
                del self.tiles[tile.key]
            else:
                self.tiles[tile.key] = tile.new
        self.root = update.root
        return update

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """Every key with its value, in the order of their paths."""
        return (decode_leaf(self.rows[path]) for path in sorted(self.rows))

    def read_tile(self, level: int, prefix: int) -> bytes | None:
        """The tile at that place, or None."""
        return self.tiles.get(tile_key(level, prefix))

    def read_bucket(self, level: int, prefix: int, count: int) -> list[Leaf]:
        """The leaves below a slot."""
        first = first_path(level, prefix)
        last = last_path(level, first)
        found: list[Leaf] = []
        for near in range(_group(first), _group(last) + 1):
            paths = self._paths.get(near)
            if paths:
                start = bisect_left(paths, first)
                found += [(path, self.rows[path]) for path in paths[start : start + count]]
                if len(found) >= count:
                    break
        return found[:count]

    def _near(self, path: bytes) -> list[bytes]:
        return self._paths.setdefault(_group(path), [])


def _group(path: bytes) -> int:
    return int.from_bytes(path[:_PREFIX], "big")
