"""Range proofs made once verify for ever."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.zkproofs.frozen.generate_range_proofs import CASES, FROZEN, generate
from zkproofs.errors import VerificationError
from zkproofs.group import group, using
from zkproofs.interval import Interval
from zkproofs.pedersen import Opening, verify_opening
from zkproofs.range_proof import RangeProof, verify

PROOFS: dict[str, dict[str, Any]] = {
    case["name"]: case for case in json.loads(FROZEN.read_text(encoding="utf-8"))
}


def verify_case(case: dict[str, Any], context: str) -> None:
    proof = RangeProof.from_bytes(bytes.fromhex(case["proof"]))
    commitments = [group().decode_g1(bytes.fromhex(point)) for point in case["commitments"]]
    for commitment, opening in zip(commitments, case["openings"], strict=True):
        verify_opening(commitment, Opening.from_bytes(bytes.fromhex(opening)))
    intervals = [Interval(int(low), int(high)) for low, high in case["intervals"]]
    verify(proof, commitments, intervals, context.encode())


@pytest.mark.parametrize("name", CASES)
def test_a_frozen_proof_verifies(name: str) -> None:
    case = PROOFS[name]
    verify_case(case, case["context"])
    with pytest.raises(VerificationError):
        verify_case(case, case["context"] + "!")
    encoded = bytes.fromhex(case["proof"])
    assert RangeProof.from_bytes(encoded).to_bytes() == encoded


def test_one_verifies_under_the_reference_too() -> None:
    with using("py_ecc"):
        verify_case(PROOFS["a byte"], PROOFS["a byte"]["context"])


def test_they_are_made_the_same_today() -> None:
    assert generate() == list(PROOFS.values())
