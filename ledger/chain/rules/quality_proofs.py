"""Proofs of hidden quality: that what an entry commits to lies in an interval.

All of an offer are one claim (`ledger.chain.quality_claim`), which is verified with all other
proofs of its block. The weights of that are fresh for each verifier, and are the one thing in a
rule that is: they decide only how a verdict is reached (`zkproofs.batch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.presentations import verify_claim
from ledger.chain.quality_claim import Bound, QualityClaim, quality_context
from ledger.experience.kinds import Commitment, Experience
from ledger.schema.chain_sharing_pb2 import QualityBound, QualityProof

MAX_PROOFS: Final = 8
MAX_PROOF_BYTES: Final = 4_096


def check_proofs(proofs: Sequence[QualityProof]) -> None:
    """Refuse too many, out of order, or of no possible form."""
    names = [(proof.kind, proof.source) for proof in proofs]
    require(
        len(names) <= MAX_PROOFS and all(before < after for before, after in pairwise(names)),
        ResultCode.FIELD_REFUSED,
        f"proofs of quality are at most {MAX_PROOFS}, ascending by kind and source, each once",
    )
    for proof in proofs:
        require(
            proof.low <= proof.high and 0 < len(proof.proof) <= MAX_PROOF_BYTES,
            ResultCode.FIELD_REFUSED,
            f"a proof of quality is of an interval, and of at most {MAX_PROOF_BYTES} bytes",
        )


def quality_claim(
    chain: bytes, seller: bytes, experience: Experience, leaf: bytes, proofs: Sequence[QualityProof]
) -> QualityClaim | None:
    """What the proofs of an offer claim; None where the entry does not commit to such a value."""
    known = _commitments(experience)
    if any((proof.kind, proof.source) not in known for proof in proofs):
        return None
    bounds = tuple(
        Bound(known[proof.kind, proof.source].point, proof.low, proof.high, proof.proof)
        for proof in proofs
    )
    return QualityClaim(quality_context(chain, seller, leaf, experience.content_root), bounds)


def verify_qualities(
    context: Context, experience: Experience, leaf: bytes, proofs: Sequence[QualityProof]
) -> list[QualityBound]:
    """Verify all proofs of an offer, unless the block's verdicts say; what they prove.

    Raises RefusalError `QUALITY_NOT_PROVEN`, and RefusedError on a machine that cannot tell:
    it must stop, for others can.
    """
    if not proofs:
        return []
    claim = quality_claim(context.chain, context.signer, experience, leaf, proofs)
    if claim is None:
        raise RefusalError(
            ResultCode.QUALITY_NOT_PROVEN, "the entry does not commit to such a value"
        )
    verdict = context.verdicts.get(claim)
    require(
        verify_claim(claim) if verdict is None else verdict,
        ResultCode.QUALITY_NOT_PROVEN,
        "the proofs do not show that what is hidden lies within these bounds",
    )
    known = _commitments(experience)
    return [_bound(proof, known[proof.kind, proof.source]) for proof in proofs]


def _commitments(experience: Experience) -> dict[tuple[int, int], Commitment]:
    return {(each.kind.value, each.source.value): each for each in experience.commitments}


def _bound(proof: QualityProof, commitment: Commitment) -> QualityBound:
    return QualityBound(
        kind=proof.kind,
        source=proof.source,
        low=proof.low,
        high=proof.high,
        offset=commitment.offset,
        scale=commitment.scale,
    )
