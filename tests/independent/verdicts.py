"""Run the verifier in this process: accept a proof, or see it refused, for a reason if given."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.independent import verify_claim
from tests.independent.proof_maker import ROBOT, proof_of


def accept(
    proof: str | bytes,
    vkey: str = ROBOT.vkey,
    recording: Path | None = None,
    chunk: tuple[int, bytes] | None = None,
) -> list[str]:
    raw = proof.encode() if isinstance(proof, str) else proof
    return verify_claim.verify(raw, vkey, recording, chunk)


def refuse(
    proof: str | bytes,
    why: str = "",
    vkey: str = ROBOT.vkey,
    recording: Path | None = None,
    chunk: tuple[int, bytes] | None = None,
) -> None:
    with pytest.raises(ValueError, match=why or None):
        accept(proof, vkey, recording, chunk)


def refuse_entry(leaf_entry: bytes, why: str) -> None:
    refuse(proof_of(leaf_entry), why)


