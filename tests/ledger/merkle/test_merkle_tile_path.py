from __future__ import annotations

import pytest

from ledger.errors import MalformedError
from ledger.merkle.tile_path import Tile, required_tiles


@pytest.mark.parametrize(
    ("tile", "path"),
    [
        (Tile(0, 0), "tile/0/000"),
        (Tile(0, 1_234_067), "tile/0/x001/x234/067"),
        (Tile(0, 1_234_067, 5), "tile/0/x001/x234/067.p/5"),
        (Tile(1, 999), "tile/1/999"),
        (Tile(2, 1000), "tile/2/x001/000"),
        (Tile(63, 7, 255), "tile/63/007.p/255"),
        (Tile(0, 10**9), "tile/0/x001/x000/x000/000"),
    ],
)
def test_paths_are_those_of_the_spec(tile: Tile, path: str) -> None:
    assert tile.path == path


def test_entry_bundles_have_paths_beside_level_0() -> None:
    assert Tile(0, 1_234_067).entries_path == "tile/entries/x001/x234/067"
    assert Tile(0, 273, 112).entries_path == "tile/entries/273.p/112"
    with pytest.raises(MalformedError, match="no entry bundle"):
        _ = Tile(1, 0).entries_path


@pytest.mark.parametrize(
    "place", [(-1, 0, 1), (64, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257), (0, 2**63, 1)]
)
def test_a_tile_that_cannot_be_is_refused(place: tuple[int, int, int]) -> None:
    with pytest.raises(MalformedError):
        Tile(*place)


def test_the_examples_of_the_spec() -> None:
    # "273 full level 0 tiles, one partial level 0 tile of width 112, one full level 1
    # tile, one partial level 1 tile of width 17, and one partial level 2 tile of width 1"
    assert list(required_tiles(70_000)) == [
        *[Tile(0, index) for index in range(273)],
        Tile(0, 273, 112),
        Tile(1, 0),
        Tile(1, 1, 17),
        Tile(2, 0, 1),
    ]
    # "a tree of size 256 will be represented by a full level 0 tile and a partial
    # level 1 tile of width 1"
    assert list(required_tiles(256)) == [Tile(0, 0), Tile(1, 0, 1)]
    assert list(required_tiles(0)) == []


def test_what_an_earlier_tree_had_is_left_out() -> None:
    for previous in (0, 1, 255, 256, 257, 511, 512, 65_535, 65_536, 69_888, 70_000):
        held = set(required_tiles(previous))
        new = list(required_tiles(70_000, previous))
        assert new == [tile for tile in required_tiles(70_000) if tile not in held]


@pytest.mark.parametrize("sizes", [(5, 6), (-1, 0), (0, -1), (2**63, 0), (True, 0)])
def test_sizes_that_cannot_be_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(MalformedError):
        list(required_tiles(*sizes))


def test_the_largest_tree_has_eight_levels() -> None:
    size = 2**63 - 1
    assert {tile.level for tile in required_tiles(size, size - 1)} == {0}
    assert list(required_tiles(2**56, 2**56 - 1))[-1] == Tile(7, 0, 1)
