"""Names of the tlog-tiles resources of a tree (C2SP tlog-tiles, "Merkle Tree").

::

    tile/<level>/<index>[.p/<width>]       hashes
    tile/entries/<index>[.p/<width>]       entries

An index is written in groups of three digits, every group but the last behind an
``x``: 1234067 is ``x001/x234/067``. The suffix stands only on partial tiles.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.errors import MalformedError
from ledger.merkle.claim import require_count
from ledger.merkle.tiles import TILE_HEIGHT, TILE_WIDTH


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile of a published tree: its level, its index there, and its width in hashes.

    Raises:
        MalformedError: level not in 0 .. 63, index negative, or width not in 1 .. 256.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        require_count(self.index, "tile index")
        # tlog-tiles: "<L> ... MUST be a decimal ASCII integer between 0 and 63",
        # "<W> ... between 1 and 255"; 256 is a full tile, without the suffix.
        if not 0 <= self.level <= 63:
            raise MalformedError(f"tile level {self.level} is outside 0 .. 63")
        if not 0 < self.width <= TILE_WIDTH:
            raise MalformedError(f"tile width {self.width} is outside 1 .. {TILE_WIDTH}")

    @property
    def path(self) -> str:
        """Path of the hashes, relative to the log's prefix."""
        return f"tile/{self.level}/{_index_path(self.index, self.width)}"

    @property
    def entries_path(self) -> str:
        """Path of the entry bundle; only a level 0 tile has one.

        Raises:
            MalformedError: the tile is of a higher level.
        """
        if self.level:
            raise MalformedError(f"a tile of level {self.level} has no entry bundle")
        return f"tile/entries/{_index_path(self.index, self.width)}"


def _index_path(index: int, width: int) -> str:
    # tlog-tiles: "zero-padded 3-digit path elements. All but the last path element
    # MUST begin with an x."
    path = f"{index % 1000:03}"
    while index := index // 1000:
        path = f"x{index % 1000:03}/{path}"
    return path if width == TILE_WIDTH else f"{path}.p/{width}"


def required_tiles(size: int, previous_size: int = 0) -> Iterator[Tile]:
    """Yield the tiles of the tree of ``size`` leaves, lowest level first, left to right.

    Tiles that the tree of ``previous_size`` leaves had in the same width are left out.

    Raises:
        MalformedError: a size is not in 0 .. 2**63 - 1, or the previous one is larger.
    """
    require_count(size, "tree size")
    require_count(previous_size, "previous tree size")
    if previous_size > size:
        raise MalformedError(f"previous tree size {previous_size} exceeds {size}")
    # tlog-tiles, "Partial Tiles": "The partial tile at level l for a tree of size s has
    # floor(s / 256^l) mod 256 entries. Empty tiles MUST NOT be served."
    level = 0
    while size > previous_size:
        full, partial = divmod(size, TILE_WIDTH)
        for index in range(previous_size // TILE_WIDTH, full):
            yield Tile(level, index)
        if partial:
            yield Tile(level, full, partial)
        size >>= TILE_HEIGHT
        previous_size >>= TILE_HEIGHT
        level += 1
