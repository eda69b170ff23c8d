"""The public vectors of transparency-dev/merkle."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import MalformedError, VerificationError
from ledger.merkle.consistency import prove_consistency, verify_consistency
from ledger.merkle.hashing import leaf_hash, leaf_hashes, tree_root
from ledger.merkle.inclusion import prove_inclusion, verify_inclusion
from tests.ledger.merkle.naive_tree import NaiveTree

# One vector calls two equal strings of 12 bytes roots and expects success, as its
# verifier compares before it looks. A root is 32 bytes here, always.
ROOT_IS_NO_HASH = "consistency/additional/sizes-are-equal-one-and-proof-is-empty.json"


@pytest.fixture(scope="module")
def folder(vectors: Path) -> Path:
    return vectors / "transparency-dev-merkle"


def rows(path: Path) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(found) == 98
    return found


def decoded(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def proof_of(row: dict[str, Any]) -> list[bytes]:
    return [decoded(step) for step in row["proof"] or []]


def accepts(verify: Any, *claim: Any) -> bool:
    try:
        verify(*claim)
    except (VerificationError, MalformedError):
        return False
    return True


def test_inclusion_vectors(folder: Path) -> None:
    accepted = 0
    for row in rows(folder / "inclusion.jsonl"):
        claim = (row["leafIdx"], row["treeSize"], proof_of(row), decoded(row["root"]))
        verdict = accepts(verify_inclusion, decoded(row["leafHash"]), *claim)
        assert verdict is not row["wantErr"], row["file"]
        accepted += verdict
    assert accepted == 6


def test_consistency_vectors(folder: Path) -> None:
    accepted = 0
    for row in rows(folder / "consistency.jsonl"):
        roots = decoded(row["root1"]), decoded(row["root2"])
        verdict = accepts(verify_consistency, row["size1"], row["size2"], *roots, proof_of(row))
        if row["file"] == ROOT_IS_NO_HASH:
            assert len(roots[0]) != 32
            assert not verdict
            continue
        assert verdict is not row["wantErr"], row["file"]
        accepted += verdict
    assert accepted == 5


def test_roots(folder: Path) -> None:
    known = json.loads((folder / "roots.json").read_text())
    row = leaf_hashes(map(bytes.fromhex, known["leaf_inputs_hex"]))
    for size, root in enumerate(known["roots_hex_by_size"]):
        assert tree_root(row[:size]).hex() == root


def subtrees(end: int) -> Iterator[int]:
    """Starts of the valid subtrees [start, end) (draft-ietf-plants-merkle-tree-certs)."""
    for start in range(end + 1):
        # bitceil(n): the smallest power of two that is at least n.
        if start in (0, end) or start % (1 << (end - start - 1).bit_length()) == 0:
            yield start


def line(head: str, proof: list[bytes] | tuple[bytes, ...]) -> bytes:
    return " ".join([head, *(step.hex() for step in proof)]).encode() + b"\n"


@pytest.fixture(scope="module")
def rolling(folder: Path) -> dict[str, Any]:
    known: dict[str, Any] = json.loads((folder / "rolling.json").read_text())
    return known


@pytest.fixture(scope="module")
def single_bytes() -> list[bytes]:
    return [leaf_hash(bytes([index])) for index in range(130)]


def test_rolling_digest_of_subtree_hashes(
    rolling: dict[str, Any], single_bytes: list[bytes]
) -> None:
    digest = hashlib.sha256()
    for end in range(131):
        for start in subtrees(end):
            digest.update(line(f"[{start}, {end})", [tree_root(single_bytes[start:end])]))
    assert digest.hexdigest() == rolling["hashes"]["sha256"]


def test_rolling_digest_of_inclusion_proofs(
    rolling: dict[str, Any], single_bytes: list[bytes]
) -> None:
    digest = hashlib.sha256()
    for end in range(131):
        for start in subtrees(end):
            tree = NaiveTree(single_bytes[start:end])
            for index in range(end - start):
                proof = prove_inclusion(index, end - start, tree)
                digest.update(line(f"{start + index} [{start}, {end})", proof))
    assert digest.hexdigest() == rolling["inclusion"]["sha256"]


def test_rolling_digest_of_consistency_proofs(
    rolling: dict[str, Any], single_bytes: list[bytes]
) -> None:
    # Rows that start at 0 are RFC 6962 consistency proofs, from the library. The others
    # are of subtrees, which the library has no use for; the reference gives those.
    tree = NaiveTree(single_bytes)
    digest = hashlib.sha256()
    for n in range(131):
        for end in range(n + 1):
            for start in subtrees(end):
                if start == end:
                    proof: list[bytes] | tuple[bytes, ...] = []
                elif start == 0:
                    proof = prove_consistency(end, n, tree)
                else:
                    proof = tree.subtree_proof(start, end, 0, n)
                digest.update(line(f"[{start}, {end}) {n}", proof))
    assert digest.hexdigest() == rolling["consistency"]["sha256"]
