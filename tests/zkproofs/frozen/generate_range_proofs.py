"""Write the frozen range proofs again: ``python -m tests.zkproofs.frozen.generate_range_proofs``.

They were made once and must verify for ever. Running this must change nothing, since the
randomness is a fixed stream here; each version of the proof has a file of its own.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any
from unittest import mock

from tests.zkproofs.range_samples import VERSIONS, prove_in
from zkproofs.group import ORDER, group
from zkproofs.interval import Interval
from zkproofs.pedersen import Opening

FROZEN = {
    version: Path(__file__).with_name(f"range_proofs_v{version}.json") for version in VERSIONS
}

CASES: dict[str, list[tuple[int, int, int]]] = {
    "a byte": [(200, 0, 2**8 - 1)],
    "a word, at its end": [(2**64 - 1, 0, 2**64 - 1)],
    "an interval around zero": [(-3, -5, 1000)],
    "three intervals, padded": [(7, 7, 7), (2**64 + 1, 2**64, 2**64 + 99), (-1, -1, 254)],
}
"""(value, low, high) of every commitment"""


class FixedStream:
    """What stands for the operating system's randomness."""

    def __init__(self, seed: str) -> None:
        self._seed, self._drawn = seed, 0

    def randbelow(self, limit: int) -> int:
        self._drawn += 1
        block = hashlib.shake_256(f"{self._seed}/{self._drawn}".encode()).digest(64)
        return int.from_bytes(block, "big") % limit


def generate(version: int) -> list[dict[str, Any]]:
    backend = group()
    frozen = []
    for name, claims in CASES.items():
        with mock.patch("secrets.randbelow", FixedStream(name).randbelow):
            openings = [Opening.of(value % ORDER) for value, _, _ in claims]
            intervals = [Interval(low, high) for _, low, high in claims]
            context = f"frozen: {name}".encode()
            proof = prove_in(version, openings, intervals, context)
        frozen.append(
            {
                "name": name,
                "context": context.decode(),
                "intervals": [[str(low), str(high)] for _, low, high in claims],
                "openings": [opening.to_bytes().hex() for opening in openings],
                "commitments": [
                    backend.encode_g1(opening.commitment()).hex() for opening in openings
                ],
                "proof": proof.to_bytes().hex(),
            }
        )
    return frozen


if __name__ == "__main__":
    for made, file in FROZEN.items():
        file.write_text(json.dumps(generate(made), indent=1) + "\n")
