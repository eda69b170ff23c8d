"""Where an audit may begin when the first entries were audited before.

A trusted checkpoint of ``size`` leaves vouches for the tree up to there, if the
stored hashes on that tree's right edge, and the entries in its last tile of 256,
lead to the checkpoint's root. What lies left of them is then not read again.
"""

from __future__ import annotations

from dataclasses import dataclass

from ledger.errors import MalformedError
from ledger.fsck.entry_rows import entry_tiles
from ledger.fsck.findings import AuditTrail
from ledger.fsck.tree_rebuild import TreeRebuild
from ledger.merkle.hashing import HASH_SIZE
from ledger.merkle.tiles import TILE_HEIGHT, TILE_WIDTH, BlockSource, block_width
from ledger.storage import ReadTransaction


@dataclass(frozen=True, slots=True)
class TrustedPrefix:
    """Leaves [0, size) are vouched for and [0, first) are not read. ``tiles[level - 1]`` are
    the hashes of the tile that level ``level`` is at there, which the root has proven.
    """

    size: int = 0
    first: int = 0
    tiles: tuple[tuple[bytes, ...], ...] = ()


def read_prefix(
    txn: ReadTransaction, stored: BlockSource, size: int, root: bytes
) -> TrustedPrefix | None:
    """Return what the tree of ``size`` leaves with that ``root`` allows to leave out.

    None if the stored hashes do not lead to the root: everything must be read.
    """
    first = size - size % TILE_WIDTH
    tiles = right_edge(stored, first)
    if tiles is None:
        return None
    prefix = TrustedPrefix(size, first, tiles)
    scratch = AuditTrail()
    tree = TreeRebuild(stored, scratch, first=first, prefix=prefix.tiles)
    for start, entries in entry_tiles(txn, scratch, first, size, begin=True):
        tree.add_tile(start, entries)
    # The block of a partial tile may have grown since, so what `scratch` says of it is
    # void; the audit proper reads that tile again.
    if tree.root(size) != root or any(entry.entry is not None for entry in scratch.findings):
        return None
    return prefix


def right_edge(stored: BlockSource, first: int) -> tuple[tuple[bytes, ...], ...] | None:
    """The stored hashes in the rightmost tile of each level from 1 on, of ``first`` leaves.

    ``first`` is a multiple of a tile's width; None if the store lacks one of the tiles.
    """
    tiles = []
    level = 1
    while filled := first >> TILE_HEIGHT * level:
        tile = _read_tile(stored, level, *divmod(filled, TILE_WIDTH))
        if tile is None:
            return None
        tiles.append(tile)
        level += 1
    return tuple(tiles)


def _read_tile(stored: BlockSource, level: int, index: int, width: int) -> tuple[bytes, ...] | None:
    """The first ``width`` hashes of a stored tile; None if the block does not hold them."""
    if width == 0:
        return ()
    block = stored(level, index)
    try:
        if block is None or block_width(block) < width:
            return None
    except MalformedError:
        return None
    return tuple(block[at : at + HASH_SIZE] for at in range(0, width * HASH_SIZE, HASH_SIZE))
