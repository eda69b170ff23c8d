from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import LedgerError, MalformedError, NotFoundError, VerificationError
from ledger.merkle.inclusion import prove_inclusion, range_before, verify_inclusion
from ledger.merkle.tiles import TileReader
from tests.ledger.merkle.naive_tree import NaiveTree, StoredTree, leaves

LARGEST = 100


@pytest.fixture(scope="module")
def tree() -> NaiveTree:
    return NaiveTree(leaves(LARGEST))


@pytest.fixture(scope="module")
def stored() -> StoredTree:
    stored = StoredTree()
    stored.append(leaves(5000))
    return stored


@pytest.fixture(scope="module")
def large() -> NaiveTree:
    return NaiveTree(leaves(5000))


def test_every_proof_of_every_small_tree(tree: NaiveTree) -> None:
    for size in range(1, LARGEST + 1):
        root = tree.mth(0, size)
        for index in range(size):
            proof = prove_inclusion(index, size, tree)
            assert list(proof) == tree.path(index, 0, size)
            verify_inclusion(tree.leaves[index], index, size, proof, root)


def test_every_proof_holds_the_tree_before_its_leaf(tree: NaiveTree) -> None:
    for size in range(1, LARGEST + 1):
        for index in range(size):
            before = range_before(index, size, prove_inclusion(index, size, tree))
            assert (before.size, before.root()) == (index, tree.mth(0, index))


def test_the_tree_before_a_leaf_is_not_made_of_another_proof(tree: NaiveTree) -> None:
    proof = prove_inclusion(8, 9, tree)
    assert range_before(8, 9, proof).root() == tree.mth(0, 8)
    for other in (proof[:-1], (*proof, bytes(32)), (b"short", *proof[1:])):
        with pytest.raises(MalformedError):
            range_before(8, 9, other)


def test_every_proof_hash_is_covered(tree: NaiveTree) -> None:
    for size in range(1, LARGEST + 1):
        root = tree.mth(0, size)
        for index in range(size):
            proof = prove_inclusion(index, size, tree)
            for place, step in enumerate(proof):
                byte = (index + place) % 32
                damaged = bytearray(step)
                damaged[byte] ^= 1
                claim = [*proof[:place], bytes(damaged), *proof[place + 1 :]]
                with pytest.raises(VerificationError, match="root"):
                    verify_inclusion(tree.leaves[index], index, size, claim, root)


def test_every_byte_is_covered(tree: NaiveTree) -> None:
    for size in range(1, 12):
        root = tree.mth(0, size)
        for index in range(size):
            proof = prove_inclusion(index, size, tree)
            parts = [tree.leaves[index], root, *proof]
            for place, part in enumerate(parts):
                for byte in range(32):
                    damaged = list(parts)
                    damaged[place] = part[:byte] + bytes([part[byte] ^ 0x80]) + part[byte + 1 :]
                    leaf, wrong_root, *wrong_proof = damaged
                    with pytest.raises(VerificationError):
                        verify_inclusion(leaf, index, size, wrong_proof, wrong_root)


def test_every_other_index_is_refused(tree: NaiveTree) -> None:
    for size in range(1, 40):
        root = tree.mth(0, size)
        for index in range(size):
            proof = prove_inclusion(index, size, tree)
            for other in range(size + 3):
                if other != index:
                    with pytest.raises(VerificationError):
                        verify_inclusion(tree.leaves[index], other, size, proof, root)


def test_every_other_checkpoint_is_refused(tree: NaiveTree) -> None:
    for size in range(1, 40):
        for index in range(size):
            proof = prove_inclusion(index, size, tree)
            for other in range(size + 9):
                if other != size:
                    with pytest.raises(VerificationError):
                        verify_inclusion(
                            tree.leaves[index], index, other, proof, tree.mth(0, other)
                        )


def test_a_longer_or_shorter_or_reordered_proof_is_refused(tree: NaiveTree) -> None:
    for size in range(1, LARGEST + 1):
        root = tree.mth(0, size)
        for index in range(0, size, 3):
            leaf, proof = tree.leaves[index], prove_inclusion(index, size, tree)
            wrong = [(*proof, root), (leaf, *proof), (*proof, proof[-1] if proof else leaf)]
            if proof:
                wrong += [proof[:-1], proof[1:], ()]
            if len(proof) > 1:
                wrong.append(proof[::-1])
            for claim in wrong:
                with pytest.raises(VerificationError):
                    verify_inclusion(leaf, index, size, claim, root)


