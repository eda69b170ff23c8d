from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import MalformedError, NotFoundError, RefusedError, VerificationError
from ledger.merkle.consistency import prove_consistency, verify_consistency
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


def test_every_pair_of_small_trees(tree: NaiveTree) -> None:
    for size in range(1, LARGEST + 1):
        for old_size in range(1, size + 1):
            proof = prove_consistency(old_size, size, tree)
            assert list(proof) == tree.proof(old_size, size)
            verify_consistency(old_size, size, tree.mth(0, old_size), tree.mth(0, size), proof)


def test_every_proof_hash_is_covered(tree: NaiveTree) -> None:
    for size in range(1, LARGEST + 1):
        for old_size in range(1, size):
            roots = tree.mth(0, old_size), tree.mth(0, size)
            proof = prove_consistency(old_size, size, tree)
            for place, step in enumerate(proof):
                byte = (old_size + place) % 32
                damaged = step[:byte] + bytes([step[byte] ^ 1]) + step[byte + 1 :]
                claim = [*proof[:place], damaged, *proof[place + 1 :]]
                with pytest.raises(VerificationError, match="root"):
                    verify_consistency(old_size, size, *roots, claim)


def test_every_byte_is_covered(tree: NaiveTree) -> None:
    for size in range(1, 12):
        for old_size in range(1, size + 1):
            proof = prove_consistency(old_size, size, tree)
            parts = [tree.mth(0, old_size), tree.mth(0, size), *proof]
            for place, part in enumerate(parts):
                for byte in range(32):
                    damaged = list(parts)
                    damaged[place] = part[:byte] + bytes([part[byte] ^ 0x80]) + part[byte + 1 :]
                    old_root, root, *claim = damaged
                    with pytest.raises(VerificationError):
                        verify_consistency(old_size, size, old_root, root, claim)


def test_every_other_pair_of_checkpoints_is_refused(tree: NaiveTree) -> None:
    for size in range(2, 24):
        for old_size in range(1, size):
            proof = prove_consistency(old_size, size, tree)
            for other_size in range(1, 26):
                for other_old in range(1, other_size + 1):
                    if (other_old, other_size) == (old_size, size):
                        continue
                    roots = tree.mth(0, other_old), tree.mth(0, other_size)
                    with pytest.raises(VerificationError):
                        verify_consistency(other_old, other_size, *roots, proof)


def test_a_longer_or_shorter_or_reordered_proof_is_refused(tree: NaiveTree) -> None:
    for size in range(2, LARGEST + 1):
        for old_size in range(1, size, 3):
            roots = tree.mth(0, old_size), tree.mth(0, size)
            proof = prove_consistency(old_size, size, tree)
            wrong = [(), proof[:-1], proof[1:], (*proof, roots[1]), (roots[0], *proof)]
            if len(proof) > 1:
                wrong.append(proof[::-1])
            for claim in wrong:
                with pytest.raises(VerificationError):
                    verify_consistency(old_size, size, *roots, claim)


def test_proof_length_is_named(tree: NaiveTree) -> None:
    for old_size in (3, 4):
        roots, proof = (tree.mth(0, old_size), tree.mth(0, 7)), tree.proof(old_size, 7)
        with pytest.raises(VerificationError, match="empty" if old_size == 4 else "too short"):
            verify_consistency(old_size, 7, *roots, proof[:-1])
        with pytest.raises(VerificationError, match="too long"):
            verify_consistency(old_size, 7, *roots, [*proof, roots[1]])


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_proofs_from_blocks_are_the_recursive_ones(
    stored: StoredTree, large: NaiveTree, data: st.DataObject
) -> None:
    size = data.draw(st.integers(1, 5000))
    old_size = data.draw(st.integers(1, size))
    reader = TileReader(stored.get_block, data.draw(st.integers(size, 5000)))
    proof = prove_consistency(old_size, size, reader)
    assert list(proof) == large.proof(old_size, size)
    verify_consistency(old_size, size, large.mth(0, old_size), large.mth(0, size), proof)


HASH, OTHER = bytes(32), bytes([1]) * 32


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        pytest.param((0, 5, HASH, HASH, ()), "from size 0", id="from size 0"),
        pytest.param((0, 5, HASH, HASH, (HASH,)), "from size 0", id="from size 0 with a proof"),
        pytest.param((0, 0, HASH, HASH, ()), "from size 0", id="both sizes 0"),
        pytest.param((6, 5, HASH, HASH, ()), "no prefix", id="old size larger"),
        pytest.param((5, 0, HASH, HASH, ()), "no prefix", id="size 0"),
        pytest.param((5, 5, HASH, HASH, (HASH,)), "not empty", id="equal sizes with a proof"),
        pytest.param((5, 5, HASH, OTHER, ()), "two different roots", id="split view"),
        pytest.param((4, 5, HASH, HASH, ()), "empty", id="no proof"),
    ],
)
def test_false_claims_are_refused(claim: Any, reason: str) -> None:
    with pytest.raises(VerificationError, match=reason):
        verify_consistency(*claim)


def test_equal_checkpoints_are_consistent() -> None:
    verify_consistency(5, 5, HASH, HASH, ())


@pytest.mark.parametrize(
    "claim",
    [
        pytest.param((-1, 5, HASH, HASH, ()), id="negative old size"),
        pytest.param((1, -5, HASH, HASH, ()), id="negative size"),
        pytest.param((1, 2**63, HASH, HASH, (HASH,)), id="size 2^63"),
        pytest.param((2**63, 2**63, HASH, HASH, ()), id="sizes 2^63"),
        pytest.param((True, 5, HASH, HASH, ()), id="boolean old size"),
        pytest.param((1, True, HASH, HASH, ()), id="boolean size"),
        pytest.param((1.0, 1, HASH, HASH, ()), id="float old size"),
        pytest.param((1, None, HASH, HASH, ()), id="no size"),
        pytest.param((5, 5, HASH[1:], HASH[1:], ()), id="short roots"),
        pytest.param((5, 5, HASH, HASH + HASH, ()), id="long root"),
        pytest.param((5, 5, "", "", ()), id="text roots"),
        pytest.param((4, 5, HASH, HASH, (HASH[1:],)), id="short proof hash"),
        pytest.param((4, 5, HASH, HASH, (HASH * 2,)), id="two hashes as one"),
        pytest.param((4, 5, HASH, HASH, HASH), id="bytes as proof"),
        pytest.param((5, 5, HASH, HASH, None), id="no proof"),
    ],
)
def test_malformed_claims_are_refused(claim: Any) -> None:
    with pytest.raises(MalformedError):
        verify_consistency(*claim)


def test_prover_refuses_what_proves_nothing(tree: NaiveTree) -> None:
    with pytest.raises(RefusedError):
        prove_consistency(0, 5, tree)
    with pytest.raises(NotFoundError):
        prove_consistency(6, 5, tree)
    with pytest.raises(MalformedError):
        prove_consistency(-1, 5, tree)
    with pytest.raises(MalformedError):
        prove_consistency(True, 5, tree)


def test_prover_refuses_a_tree_larger_than_the_log(stored: StoredTree) -> None:
    with pytest.raises(NotFoundError):
        prove_consistency(3, 5001, TileReader(stored.get_block, 5000))
