"""Range proofs made once verify for ever, those of old versions too.

The files are never made again but to the same bytes: `DIGESTS` are there so that nobody
makes them anew together with the code.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from tests.zkproofs.frozen.generate_range_proofs import CASES, FROZEN, generate
from tests.zkproofs.range_samples import VERSIONS
from zkproofs.errors import VerificationError
from zkproofs.group import group, using
from zkproofs.interval import Interval
from zkproofs.pedersen import Opening, verify_opening
from zkproofs.range_proof import RangeProof, verify

DIGESTS = {
    1: "aa2e9c532f80a8f57face3f86f9add6a64a934a50393708d15017e4e80ce0718",
    2: "152228b0f53ee6932cd53799c789955b4b4427410a717594ba1d5a73ab479023",
}
PROOFS: dict[int, dict[str, dict[str, Any]]] = {
    version: {case["name"]: case for case in json.loads(file.read_text(encoding="utf-8"))}
    for version, file in FROZEN.items()
}
every_version = pytest.mark.parametrize("version", VERSIONS)


def verify_case(case: dict[str, Any], context: str) -> None:
    proof = RangeProof.from_bytes(bytes.fromhex(case["proof"]))
    commitments = [group().decode_g1(bytes.fromhex(point)) for point in case["commitments"]]
    for commitment, opening in zip(commitments, case["openings"], strict=True):
        verify_opening(commitment, Opening.from_bytes(bytes.fromhex(opening)))
    intervals = [Interval(int(low), int(high)) for low, high in case["intervals"]]
    verify(proof, commitments, intervals, context.encode())


@every_version
def test_the_file_is_what_it_was(version: int) -> None:
    assert hashlib.sha256(FROZEN[version].read_bytes()).hexdigest() == DIGESTS[version]
    assert DIGESTS.keys() == set(VERSIONS)


@every_version
@pytest.mark.parametrize("name", CASES)
def test_a_frozen_proof_verifies(version: int, name: str) -> None:
    case = PROOFS[version][name]
    verify_case(case, case["context"])
    with pytest.raises(VerificationError):
        verify_case(case, case["context"] + "!")
    encoded = bytes.fromhex(case["proof"])
    assert encoded[0] == version
    assert RangeProof.from_bytes(encoded).to_bytes() == encoded


@every_version
def test_one_verifies_under_the_reference_too(version: int) -> None:
    case = PROOFS[version]["a byte"]
    with using("py_ecc"):
        verify_case(case, case["context"])


@every_version
def test_they_are_made_the_same_today(version: int) -> None:
    assert generate(version) == list(PROOFS[version].values())
