"""Our judge and the one written from the format page alone say the same, of all that there is."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature

from ledger.errors import LedgerError
from ledger.witness import cosign_checkpoint
from ledger.witnessing.evidence import ForkClaim, verify_evidence
from tests.independent.judge_evidence import judge
from tests.ledger.witnessing.sample_trees import (
    KEYS,
    LOG,
    OTHER_LOG,
    WITNESSES,
    fork_at,
    note,
    path,
)

VKEY = LOG.verifier_key.encode()
FROZEN = Path(__file__).parents[1] / "frozen" / "evidence"


def ours(data: bytes) -> bool:
    try:
        verify_evidence(data, KEYS)
    except LedgerError:
        return False
    return True


def theirs(data: bytes) -> bool:
    try:
        judge(data, VKEY)
    except (ValueError, InvalidSignature):
        return False
    return True


def claims() -> list[bytes]:
    made = [ForkClaim.of(note(size), note(size, 0)) for size in (1, 5)]
    for old in range(1, 12):
        for new in range(old + 1, 13):
            for fork in {0, old - 1, old}:
                made.append(ForkClaim.of(note(old), note(new, fork), path(old, new, fork_at(fork))))
    made.append(ForkClaim.of(cosign_checkpoint(note(3), WITNESSES[0], 9), note(3, 1)))
    made.append(ForkClaim.of(note(3, signer=OTHER_LOG), note(3, 1, signer=OTHER_LOG)))
    return [claim.encode() for claim in made]


def test_both_judge_alike() -> None:
    guilty = 0
    for data in claims():
        assert ours(data) == theirs(data), data
        guilty += ours(data)
    assert guilty > 100
    assert len(claims()) - guilty > 60


def test_both_judge_damaged_evidence_alike() -> None:
    rng = random.Random(3)
    whole = rng.sample(claims(), 40)
    for _ in range(1500):
        damaged = bytearray(rng.choice(whole))
        for _ in range(rng.randint(1, 2)):
            at = rng.randrange(len(damaged))
            match rng.randrange(3):
                case 0:
                    damaged[at] ^= 1 << rng.randrange(8)
                case 1:
                    del damaged[at : at + rng.randint(1, 50)]
                case _:
                    damaged[at:at] = rng.choice([b"\n", b"0", b"A" * 43 + b"=\n", b"notes "])
        assert ours(bytes(damaged)) == theirs(bytes(damaged)), bytes(damaged)


@pytest.mark.parametrize("file", sorted(FROZEN.glob("*.evidence")), ids=lambda file: file.stem)
def test_evidence_of_once_convicts_for_ever(file: Path) -> None:
    data, vkey = file.read_bytes(), (FROZEN / "log.vkey").read_text().strip()
    assert vkey == VKEY
    assert ours(data)
    done = subprocess.run(
        [sys.executable, judge.__code__.co_filename, file, vkey],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("forked: ")


def test_there_is_frozen_evidence_of_each_kind() -> None:
    assert {file.stem for file in FROZEN.glob("*.evidence")} == {
        "two-roots",
        "from-three-leaves",
        "from-four-leaves",
    }
