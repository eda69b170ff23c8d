from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import MalformedError
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import EMPTY_ROOT, leaf_hash
from tests.ledger.merkle.naive_tree import NaiveTree, leaves

LARGEST = 600


@pytest.fixture(scope="module")
def tree() -> NaiveTree:
    return NaiveTree(leaves(5000))


def test_nothing_appended_is_the_empty_tree() -> None:
    assert CompactRange().size == 0
    assert CompactRange().root() == EMPTY_ROOT
    assert CompactRange().extend([]) == CompactRange()


def test_one_leaf_at_a_time(tree: NaiveTree) -> None:
    edge = CompactRange()
    for size in range(1, LARGEST + 1):
        edge = edge.extend([tree.leaves[size - 1]])
        assert edge.size == size
        assert edge.root() == tree.mth(0, size)
        assert edge == CompactRange.from_reader(size, tree)


def test_all_leaves_at_once(tree: NaiveTree) -> None:
    for size in range(LARGEST + 1):
        edge = CompactRange().extend(tree.leaves[:size])
        assert edge.root() == tree.mth(0, size)
        assert edge == CompactRange.from_reader(size, tree)


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.integers(0, 700), max_size=7))
def test_any_batches_give_the_same_tree(tree: NaiveTree, steps: list[int]) -> None:
    edge = CompactRange()
    for step in steps:
        growth = edge.grow(tree.leaves[edge.size : edge.size + step])
        assert growth.old_size == edge.size
        for level, row in enumerate(growth.rows):
            # Exactly the subtrees that the new leaves completed, in order.
            indices = range(growth.old_size >> level, growth.after.size >> level)
            assert row == tree.read_hashes([(level, index) for index in indices])
        assert growth.after.size >> len(growth.rows) == growth.old_size >> len(growth.rows)
        edge = growth.after
    assert edge.root() == tree.mth(0, sum(steps))


def test_growing_leaves_the_range_as_it_was(tree: NaiveTree) -> None:
    edge = CompactRange().extend(tree.leaves[:7])
    edge.extend(tree.leaves[7:20])
    assert edge.root() == tree.mth(0, 7)


@pytest.mark.parametrize(
    ("size", "hashes"),
    [
        (1, ()),
        (0, (bytes(32),)),
        (3, (bytes(32),)),
        (4, (bytes(32),) * 2),
        (1, (bytes(31),)),
        (-1, (bytes(32),)),
        (True, (bytes(32),)),
        (2**63, (bytes(32),)),
    ],
)
def test_a_range_that_is_none_is_refused(size: Any, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(MalformedError):
        CompactRange(size, hashes)


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), bytes(64)])
def test_a_leaf_that_is_no_hash_is_refused(wrong: bytes) -> None:
    good = leaf_hash(b"")
    with pytest.raises(MalformedError):
        CompactRange().extend([good, wrong, good])


def test_lengths_that_add_up_are_refused_too() -> None:
    with pytest.raises(MalformedError):
        CompactRange().extend([bytes(31), bytes(33)])


def test_a_tree_has_an_end() -> None:
    full = CompactRange(2**63 - 1, (bytes(32),) * 63)
    with pytest.raises(MalformedError, match="outgrows"):
        full.extend([bytes(32)])
    assert CompactRange(2**63 - 2, (bytes(32),) * 62).extend([bytes(32)]).size == 2**63 - 1
