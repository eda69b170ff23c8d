"""The stored state computed anew from its keys and values, and compared.

There is one set of tiles for any keys and values, so that what is stored must be
equal, byte for byte, to what comes out. Takes some 60 us and 500 bytes a key.
"""

from __future__ import annotations

from hashlib import sha256

from ledger.chain.state.bucket import Leaf
from ledger.chain.state.hashing import HASH_SIZE, path_of
from ledger.chain.state.history import height_key
from ledger.chain.state.leaf import decode_leaf
from ledger.chain.state.store import heights, open_state
from ledger.chain.state.tile import EMPTY_TILE, tile_key, tile_place
from ledger.chain.state.trie import update_trie
from ledger.errors import CorruptStoreError
from ledger.storage import ReadTransaction, Table


def check_state(transaction: ReadTransaction) -> None:
    """Check leaves, tiles and root of the newest state, and which heights have history.

    Raises CorruptStoreError for the first thing found wrong. What `check_height` checks
    of older heights is left to it.
    """
    kept = heights(transaction)
    if kept is None:
        for table in (Table.STATE_LEAVES, Table.STATE_TILES, Table.STATE_HISTORY):
            if transaction.count(table):
                raise CorruptStoreError(f"{table.name} has rows, and the state has no height")
        return
    leaves = list(transaction.scan(Table.STATE_LEAVES))
    for path, row in leaves:
        _check_leaf(path, row)
    update = update_trie(_Nothing(), leaves)
    if update.root != kept.root:
        raise CorruptStoreError(f"the state's root at height {kept.newest} is not that of its keys")
    tiles = {change.key: change.new for change in update.tiles}
    stored = dict(transaction.scan(Table.STATE_TILES))
    # A map that is empty has the tile of zero bytes, or none if it always was.
    top = tile_key(0, 0)
    if stored.get(top, EMPTY_TILE) != tiles.get(top, EMPTY_TILE):
        raise CorruptStoreError("the top tile of the state is wrong")
    for key in (tiles.keys() | stored.keys()) - {top}:
        if tiles.get(key) != stored.get(key):
            raise CorruptStoreError(f"tile {key.hex()} of the state is wrong")
    _check_history(transaction, kept.oldest, kept.newest)


def check_height(transaction: ReadTransaction, height: int) -> None:
    """Check that a kept height has the root and the tiles of its keys and values.

    Raises CorruptStoreError, or NotFoundError for a height that is not kept.
    """
    state = open_state(transaction, height)
    leaves = list(state.nodes.leaves())
    for path, row in leaves:
        _check_leaf(path, row)
    update = update_trie(_Nothing(), leaves)
    if update.root != state.root:
        raise CorruptStoreError(f"the state's root at height {height} is not that of its keys")
    for tile in update.tiles:
        if state.nodes.read_tile(*tile_place(tile.key)) != tile.new:
            raise CorruptStoreError(f"tile {tile.key.hex()} of the state at {height} is wrong")


class _Nothing:
    """A state without keys; a `node_reader.NodeReader`."""

    def read_tile(self, level: int, prefix: int) -> bytes | None:
        return None

    def read_bucket(self, level: int, prefix: int, count: int) -> list[Leaf]:
        return []


def _check_leaf(path: bytes, row: bytes) -> None:
    key, _ = decode_leaf(row)
    if path_of(key) != path:
        raise CorruptStoreError(f"leaf {path.hex()} of the state is of another key")
    if sha256(b"\x02" + row[HASH_SIZE:]).digest() != row[:HASH_SIZE]:
        raise CorruptStoreError(f"leaf {path.hex()} of the state has a wrong hash")


def _check_history(transaction: ReadTransaction, oldest: int, newest: int) -> None:
    first = {height_key(height) + b"\x00" for height in range(oldest + 1, newest + 1)}
    for key, _ in transaction.scan(Table.STATE_HISTORY):
        if not oldest < int.from_bytes(key[:8], "big") <= newest:
            raise CorruptStoreError("the state has history of a height that it does not keep")
        first.discard(key)
    if first:
        raise CorruptStoreError(f"the state has no history of {len(first)} heights that it keeps")
