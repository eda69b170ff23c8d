"""Schnorr proofs of linear relations (draft-irtf-cfrg-sigma-protocols, SHAKE128 over G1).

With φ the relation's map, X its images, k fresh nonces, x the witness, c the challenge:

    commitment  R = φ(k)
    challenge   c = the transcript's, from the tag, the relation and R
    response    z = k + c·x
    verify      φ(z) = R + c·X

A proof has one of two forms, both without a version byte, as the draft has them:

    batchable   R_0 || .. || R_(n-1) || z_0 || .. || z_(m-1)      48·n + 32·m bytes
    compact     c || z_0 || .. || z_(m-1)                         32 + 32·m bytes

A compact proof is verified by computing R and then c again, so its equations cannot
join a batch; `verification_equations` gives those of a batchable one.

The tag is protocol || "-DSFS-with-" or "-CMPT-with-" || ciphersuite: were it the same
for both forms, each could be rewritten as the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import G1, G1_SIZE, SCALAR_SIZE, Scalar, group
from zkproofs.group.encoding import check_size
from zkproofs.linear_relation import LinearRelation
from zkproofs.transcript import DuplexSponge, derive_session_id

CIPHERSUITE: Final = b"sigma-proofs_Shake128_BLS12381"
_BATCHABLE: Final = b"-DSFS-with-" + CIPHERSUITE
_COMPACT: Final = b"-CMPT-with-" + CIPHERSUITE


@dataclass(frozen=True, slots=True)
class BatchableProof:
    """(R, z)."""

    commitments: tuple[G1, ...]
    """R, one for each equation"""
    responses: tuple[Scalar, ...]
    """z, one for each scalar"""

    def to_bytes(self) -> bytes:
        """Write the form above."""
        return _encode_points(self.commitments) + _encode_scalars(self.responses)

    @classmethod
    def from_bytes(cls, data: bytes, relation: LinearRelation) -> BatchableProof:
        """Read a proof of ``relation``. Raises `DecodingError`."""
        split = G1_SIZE * len(relation.equations)
        check_size(data, split + SCALAR_SIZE * relation.scalar_count, "a batchable proof")
        decode = group().decode_g1
        commitments = (decode(data[start : start + G1_SIZE]) for start in range(0, split, G1_SIZE))
        return cls(tuple(commitments), _decode_scalars(data[split:]))


@dataclass(frozen=True, slots=True)
class CompactProof:
    """(c, z)."""

    challenge: Scalar
    """c"""
    responses: tuple[Scalar, ...]
    """z, one for each scalar"""

    def to_bytes(self) -> bytes:
        """Write the form above."""
        return _encode_scalars((self.challenge, *self.responses))

    @classmethod
    def from_bytes(cls, data: bytes, relation: LinearRelation) -> CompactProof:
        """Read a proof of ``relation``. Raises `DecodingError`."""
        check_size(data, SCALAR_SIZE * (1 + relation.scalar_count), "a compact proof")
        challenge, *responses = _decode_scalars(data)
        return cls(challenge, tuple(responses))


def prove(protocol: bytes, relation: LinearRelation, witness: Sequence[Scalar]) -> BatchableProof:
    """Prove ``relation``, in the batchable form, for the witness x.

    Whether the witness fits is not looked at: where it does not, the proof is refused.
    Raises `ParameterError` for another number of scalars than the relation has.
    """
    commitments, _, responses = _prove(_tag(protocol, _BATCHABLE), relation, witness)
    return BatchableProof(commitments, responses)


def verify(protocol: bytes, relation: LinearRelation, proof: BatchableProof) -> None:
    """Raise `VerificationError` unless ``proof`` proves ``relation`` under ``protocol``."""
    backend = group()
    for points, scalars in verification_equations(protocol, relation, proof):
        if backend.msm(points, scalars) != backend.g1_identity:
            raise VerificationError("a proof of a linear relation does not verify")


def verification_equations(
    protocol: bytes, relation: LinearRelation, proof: BatchableProof
) -> list[tuple[list[G1], list[Scalar]]]:
    """R + c·X - φ(z), a sum for each equation; the proof holds if all are the identity.

    Raises `VerificationError` for a proof of another shape or with the identity in it.
    """
    if len(proof.commitments) != len(relation.equations):
        raise VerificationError("a proof has another number of commitments than equations")
    _check_responses(proof.responses, relation)
    backend = group()
    if any(commitment == backend.g1_identity for commitment in proof.commitments):
        raise VerificationError("a commitment is the identity")
    challenge = _challenge(_tag(protocol, _BATCHABLE), relation, proof.commitments)
    one = backend.scalar(1)
    negated = [-response for response in proof.responses]
    sums = []
    for commitment, equation in zip(proof.commitments, relation.equations, strict=True):
        image_points, image_scalars = relation.image_terms(equation, challenge)
        map_points, map_scalars = relation.map_terms(equation, negated)
        sums.append(([commitment, *image_points, *map_points], [one, *image_scalars, *map_scalars]))
    return sums


def prove_compact(
    protocol: bytes, relation: LinearRelation, witness: Sequence[Scalar]
) -> CompactProof:
    """Prove ``relation`` in the compact form; see `prove`."""
    _, challenge, responses = _prove(_tag(protocol, _COMPACT), relation, witness)
    return CompactProof(challenge, responses)


def verify_compact(protocol: bytes, relation: LinearRelation, proof: CompactProof) -> None:
    """Raise `VerificationError` unless ``proof`` proves ``relation`` under ``protocol``."""
    _check_responses(proof.responses, relation)
    backend = group()
    commitments = []
    for equation in relation.equations:
        # R = φ(z) - c·X
        map_points, map_scalars = relation.map_terms(equation, proof.responses)
        image_points, image_scalars = relation.image_terms(equation, -proof.challenge)
        commitments.append(
            backend.msm([*map_points, *image_points], [*map_scalars, *image_scalars])
        )
    if any(commitment == backend.g1_identity for commitment in commitments):
        raise VerificationError("a commitment is the identity")
    if _challenge(_tag(protocol, _COMPACT), relation, commitments) != proof.challenge:
        raise VerificationError("a proof of a linear relation does not verify")


def _prove(
    tag: bytes, relation: LinearRelation, witness: Sequence[Scalar]
) -> tuple[tuple[G1, ...], Scalar, tuple[Scalar, ...]]:
    if len(witness) != relation.scalar_count:
        raise ParameterError(f"a witness of {len(witness)} scalars for {relation.scalar_count}")
    nonces = _fresh_nonces(relation.scalar_count)
    commitments = tuple(relation.map(nonces))
    challenge = _challenge(tag, relation, commitments)
    responses = (nonce + secret * challenge for nonce, secret in zip(nonces, witness, strict=True))
    return commitments, challenge, tuple(responses)


def _tag(protocol: bytes, form: bytes) -> bytes:
    if not isinstance(protocol, bytes) or not protocol:
        raise ParameterError("a protocol's name is bytes, and not empty")
    return protocol + form


def _fresh_nonces(count: int) -> list[Scalar]:
    backend = group()
    return [backend.random_scalar() for _ in range(count)]


def _challenge(tag: bytes, relation: LinearRelation, commitments: Sequence[G1]) -> Scalar:
    sponge = DuplexSponge(derive_session_id(tag))
    sponge.absorb(relation.to_bytes())
    sponge.absorb(_encode_points(commitments))
    return sponge.challenge()


def _check_responses(responses: Sequence[Scalar], relation: LinearRelation) -> None:
    if len(responses) != relation.scalar_count:
        raise VerificationError("a proof has another number of responses than scalars")


def _encode_points(points: Sequence[G1]) -> bytes:
    return b"".join(map(group().encode_g1, points))


def _encode_scalars(scalars: Sequence[Scalar]) -> bytes:
    return b"".join(map(group().encode_scalar, scalars))


def _decode_scalars(data: bytes) -> tuple[Scalar, ...]:
    decode = group().decode_scalar
    return tuple(
        decode(data[start : start + SCALAR_SIZE]) for start in range(0, len(data), SCALAR_SIZE)
    )
