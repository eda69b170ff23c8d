from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import CorruptStoreError, MalformedError, NotFoundError
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import tree_root
from ledger.merkle.inclusion import prove_inclusion
from ledger.merkle.tiles import (
    TILE_WIDTH,
    TileReader,
    block_length,
    block_offset,
    block_width,
    encode_block,
    extend_blocks,
    tile_width,
)
from tests.ledger.merkle.naive_tree import NaiveTree, StoredTree, leaves

LARGEST = 600
EDGE = 256 * 256


@pytest.fixture(scope="module")
def tree() -> NaiveTree:
    return NaiveTree(leaves(EDGE + 600))


def expected_blocks(tree: NaiveTree, size: int) -> dict[tuple[int, int], bytes]:
    blocks = {}
    level = 0
    while size >> 8 * level:
        for index in range(-(-(size >> 8 * level) // 256)):
            blocks[level, index] = tree.block(level, index, size)
        level += 1
    return blocks


def test_a_full_block_is_510_hashes() -> None:
    assert block_length(256) == 510 * 32 == 16_320
    assert block_length(1) == 32
    assert block_length(255) == (255 + 127 + 63 + 31 + 15 + 7 + 3 + 1) * 32


def test_layout_of_every_width(tree: NaiveTree) -> None:
    lengths = set()
    for width in range(1, TILE_WIDTH + 1):
        block = tree.block(0, 0, width)
        assert len(block) == block_length(width)
        assert block_width(block) == width
        assert encode_block(tree.leaves[:width]) == block
        assert block[: 32 * width] == b"".join(tree.leaves[:width])
        lengths.add(len(block))
        for height in range(8):
            for position in range(width >> height):
                start = block_offset(height, position, width)
                node = tree.mth(position << height, (position + 1) << height)
                assert block[start : start + 32] == node
            with pytest.raises(MalformedError):
                block_offset(height, width >> height, width)
    assert len(lengths) == TILE_WIDTH


def test_layout_refuses_what_no_block_has() -> None:
    for height, position, width in [(8, 0, 256), (-1, 0, 9), (0, -1, 9), (0, 0, 0), (0, 0, 257)]:
        with pytest.raises(MalformedError):
            block_offset(height, position, width)
    for width in (0, 257, -1):
        with pytest.raises(MalformedError):
            block_length(width)
    for length in (0, 31, 33, 64, 511 * 32, block_length(255) + 32):
        with pytest.raises(MalformedError):
            block_width(bytes(length))
    for tile in ([], [bytes(32)] * 257, [bytes(31)]):
        with pytest.raises(MalformedError):
            encode_block(tile)


def test_blocks_of_every_size_leaf_by_leaf(tree: NaiveTree) -> None:
    stored = StoredTree()
    for size in range(1, LARGEST + 1):
        written = stored.append([tree.leaves[size - 1]])
        # The tile of the new leaf, and at 256 and 512 the one above.
        above = {(1, 0)} if size % 256 == 0 else set()
        assert written == {(0, (size - 1) // 256)} | above
        assert stored.blocks == expected_blocks(tree, size)


def test_blocks_of_every_size_at_once(tree: NaiveTree) -> None:
    for size in range(LARGEST + 1):
        stored = StoredTree()
        stored.append(tree.leaves[:size])
        assert stored.blocks == expected_blocks(tree, size)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(st.integers(0, 800), min_size=1, max_size=6))
def test_any_batches_give_the_same_blocks(tree: NaiveTree, steps: list[int]) -> None:
    stored = StoredTree()
    for step in steps:
        start = stored.right_edge.size
        written = stored.append(tree.leaves[start : start + step])
        unchanged = {(0, index) for index in range(start // 256)}
        assert not written & unchanged
    assert stored.blocks == expected_blocks(tree, sum(steps))


@pytest.mark.parametrize("start", [EDGE - 300, EDGE - 256, EDGE - 2, EDGE - 1])
@pytest.mark.parametrize("step", [1, 2, 3, 255, 256, 257, 555])
def test_blocks_across_the_second_tile_level(tree: NaiveTree, start: int, step: int) -> None:
    stored = StoredTree()
    stored.append(tree.leaves[:start])
    size = start + step
    stored.append(tree.leaves[start:size])
    assert stored.right_edge.root() == tree.mth(0, size)
    for level in (0, 1, 2):
        width = size >> 8 * level
        for index in range(max(0, start // 256 - 2) if level == 0 else 0, -(-width // 256)):
            assert stored.blocks[level, index] == tree.block(level, index, size)
    assert ((2, 0) in stored.blocks) is (size >= EDGE)
    if size >= EDGE:
        assert stored.blocks[2, 0] == tree.mth(0, EDGE)


def test_leaf_by_leaf_across_the_second_tile_level(tree: NaiveTree) -> None:
    stored = StoredTree()
    stored.append(tree.leaves[: EDGE - 5])
    for size in range(EDGE - 4, EDGE + 6):
        written = stored.append([tree.leaves[size - 1]])
        above = {(1, 0), (2, 0)} if size == EDGE else set()
        assert written == {(0, (size - 1) // 256)} | above
        reader = TileReader(stored.get_block, size)
        assert CompactRange.from_reader(size, reader) == stored.right_edge
        assert stored.right_edge.root() == tree.mth(0, size)
        for index in (0, 255, 256, EDGE - 257, EDGE - 6, size - 1):
            assert list(prove_inclusion(index, size, reader)) == tree.path(index, 0, size)


def test_every_address_reads_back(tree: NaiveTree) -> None:
    size = 5000
    stored = StoredTree()
    stored.append(tree.leaves[:size])
    addresses = [(level, index) for level in range(13) for index in range(size >> level)]
    reader = TileReader(stored.get_block, size)
    assert reader.read_hashes(addresses) == tree.read_hashes(addresses)
    assert reader.read_hashes(addresses[::-1]) == tree.read_hashes(addresses[::-1])
    assert reader.read_hashes([]) == []


def test_a_proof_fetches_a_block_once(tree: NaiveTree) -> None:
    stored = StoredTree()
    stored.append(tree.leaves)
    asked: list[tuple[int, int]] = []

    def get_block(level: int, index: int) -> bytes | None:
        asked.append((level, index))
        return stored.get_block(level, index)

    # The last one goes up to tile level 1, down along the ragged edge, and up again.
    wide = EDGE + 513
    for index, size in ((0, wide), (700, wide), (EDGE, wide), (wide - 1, wide), (1024, 1795)):
        asked.clear()
        prove_inclusion(index, size, TileReader(get_block, size))
        assert len(asked) == len(set(asked)) <= 5


def test_older_trees_read_from_newer_blocks(tree: NaiveTree) -> None:
    stored = StoredTree()
    stored.append(tree.leaves[:LARGEST])
    for size in range(LARGEST + 1):
        reader = TileReader(stored.get_block, size)
        assert CompactRange.from_reader(size, reader).root() == tree.mth(0, size)


@pytest.mark.parametrize("address", [(0, 600), (3, 75), (9, 1), (10, 0), (0, -1), (70, 0)])
def test_reader_refuses_what_the_tree_has_not(tree: NaiveTree, address: tuple[int, int]) -> None:
    stored = StoredTree()
    stored.append(tree.leaves[:LARGEST])
    with pytest.raises(NotFoundError):
        TileReader(stored.get_block, LARGEST).read_hashes([(0, 0), address])


@pytest.mark.parametrize("place", [(0, 0), (0, 2), (1, 0)])
def test_a_damaged_block_is_reported(tree: NaiveTree, place: tuple[int, int]) -> None:
    stored = StoredTree()
    stored.append(tree.leaves[:LARGEST])
    reader = TileReader(stored.get_block, LARGEST)
    address = (8 * place[0], 256 * place[1])
    assert reader.read_hashes([address]) == tree.read_hashes([address])
    whole = stored.blocks[place]
    narrower = block_width(whole) - 1
    for damaged in (
        *(b"", whole[:-1], whole[:-32], whole[32:], whole + b"\0", bytes(16_352)),
        encode_block(tree.leaves[:narrower]),
    ):
        stored.blocks[place] = damaged
        with pytest.raises(CorruptStoreError, match=f"block {place[1]} of level {place[0]}"):
            reader.read_hashes([address])
    del stored.blocks[place]
    with pytest.raises(CorruptStoreError, match="missing"):
        reader.read_hashes([address])


@pytest.mark.parametrize("place", [(0, 2), (1, 0)])
def test_growing_refuses_a_partial_block_of_another_width(
    tree: NaiveTree, place: tuple[int, int]
) -> None:
    stored = StoredTree()
    stored.append(tree.leaves[:LARGEST])
    growth = stored.right_edge.grow(tree.leaves[LARGEST : LARGEST + 300])
    whole = stored.blocks[place]
    wider = encode_block(tree.leaves[: block_width(whole) + 1])
    for damaged in (None, b"", whole[:-32], whole + b"\0", wider):
        if damaged is None:
            del stored.blocks[place]
        else:
            stored.blocks[place] = damaged
        with pytest.raises(CorruptStoreError):
            extend_blocks(growth, stored.get_block)
    stored.blocks[place] = whole
    assert len(extend_blocks(growth, stored.get_block)) == 3


def test_width_of_every_tile() -> None:
    # tlog-tiles, "Partial Tiles", both examples.
    assert [tile_width(0, index, 70_000) for index in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [tile_width(1, index, 70_000) for index in (0, 1, 2)] == [256, 17, 0]
    assert [tile_width(2, 0, 70_000), tile_width(3, 0, 70_000)] == [1, 0]
    assert [tile_width(0, 0, 256), tile_width(0, 1, 256), tile_width(1, 0, 256)] == [256, 0, 1]


def test_the_root_of_a_full_tile_is_a_hash_above(tree: NaiveTree) -> None:
    stored = StoredTree()
    stored.append(tree.leaves[:LARGEST])
    for index in (0, 1):
        tile = tree.leaves[256 * index : 256 * (index + 1)]
        assert stored.blocks[1, 0][32 * index : 32 * (index + 1)] == tree_root(tile)
