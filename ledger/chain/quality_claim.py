"""What an offer says that its proofs of hidden quality prove, and what ties the two.

A proof is a range proof (`zkproofs.range_proof`) about one commitment of the entry, in the
context

    "quipu/quality/v1\\0" || chain id || seller || leaf hash of the entry || content root

so that it says nothing on another chain, for another seller, or about another recording.

A claim is plain values, all that a verdict depends on: two that are equal have the same.
"""

from __future__ import annotations

from typing import Final, NamedTuple

QUALITY_TAG: Final = b"quipu/quality/v1\0"


class Bound(NamedTuple):
    """That what a commitment hides lies in an interval, both ends included."""

    point: bytes
    """The commitment, 48 bytes."""
    low: int
    high: int
    proof: bytes


class QualityClaim(NamedTuple):
    """All bounds that one offer proves."""

    context: bytes
    """See above."""
    bounds: tuple[Bound, ...]


def quality_context(chain: bytes, seller: bytes, leaf: bytes, content_root: bytes) -> bytes:
    """What a proof of quality is tied to; 32 bytes each."""
    return QUALITY_TAG + chain + seller + leaf + content_root
