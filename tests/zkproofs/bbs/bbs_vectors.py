"""The fixtures of the BBS drafts, read into the kit's own objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zkproofs.bbs import Ciphersuite
from zkproofs.bbs.ciphersuite import EXPAND_LEN
from zkproofs.bbs.randomness import ScalarSource
from zkproofs.group import Scalar, expand_message, group

SUITES = {
    Ciphersuite.SHA_256: "bls12-381-sha-256",
    Ciphersuite.SHAKE_256: "bls12-381-shake-256",
}
SEED = b"3.141592653589793238462643383279"

Case = dict[str, Any]


def read(vectors: Path, suite: Ciphersuite, *path: str, folder: str = "bbs") -> Case:
    """One fixture file."""
    case: Case = json.loads(vectors.joinpath(folder, SUITES[suite], *path).read_text())
    return case


COUNTS = {
    ("bbs", "signature"): 10,
    ("bbs", "proof"): 15,
    ("bbs-blind", "commit"): 2,
    ("bbs-blind", "signature"): 5,
    ("bbs-blind", "proof"): 8,
    ("bbs-pseudonym", "nymCommit"): 2,
    ("bbs-pseudonym", "nymSignature"): 4,
    ("bbs-pseudonym", "nymProof"): 7,
}


def cases(vectors: Path, suite: Ciphersuite, kind: str, folder: str = "bbs") -> Iterator[Case]:
    """All fixtures of one kind, as many as there have to be."""
    paths = sorted(vectors.joinpath(folder, SUITES[suite], kind).glob("*.json"))
    assert len(paths) == COUNTS[folder, kind]
    for path in paths:
        yield json.loads(path.read_text())


def octets(hexes: Sequence[str]) -> list[bytes]:
    return [bytes.fromhex(each) for each in hexes]


def mocked(suite: Ciphersuite, dst: bytes) -> ScalarSource:
    """seeded_random_scalars."""

    def source(count: int) -> tuple[Scalar, ...]:
        uniform = expand_message(SEED, dst, count * EXPAND_LEN, suite.value)
        return tuple(
            group().scalar(int.from_bytes(uniform[i : i + EXPAND_LEN], "big"))
            for i in range(0, len(uniform), EXPAND_LEN)
        )

    return source


def mocked_by(suite: Ciphersuite, parameters: Case, step: str) -> ScalarSource:
    """The source of one step ("commit" or "proof") of a fixture."""
    assert parameters["SEED"].encode() == SEED
    # Its "count" is not asked: one fixture (SHAKE, nymCommit001) has it one too low.
    return mocked(suite, parameters[step]["DST"].encode())
