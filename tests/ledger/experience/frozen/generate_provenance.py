"""Write the frozen provenance: ``python -m tests.ledger.experience.frozen.generate_provenance``.

A recording of one's own, one that was bought, and a model that was trained on both. These
entries were signed once and must verify for ever. Running this must change nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

from ledger.checkpoint import log_id
from ledger.experience.entry import Acquisition, Experience, File, Training, encode_entry
from ledger.experience.kinds import Kind
from tests.ledger.experience.frozen.generate import OLD, ORIGIN

FROZEN = Path(__file__).with_name("provenance_v1.json")

OWN, BOUGHT, MODEL = (bytes([first]) * 16 for first in b"obm")


def experience(record_id: bytes, name: str) -> Experience:
    return Experience(
        record_id=record_id,
        start_ns=0,
        end_ns=0,
        content_root=bytes(reversed(record_id * 2)),
        content_size=1_000,
        files=(File(name, 1_000),),
        media_type="application/octet-stream",
        name=name,
    )


def kinds() -> list[Kind]:
    """Every field in use."""
    return [
        experience(OWN, "own.mcap"),
        experience(BOUGHT, "bought.mcap"),
        Acquisition(
            record_id=BOUGHT,
            chain=bytes(range(32)),
            grant=bytes(range(32, 64)),
            offer=bytes(range(64, 96)),
            contract=bytes(range(96, 128)),
            version=3,
            seller="seller.example/größer",
            leaf=bytes(range(128, 160)),
            content_root=bytes(range(160, 192)),
        ),
        experience(MODEL, "policy.npz"),
        Training(MODEL, "grasp policy ☀", (BOUGHT, OWN)),
    ]


def build() -> dict[str, object]:
    """What the file holds."""
    identity = log_id(ORIGIN)
    entries = [encode_entry(identity, index, kind, OLD) for index, kind in enumerate(kinds())]
    return {"origin": ORIGIN, "entries": [entry.hex() for entry in entries]}


if __name__ == "__main__":
    FROZEN.write_text(json.dumps(build(), indent=1) + "\n")