def test_proof_length_is_named(tree: NaiveTree) -> None:
    proof, root = prove_inclusion(2, 7, tree), tree.mth(0, 7)
    with pytest.raises(VerificationError, match="too short"):
        verify_inclusion(tree.leaves[2], 2, 7, proof[:-1], root)
    with pytest.raises(VerificationError, match="too long"):
        verify_inclusion(tree.leaves[2], 2, 7, (*proof, root), root)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_proofs_from_blocks_are_the_recursive_ones(
    stored: StoredTree, large: NaiveTree, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, 5000))
    index = data.draw(st.integers(0, size - 1))
    # The reader knows the tree as it is now, or as it was at any size since.
    reader = TileReader(stored.get_block, data.draw(st.integers(size, 5000)))
    proof = prove_inclusion(index, size, reader)
    assert list(proof) == large.path(index, 0, size)
    verify_inclusion(large.leaves[index], index, size, proof, large.mth(0, size))


@settings(max_examples=150, deadline=None)
@given(
    index=st.integers(0, 40),
    size=st.integers(0, 40),
    proof=st.lists(st.binary(min_size=30, max_size=33), max_size=8),
)
def test_noise_is_refused_with_our_errors(
    tree: NaiveTree, index: int, size: int, proof: list[bytes]
) -> None:
    if size == 1 and index == 0 and not proof:
        proof = [bytes(32)]
    with pytest.raises((VerificationError, MalformedError)):
        verify_inclusion(tree.leaves[0], index, size, proof, tree.mth(0, size))


HASH = bytes(32)


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param((HASH, -1, 1, (), HASH), id="negative index"),
        pytest.param((HASH, 0, -1, (), HASH), id="negative size"),
        pytest.param((HASH, 0, 2**63, (), HASH), id="size 2^63"),
        pytest.param((HASH, 2**63, 2**64, (), HASH), id="index 2^63"),
        pytest.param((HASH, False, 1, (), HASH), id="boolean index"),
        pytest.param((HASH, 0, True, (), HASH), id="boolean size"),
        pytest.param((HASH, 0.0, 1, (), HASH), id="float index"),
        pytest.param((HASH, 0, "1", (), HASH), id="text size"),
        pytest.param((HASH, None, 1, (), HASH), id="no index"),
        pytest.param((HASH[:31], 0, 1, (), HASH[:31]), id="short leaf hash and root"),
        pytest.param((HASH + b"\0", 0, 1, (), HASH + b"\0"), id="long leaf hash and root"),
        pytest.param((HASH, 0, 1, (), HASH[:31]), id="short root"),
        pytest.param((bytearray(HASH), 0, 1, (), HASH), id="mutable leaf hash"),
        pytest.param(("0" * 32, 0, 1, (), "0" * 32), id="text hashes"),
        pytest.param((HASH, 0, 2, (HASH[:31],), HASH), id="short proof hash"),
        pytest.param((HASH, 0, 2, (b"",), HASH), id="empty proof hash"),
        pytest.param((HASH, 0, 2, (HASH * 2,), HASH), id="two hashes as one"),
        pytest.param((HASH, 0, 2, (None,), HASH), id="no proof hash"),
        pytest.param((HASH, 0, 2, HASH, HASH), id="bytes as proof"),
        pytest.param((HASH, 0, 1, None, HASH), id="no proof"),
    ],
)
def test_malformed_claims_are_refused(claim: Any) -> None:
    with pytest.raises(MalformedError):
        verify_inclusion(*claim)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (7, 7), (8, 7), (2**63 - 1, 1)])
def test_index_at_or_beyond_size_is_refused(index: int, size: int) -> None:
    with pytest.raises(VerificationError, match="cannot be in a tree"):
        verify_inclusion(HASH, index, size, (), HASH)


def test_a_long_proof_of_a_huge_tree_is_only_a_wrong_proof() -> None:
    with pytest.raises(VerificationError):
        verify_inclusion(HASH, 2**62, 2**63 - 1, (HASH,) * 63, HASH)


@pytest.mark.parametrize(("index", "size"), [(5, 5), (0, 0), (0, LARGEST + 1), (500, 501)])
def test_prover_refuses_what_is_not_there(index: int, size: int, tree: NaiveTree) -> None:
    stored = StoredTree()
    stored.append(tree.leaves)
    reader = TileReader(stored.get_block, LARGEST)
    with pytest.raises(NotFoundError):
        prove_inclusion(index, size, reader)


@pytest.mark.parametrize(("index", "size"), [(-1, 5), (0, 2**63), (True, 5), (1, "5")])
def test_prover_refuses_what_is_no_number(index: Any, size: Any, tree: NaiveTree) -> None:
    with pytest.raises(LedgerError):
        prove_inclusion(index, size, tree)
