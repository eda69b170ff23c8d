"""Comparing two checkpoints of one log: does the larger one continue the smaller one?

Two witnesses that each saw a checkpoint compare them so; so does a witness that meets
another checkpoint than the one it recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import LedgerError, MalformedError, RefusedError, VerificationError
from ledger.merkle.consistency import verify_consistency
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.note import VerifierKey
from ledger.witnessing.evidence import (
    ForkClaim,
    ForkEvidence,
    is_power_of_two,
    path_of_leaf,
    verify_evidence,
)
from ledger.witnessing.proof_source import ProofSource


@dataclass(frozen=True, slots=True)
class Consistent:
    """One checkpoint is proven to continue the other; ``proof`` is empty between equals."""

    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Unproven:
    """Neither consistency nor a fork is proven: a proof was missing, or proves nothing."""

    reason: str


Comparison: TypeAlias = Consistent | Unproven | ForkEvidence


def compare_checkpoints(
    one: bytes, other: bytes, log_keys: Sequence[VerifierKey], source: ProofSource
) -> Comparison:
    """Compare two signed checkpoints of one log, in either order.

    ``source`` is asked for a proof where sizes differ. Raises as `open_checkpoint` does
    for a note that the log did not sign, and `RefusedError` for those of two logs.
    """
    a = open_checkpoint(one, log_keys).checkpoint
    b = open_checkpoint(other, log_keys).checkpoint
    if a.origin != b.origin:
        raise RefusedError(f"checkpoints of two logs, {a.origin} and {b.origin}")
    if a.size > b.size:
        one, other, a, b = other, one, b, a
    if a == b:
        return Consistent(())
    if a.size == b.size:
        return verify_evidence(ForkClaim.of(one, other), log_keys)
    if a.size == 0:
        if a.root == EMPTY_ROOT:
            return Consistent(())
        return Unproven("a checkpoint of size 0 has not the root of the empty tree")
    try:
        proof = source.prove_consistency(a.size, b.size)
    except LedgerError as error:
        return Unproven(f"no proof from {a.size} to {b.size}: {error.message}")
    try:
        verify_consistency(a.size, b.size, a.root, b.root, proof)
    except (VerificationError, MalformedError) as error:
        found = find_fork(one, other, proof, log_keys, source)
        return found or Unproven(error.message)
    return Consistent(tuple(proof))


def find_fork(
    smaller: bytes,
    larger: bytes,
    failing: Sequence[bytes],
    log_keys: Sequence[VerifierKey],
    source: ProofSource | None = None,
) -> ForkEvidence | None:
    """Evidence that ``larger`` did not grow from ``smaller``, if the failing proof gives it.

    The proof from a power of two leaves out the root that it leads from; then ``source``
    is asked for the last leaf of the older tree, whose path has it.
    """
    old, new = Checkpoint.of_note(smaller), Checkpoint.of_note(larger)
    try:
        path = tuple(failing)
        if is_power_of_two(old.size):
            if source is None:
                return None
            path = path_of_leaf(old.size, source.prove_leaf(old.size - 1, new.size))
        return verify_evidence(ForkClaim(smaller, larger, path), log_keys)
    except LedgerError:
        return None
