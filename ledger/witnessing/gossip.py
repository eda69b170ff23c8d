"""Witnesses compare what they have recorded: a split view lives from their not talking.

A witness asks others for the newest checkpoint that they recorded of each log, and
looks at it as at any that arrives. Two of one size with different roots are evidence by
themselves; of different sizes, whoever has the log's tree must give the proof.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from ledger.errors import NotFoundError
from ledger.witnessing.follower import Follower, Outcome
from ledger.witnessing.leaf_path import LeafPath
from ledger.witnessing.proof_source import ProofSource
from ledger.witnessing.transport import UnreachableError

_log = logging.getLogger(__name__)


class RecordingWitness(Protocol):
    """Another witness, as far as it tells what it has recorded."""

    def recorded(self, origin: str) -> bytes | None:
        """The newest checkpoint that it cosigned, unverified. Raises `UnreachableError`."""
        ...


@dataclass(frozen=True, slots=True)
class NoProofs:
    """The `ProofSource` of who can ask nobody."""

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """See `ProofSource`."""
        raise NotFoundError(f"nobody to ask for a proof from {old_size} to {size}")

    def prove_leaf(self, index: int, size: int) -> LeafPath:
        """See `ProofSource`."""
        raise NotFoundError(f"nobody to ask for leaf {index} of {size}")


def hear_witnesses(
    follower: Follower,
    witnesses: Mapping[str, RecordingWitness],
    source: ProofSource | None = None,
) -> Iterator[tuple[str, Outcome]]:
    """Look at what ``witnesses`` have recorded of each followed log; by whom, and the outcome.

    Those that cannot be reached are passed over. Raises as `Follower.receive` does.
    """
    for origin in follower.policy.origins:
        for name, witness in witnesses.items():
            try:
                note = witness.recorded(origin)
            except UnreachableError as error:
                _log.info("witness %s: %s", name, error.message)
                continue
            if note is not None:
                yield name, follower.receive(note, source or NoProofs())
