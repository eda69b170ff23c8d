"""The blocks a tree is stored in.

Eight levels of the tree are cut into *tiles* of 256 hashes (C2SP tlog-tiles). The
tile at (level, index) holds, for i from 0 to 255,

    MTH(D[(index * 256 + i) * 256^level : (index * 256 + i + 1) * 256^level])

and is narrower while the tree has not filled it. A *block* stores a tile with the
inner hashes over it, so that proofs read and never rehash: for a tile of width w,

    height 0   w hashes, 32 bytes each: the tile itself
    height 1   floor(w / 2) hashes, the parents of height 0
    ...
    height 7   floor(w / 128) hashes

one height after the other. A full block has 510 hashes, 16,320 bytes. The root of
a full tile is one height more: a hash of the tile level above.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from ledger.errors import CorruptStoreError, MalformedError, NotFoundError
from ledger.merkle.compact_range import Growth
from ledger.merkle.hashing import HASH_SIZE, parent_hashes
from ledger.merkle.reader import NodeAddress

TILE_HEIGHT: Final = 8
"""Levels of the tree in a tile."""

TILE_WIDTH: Final = 256
"""Hashes in a full tile: 2 ** TILE_HEIGHT."""

BlockSource: TypeAlias = Callable[[int, int], bytes | None]
"""Gives the stored block at (tile level, tile index), or None."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block and where it belongs: tile level, tile index."""

    level: int
    index: int
    data: bytes


# _OFFSETS[w][h]: where height h starts in a block of width w, in bytes;
# _OFFSETS[w][8] is the length of the block.
_OFFSETS: Final = tuple(
    tuple(HASH_SIZE * sum(width >> below for below in range(height)) for height in range(9))
    for width in range(TILE_WIDTH + 1)
)

# The length of a block tells its width: every further hash makes it longer.
_WIDTH_OF_LENGTH: Final = {offsets[-1]: width for width, offsets in enumerate(_OFFSETS) if width}

FULL_BLOCK_BYTES: Final = _OFFSETS[TILE_WIDTH][TILE_HEIGHT]
"""Bytes in the block of a full tile."""


def block_offset(height: int, position: int, width: int) -> int:
    """Return where hash ``position`` of a height starts in a block, in bytes.

    Raises:
        MalformedError: a block of that width has no such hash.
    """
    if not (0 < width <= TILE_WIDTH and 0 <= height < TILE_HEIGHT):
        raise MalformedError(f"no block of width {width} has a height {height}")
    if not 0 <= position < width >> height:
        raise MalformedError(f"height {height} of width {width} has no hash {position}")
    return _OFFSETS[width][height] + HASH_SIZE * position


def block_length(width: int) -> int:
    """Return the length of a block of that width, in bytes.

    Raises:
        MalformedError: the width is not 1 .. 256.
    """
    if not 0 < width <= TILE_WIDTH:
        raise MalformedError(f"a tile is 1 to {TILE_WIDTH} hashes wide, not {width}")
    return _OFFSETS[width][TILE_HEIGHT]


def block_width(block: bytes) -> int:
    """Return the width of the tile in a block.

    Raises:
        MalformedError: no block has that length.
    """
    width = _WIDTH_OF_LENGTH.get(len(block))
    if width is None:
        raise MalformedError(f"{len(block)} bytes are not the length of any tile block")
    return width


def encode_block(tile: Sequence[bytes]) -> bytes:
    """Return the block over the hashes of a tile, every inner hash computed afresh.

    Raises:
        MalformedError: the tile is not 1 to 256 hashes of 32 bytes.
    """
    if not 0 < len(tile) <= TILE_WIDTH or any(len(part) != HASH_SIZE for part in tile):
        raise MalformedError(f"a tile is 1 to {TILE_WIDTH} hashes of {HASH_SIZE} bytes")
    row = list(tile)
    heights: list[bytes] = []
    for _ in range(TILE_HEIGHT):
        heights += row
        row = parent_hashes(row)
    return b"".join(heights)


def tile_width(level: int, index: int, size: int) -> int:
    """Return how many hashes a tile has in the tree of ``size`` leaves; 0 if there is none."""
    # tlog-tiles, "Partial Tiles": floor(s / 256^level) hashes at the level in all.
    return max(0, min(TILE_WIDTH, (size >> TILE_HEIGHT * level) - index * TILE_WIDTH))


