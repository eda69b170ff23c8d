"""Writes the frozen evidence beside it; run once, for version 1: what is there stays as it is.

``python -m tests.frozen.evidence.generate``
"""

from pathlib import Path

from ledger.witness import cosign_checkpoint
from ledger.witnessing.evidence import ForkClaim
from tests.ledger.witnessing.sample_trees import LOG, WITNESSES, fork_at, note, path

FOLDER = Path(__file__).parent


def main() -> None:
    """One file a kind."""
    seen = cosign_checkpoint(note(5), WITNESSES[0], 1_700_000_000)
    claims = {
        "two-roots": ForkClaim.of(seen, note(5, 2)),
        "from-three-leaves": ForkClaim.of(note(3), note(7, 1), path(3, 7, fork_at(1))),
        "from-four-leaves": ForkClaim.of(note(4), note(9, 3), path(4, 9, fork_at(3))),
    }
    for name, claim in claims.items():
        with (FOLDER / f"{name}.evidence").open("xb") as file:
            file.write(claim.encode())
    with (FOLDER / "log.vkey").open("x") as file:
        file.write(f"{LOG.verifier_key}\n")


if __name__ == "__main__":
    main()
