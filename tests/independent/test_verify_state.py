"""The stand-alone verifier of state proofs: its verdicts, and that they are ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.state.proof import StateProof, verify_absence, verify_membership
from ledger.errors import LedgerError, VerificationError
from tests.independent import verify_state
from tests.ledger.chain.state.naive_state import proof_of, root_of

STATE = {b"account %d" % number: b"%d coins" % number for number in range(40)}
ROOT = root_of(STATE)
HERE, AWAY = b"account 7", b"nobody"
PROGRAM = Path(verify_state.__file__)


def ours(root: bytes, key: bytes, data: bytes) -> bytes | None:
    proof = StateProof.from_bytes(data)
    try:
        return verify_membership(root, key, proof)
    except VerificationError:
        verify_absence(root, key, proof)
        return None


def same_verdict(root: bytes, key: bytes, data: bytes) -> bool:
    """Both refuse, or both say the same; whether they accept."""
    try:
        mine = ours(root, key, data)
    except LedgerError:
        with pytest.raises(ValueError, match=r"."):
            verify_state.check(root, key, data)
        return False
    assert verify_state.check(root, key, data) == mine
    return True


def test_it_says_what_it_found(tmp_path: Path) -> None:
    def run(key: bytes, data: bytes) -> tuple[int, str]:
        (tmp_path / "proof").write_bytes(data)
        done = subprocess.run(
            [sys.executable, "-I", PROGRAM, ROOT.hex(), key.hex(), tmp_path / "proof"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, (done.stdout or done.stderr).strip()

    assert run(HERE, proof_of(STATE, HERE)) == (0, f"present: {STATE[HERE].hex()}")
    assert run(AWAY, proof_of(STATE, AWAY)) == (0, "absent")
    assert run(HERE, proof_of(STATE, AWAY)) == (1, "REFUSED: the way leads elsewhere")


@pytest.mark.parametrize("key", [HERE, AWAY])
def test_both_accept_no_other_byte(key: bytes) -> None:
    good = proof_of(STATE, key)
    assert same_verdict(ROOT, key, good)
    for at in range(len(good)):
        for flip in (1, 2, 0x80):
            bad = good[:at] + bytes([good[at] ^ flip]) + good[at + 1 :]
            assert not same_verdict(ROOT, key, bad)
        assert not same_verdict(ROOT, key, good[:at])
    assert not same_verdict(ROOT, key, good + b"\x00")


def test_both_know_the_empty_map() -> None:
    assert same_verdict(bytes(32), AWAY, b"\x01\x00\x00")
    assert not same_verdict(ROOT, AWAY, b"\x01\x00\x00")


@given(key=st.sampled_from([HERE, AWAY, b"account 8", b""]), data=st.binary(max_size=150))
@settings(max_examples=200)
def test_both_say_the_same_of_anything(key: bytes, data: bytes) -> None:
    for candidate in (data, b"\x01" + data, b"\x01\x01" + data, b"\x01\x00\x01" + data):
        same_verdict(ROOT, key, candidate)


@given(asked=st.sampled_from([*STATE, AWAY]), told=st.sampled_from([*STATE, AWAY]))
@settings(max_examples=200)
def test_both_say_the_same_of_other_proofs(asked: bytes, told: bytes) -> None:
    assert same_verdict(ROOT, asked, proof_of(STATE, told)) == (
        proof_of(STATE, asked) == proof_of(STATE, told)
    )
