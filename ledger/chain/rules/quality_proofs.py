"""Proofs of hidden quality: that what an entry commits to lies in an interval.

A proof is a range proof (`zkproofs.range_proof`) about one commitment of the entry, in the
context

    "quipu/quality/v1\\0" || chain id || seller || leaf hash of the entry || content root

so that it says nothing on another chain, for another seller, or about another recording.
All of an offer are verified together. The weights of that are fresh for each verifier, and
are the one thing in a rule that is: they decide only how a verdict is reached
(`zkproofs.batch`).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.errors import RefusedError
from ledger.experience.kinds import Commitment, Experience
from ledger.schema.chain_sharing_pb2 import QualityBound, QualityProof
from zkproofs.batch import Batch
from zkproofs.errors import DecodingError, ProofError, VerificationError
from zkproofs.group import group
from zkproofs.interval import Interval
from zkproofs.range_proof import RangeProof, equations

QUALITY_TAG: Final = b"quipu/quality/v1\0"
MAX_PROOFS: Final = 8
MAX_PROOF_BYTES: Final = 4_096


def quality_context(chain: bytes, seller: bytes, leaf: bytes, content_root: bytes) -> bytes:
    """What a proof of quality is tied to; 32 bytes each."""
    return QUALITY_TAG + chain + seller + leaf + content_root


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


def verify_qualities(
    context: Context, experience: Experience, leaf: bytes, proofs: Sequence[QualityProof]
) -> list[QualityBound]:
    """Verify all proofs of an offer; what they prove.

    Raises RefusalError `QUALITY_NOT_PROVEN`, and RefusedError on a machine that cannot tell:
    it must stop, for others can.
    """
    known = {(each.kind.value, each.source.value): each for each in experience.commitments}
    tied_to = quality_context(context.chain, context.signer, leaf, experience.content_root)
    bounds = []
    try:
        batch = Batch()
        for proof in proofs:
            commitment = known.get((proof.kind, proof.source))
            if commitment is None:
                raise RefusalError(
                    ResultCode.QUALITY_NOT_PROVEN, "the entry does not commit to such a value"
                )
            batch.add(
                *equations(
                    RangeProof.from_bytes(proof.proof),
                    [group().decode_g1(commitment.point)],
                    [Interval(proof.low, proof.high)],
                    tied_to,
                )
            )
            bounds.append(_bound(proof, commitment))
        if bounds:
            batch.verify()
    except (DecodingError, VerificationError) as error:
        raise RefusalError(ResultCode.QUALITY_NOT_PROVEN, error.message) from error
    except ProofError as error:
        raise RefusedError(f"proofs cannot be verified here: {error.message}") from error
    return bounds


def _bound(proof: QualityProof, commitment: Commitment) -> QualityBound:
    return QualityBound(
        kind=proof.kind,
        source=proof.source,
        low=proof.low,
        high=proof.high,
        offset=commitment.offset,
        scale=commitment.scale,
    )
