from __future__ import annotations

import hashlib

import pytest

from ledger.merkle.hashing import (
    EMPTY_ROOT,
    leaf_hash,
    leaf_hashes,
    node_hash,
    parent_hashes,
    tree_root,
)
from tests.ledger.merkle.naive_tree import NaiveTree, leaves


def test_prefixes_are_those_of_rfc_6962() -> None:
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    assert leaf_hash(b"left") == hashlib.sha256(b"\x00left").digest()
    assert node_hash(left, right) == hashlib.sha256(b"\x01" + left + right).digest()


def test_empty_root_is_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert tree_root([]) == EMPTY_ROOT


def test_an_empty_entry_is_not_the_empty_tree() -> None:
    assert leaf_hash(b"") != EMPTY_ROOT


def test_bulk_leaf_hashes_are_the_single_ones() -> None:
    entries = [bytes([length]) * length for length in range(200)]
    assert leaf_hashes(entries) == [leaf_hash(entry) for entry in entries]


@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 9])
def test_parents_pair_a_row_and_leave_an_odd_last_hash(size: int) -> None:
    row = leaves(size)
    expected = [node_hash(row[2 * i], row[2 * i + 1]) for i in range(size // 2)]
    assert parent_hashes(row) == expected


def test_tree_root_is_the_recursive_one() -> None:
    tree = NaiveTree(leaves(300))
    for size in range(301):
        assert tree_root(tree.leaves[:size]) == tree.mth(0, size)


def test_tree_root_keeps_its_input() -> None:
    row = leaves(7)
    before = list(row)
    tree_root(row)
    assert row == before
