"""Attacks that other ledgers' verifiers and stores have fallen for."""

from __future__ import annotations

import pytest

from ledger.errors import VerificationError
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.consistency import prove_consistency, verify_consistency
from ledger.merkle.hashing import leaf_hash, node_hash
from ledger.merkle.inclusion import prove_inclusion, verify_inclusion
from ledger.merkle.tiles import TileReader
from tests.ledger.merkle.naive_tree import NaiveTree, StoredTree, leaves

ENTRIES = [b"entry %d" % index for index in range(40)]


@pytest.fixture
def tree() -> NaiveTree:
    return NaiveTree([leaf_hash(entry) for entry in ENTRIES])


def test_a_tree_that_was_prepended_to_is_no_growth(tree: NaiveTree) -> None:
    # The old tree is a whole subtree of the new one, only not at its start: every hash
    # needed to go from one root to the other exists.
    for size in range(1, 20):
        for added in range(1, 20):
            old = NaiveTree(tree.leaves[:size])
            grown = NaiveTree([*leaves(added), *tree.leaves[:size]])
            old_root, root = old.mth(0, size), grown.mth(0, size + added)
            claims = [
                grown.proof(size, size + added),
                grown.proof(added, size + added),
                prove_consistency(size, size + added, grown),
                [*old.proof(size, size), grown.mth(0, added)],
                [old_root, grown.mth(0, added)],
                [grown.mth(0, added)],
            ]
            for proof in claims:
                with pytest.raises(VerificationError):
                    verify_consistency(size, size + added, old_root, root, proof)


def test_a_removed_or_replaced_or_swapped_entry_is_no_growth(tree: NaiveTree) -> None:
    size, grown_size = 13, 29
    old_root = tree.mth(0, size)
    original = tree.leaves[:grown_size]
    for place in range(size):
        replaced = [*original[:place], leaf_hash(b"forged"), *original[place + 1 :]]
        removed = [*original[:place], *original[place + 1 :], leaf_hash(b"filler")]
        swapped = [*original]
        swapped[place], swapped[place + 1] = swapped[place + 1], swapped[place]
        for forged in (replaced, removed, swapped):
            other = NaiveTree(forged)
            root = other.mth(0, grown_size)
            for proof in (other.proof(size, grown_size), tree.proof(size, grown_size)):
                with pytest.raises(VerificationError):
                    verify_consistency(size, grown_size, old_root, root, proof)


def test_tampered_sizes_are_refused(tree: NaiveTree) -> None:
    # The sizes are the verifier's: a true proof under other sizes proves nothing.
    for old_size, size in ((3, 7), (4, 8), (6, 8), (7, 21), (8, 40), (1, 2), (16, 32)):
        proof = prove_consistency(old_size, size, tree)
        roots = tree.mth(0, old_size), tree.mth(0, size)
        verify_consistency(old_size, size, *roots, proof)
        for wrong_old in range(1, old_size):
            with pytest.raises(VerificationError):
                verify_consistency(wrong_old, size, *roots, proof)
        with pytest.raises(VerificationError):
            verify_consistency(size, old_size, *roots, proof)
        with pytest.raises(VerificationError):
            verify_consistency(size, size, *roots, proof)
        with pytest.raises(VerificationError):
            verify_consistency(0, size, *roots, proof)


def test_an_inner_node_is_no_leaf(tree: NaiveTree) -> None:
    # Two halves of an inner node offered as a 64-byte entry: the prefixes differ.
    for size in (2, 4, 8, 16, 32):
        middle = size // 2
        halves = tree.mth(0, middle) + tree.mth(middle, size)
        forged = leaf_hash(halves)
        assert forged != tree.mth(0, size)
        with pytest.raises(VerificationError):
            verify_inclusion(forged, 0, 1, (), tree.mth(0, size))


def test_an_inner_hash_offered_as_leaf_hash_is_refused(tree: NaiveTree) -> None:
    # An inner node with the upper part of a true path, at every index of its subtree.
    size = 16
    root = tree.mth(0, size)
    for level in range(1, 5):
        for index in range(size >> level):
            inner = tree.mth(index << level, (index + 1) << level)
            upper = prove_inclusion(index << level, size, tree)[level:]
            for claimed in range(size):
                with pytest.raises(VerificationError):
                    verify_inclusion(inner, claimed, size, upper, root)


def test_a_leaf_below_a_leaf_is_refused(tree: NaiveTree) -> None:
    # An entry made of two hashes, claimed to be an inner node with a leaf below it.
    left, right = leaf_hash(b"left"), leaf_hash(b"right")
    hidden = NaiveTree([leaf_hash(b"\x01" + left + right), leaf_hash(left + right)])
    for claimed in range(4):
        for sibling in (right, left):
            for size in (2, 3, 4):
                if claimed >= size:
                    continue
                path = (sibling, *prove_inclusion(0, 2, hidden))
                with pytest.raises(VerificationError):
                    verify_inclusion(left, claimed, size, path, hidden.mth(0, 2))


def test_siblings_cannot_change_sides(tree: NaiveTree) -> None:
    root = node_hash(tree.leaves[0], tree.leaves[1])
    verify_inclusion(tree.leaves[0], 0, 2, (tree.leaves[1],), root)
    with pytest.raises(VerificationError):
        verify_inclusion(tree.leaves[0], 1, 2, (tree.leaves[1],), root)
    with pytest.raises(VerificationError):
        verify_inclusion(tree.leaves[1], 0, 2, (tree.leaves[0],), root)


def test_a_flipped_inner_hash_in_the_store_never_reaches_the_root() -> None:
    # The root to be signed grows from entries alone. A proof read from the damaged
    # block is wrong, and does not verify.
    honest, stored = NaiveTree(leaves(700)), StoredTree()
    stored.append(honest.leaves[:300])
    for byte in range(32 * 256, 16_320, 97):
        damaged = StoredTree()
        damaged.right_edge = stored.right_edge
        block = bytearray(stored.blocks[0, 0])
        block[byte] ^= 4
        damaged.blocks = {**stored.blocks, (0, 0): bytes(block)}
        partial = bytearray(stored.blocks[0, 1])
        partial[byte % len(partial)] ^= 4
        damaged.blocks[0, 1] = bytes(partial)
        damaged.append(honest.leaves[300:])
        assert damaged.right_edge.root() == honest.mth(0, 700)

        node = (byte - 32 * 256) // 32
        height = 1
        while node >= 256 >> height:
            node -= 256 >> height
            height += 1
        leaf = (node ^ 1) << height
        reader = TileReader(damaged.get_block, 700)
        proof = prove_inclusion(leaf, 700, reader)
        with pytest.raises(VerificationError):
            verify_inclusion(honest.leaves[leaf], leaf, 700, proof, honest.mth(0, 700))


def test_a_flipped_right_edge_shows_in_its_root() -> None:
    # What the restart rule relies on: read the edge, compare with the signed root.
    honest, stored = NaiveTree(leaves(300)), StoredTree()
    stored.append(honest.leaves)
    # 300 = 256 + 32 + 8 + 4: the edge is a hash of level 1 and three inner hashes.
    signed = honest.mth(0, 300)
    assert CompactRange.from_reader(300, TileReader(stored.get_block, 300)).root() == signed
    seen = 0
    for place, block in list(stored.blocks.items()):
        for byte in range(0, len(block), 32):
            stored.blocks[place] = block[:byte] + bytes([block[byte] ^ 1]) + block[byte + 1 :]
            edge = CompactRange.from_reader(300, TileReader(stored.get_block, 300))
            seen += edge.root() != signed
        stored.blocks[place] = block
    assert seen == 4