def require_block(block: bytes | None, level: int, index: int, width: int) -> bytes:
    """Return a stored block that is at least ``width`` wide.

    Raises:
        CorruptStoreError: it is missing, narrower, or of no block's length.
    """
    if block is None:
        raise CorruptStoreError(f"tile block {index} of level {level} is missing")
    if _WIDTH_OF_LENGTH.get(len(block), 0) < width:
        raise CorruptStoreError(f"tile block {index} of level {level} is damaged or too narrow")
    return block


class TileReader:
    """Reads hashes of complete subtrees out of blocks; a `reader.HashReader`.

    ``size`` is the number of leaves of the tree. Blocks may be wider than that size
    needs, as they are when the tree has grown since.
    """

    def __init__(self, get_block: BlockSource, size: int) -> None:
        self._get_block = get_block
        self._size = size

    def read_hashes(self, addresses: Sequence[NodeAddress]) -> list[bytes]:
        """Return the hash at each address; every block is fetched once.

        Raises:
            NotFoundError: an address reaches beyond the tree.
            CorruptStoreError: a block is missing, or too short for the tree's size.
        """
        size = self._size
        fetched: dict[tuple[int, int], tuple[bytes, tuple[int, ...]]] = {}
        hashes = []
        tile_level = tile_index = -1
        block, offsets = b"", _OFFSETS[0]
        for level, index in addresses:
            if not 0 <= index < size >> level:
                raise NotFoundError(f"subtree {index} of level {level} is not in {size} leaves")
            # Level = 8 * tile level + height; a height has 2^(8 - height) hashes a tile.
            height = level & 7
            above = index >> 8 - height
            if above != tile_index or level >> 3 != tile_level:
                tile_level, tile_index = level >> 3, above
                place = (tile_level, tile_index)
                if place not in fetched:
                    fetched[place] = self._fetch(tile_level, tile_index)
                block, offsets = fetched[place]
            start = offsets[height] + ((index & 255 >> height) << 5)
            hashes.append(block[start : start + 32])
        return hashes

    def _fetch(self, level: int, index: int) -> tuple[bytes, tuple[int, ...]]:
        width = tile_width(level, index, self._size)
        block = require_block(self._get_block(level, index), level, index, width)
        return block, _OFFSETS[_WIDTH_OF_LENGTH[len(block)]]


def extend_blocks(growth: Growth, get_block: BlockSource) -> list[Block]:
    """Return every block that changes when a tree grows, lowest level first, left to right.

    ``get_block`` gives the blocks of the tree before it grew; only the partial ones at
    its right edge are asked for. Nothing is hashed here.

    Raises:
        CorruptStoreError: a partial block is missing or has not the width of that tree.
    """
    blocks: list[Block] = []
    for level in range(-(-len(growth.rows) // TILE_HEIGHT)):
        filled = growth.old_size >> TILE_HEIGHT * level
        first, old_width = divmod(filled, TILE_WIDTH)
        old = b""
        if old_width:
            old = require_block(get_block(level, first), level, first, old_width)
            if len(old) != _OFFSETS[old_width][TILE_HEIGHT]:
                raise CorruptStoreError(f"tile block {first} of level {level} is too wide")
        rows = growth.rows[TILE_HEIGHT * level : TILE_HEIGHT * (level + 1)]
        offsets = _OFFSETS[old_width]
        count = -(-(old_width + len(rows[0])) // TILE_WIDTH)
        if count == 1:
            # Each height of the old block with its new hashes; no new ones above `rows`.
            parts: list[bytes] = []
            for height, row in enumerate(rows):
                parts.append(old[offsets[height] : offsets[height + 1]])
                parts += row
            parts.append(old[offsets[len(rows)] :])
            blocks.append(Block(level, first, b"".join(parts)))
            continue
        # All hashes of each height, from the start of the partial block on.
        heights = [
            old[offsets[height] : offsets[height + 1]]
            + (b"".join(rows[height]) if height < len(rows) else b"")
            for height in range(TILE_HEIGHT)
        ]
        strides = [HASH_SIZE * (TILE_WIDTH >> height) for height in range(TILE_HEIGHT)]
        for place in range(count):
            data = b"".join(
                [
                    hashes[place * stride : (place + 1) * stride]
                    for hashes, stride in zip(heights, strides, strict=True)
                ]
            )
            blocks.append(Block(level, first + place, data))
    return blocks
