"""The paths that come with units, held to those of the Merkle log for trees of every shape."""

from __future__ import annotations

from hashlib import sha256

import pytest

from ledger.errors import NotFoundError
from ledger.exchange.unit_source import UnitTree
from ledger.experience.content_root import content_root_of_leaves, disclose_chunk
from ledger.merkle.inclusion import verify_inclusion
from ledger.merkle.reader import NodeAddress


@pytest.mark.parametrize("count", [*range(1, 36), 63, 64, 65, 100])
def test_paths_are_those_of_rfc_6962(count: int) -> None:
    leaves = [sha256(bytes([index])).digest() for index in range(count)]
    tree = UnitTree(leaves)
    assert tree.root == content_root_of_leaves(leaves)
    for index, leaf in enumerate(leaves):
        path = tree.path(index)
        assert path == disclose_chunk(leaves, bytes(32), index).path
        verify_inclusion(leaf, index, count, path, tree.root)


def test_no_units_have_the_root_of_nothing() -> None:
    assert UnitTree([]).root == sha256(b"").digest()


@pytest.mark.parametrize("index", [-1, 5, 6])
def test_there_is_no_path_beyond_the_content(index: int) -> None:
    with pytest.raises(NotFoundError):
        UnitTree([bytes(32)] * 5).path(index)


@pytest.mark.parametrize("address", [(0, 5), (1, 2), (2, 1), (3, 0), (9, 0)])
def test_only_complete_subtrees_are_read(address: NodeAddress) -> None:
    leaves = [bytes([index]) * 32 for index in range(5)]
    assert UnitTree(leaves).read_hashes([(0, 4), (0, 0)]) == [leaves[4], leaves[0]]
    with pytest.raises(NotFoundError):
        UnitTree(leaves).read_hashes([address])
