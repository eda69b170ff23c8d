"""Blind issuance: the issuer signs messages of the holder that it does not see.

The blind draft -02. A signature is over, in this order,

    the issuer's L messages on H_1 .. H_L
    the prover's blind s on Q_2           zero where nothing was committed
    the holder's M messages on J_1 .. J_M

so that a proof of it is an ordinary one of L + 1 + M messages, in which s stays hidden.

    B = P1 + domain·Q_1 + Σ mᵢ·Hᵢ + C          e = hash_to_scalar(SK || B)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkproofs.bbs.ciphersuite import Ciphersuite
from zkproofs.bbs.commitment import (
    CommitmentWithProof,
    VerifiedCommitment,
    core_commit,
    core_verify_commitment,
)
from zkproofs.bbs.disclosure import Disclosure, check_indexes, check_range
from zkproofs.bbs.domain import Domain
from zkproofs.bbs.interface import Interface, blind_interface
from zkproofs.bbs.keys import PublicKey, SecretKey
from zkproofs.bbs.proof import BatchableProof, Proof
from zkproofs.bbs.prover import core_prove
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.signature import Signature, complete, core_verify
from zkproofs.bbs.verifier import check_count, core_verify_proof
from zkproofs.errors import ParameterError, VerificationError
from zkproofs.group import Scalar, group


def blind_domain(
    interface: Interface,
    public_key: PublicKey,
    header: bytes,
    issuer_count: int,
    committed_count: int,
) -> Domain:
    """The domain of L messages of the issuer and M of the holder."""
    return Domain.over(
        interface,
        public_key,
        header,
        interface.generators(issuer_count + 1) + interface.blind_generators(committed_count + 1),
    )


def core_blind_sign(
    secret_key: SecretKey,
    domain: Domain,
    messages: Sequence[Scalar],
    commitment: VerifiedCommitment | None,
    last_addition: Scalar | None = None,
) -> Signature:
    """Sign ``messages`` and what is in ``commitment``; the domain is a `blind_domain`.

    ``last_addition`` is added to the last committed message, unseen. Raises
    `ParameterError` where the counts do not fit the domain.
    """
    committed_count = 0 if commitment is None else commitment.message_count
    if len(messages) + 1 + committed_count != domain.message_count:
        raise ParameterError(
            f"{len(messages)} messages and {committed_count} committed ones"
            f" in a domain of {domain.message_count}"
        )
    points = [*domain.message_points[: len(messages)]]
    scalars = [*messages]
    if last_addition is not None:
        if not committed_count:
            raise ParameterError("there is no committed message to add to")
        points.append(domain.message_points[-1])
        scalars.append(last_addition)
    backend = group()
    b = domain.anchor + backend.msm(points, scalars)
    if commitment is not None:
        b += commitment.point
    e_octets = backend.encode_scalar(secret_key.scalar) + backend.encode_g1(b)
    return complete(secret_key, domain, b, e_octets)


def commit(
    messages: Sequence[bytes], ciphersuite: Ciphersuite = Ciphersuite.SHA_256
) -> tuple[CommitmentWithProof, Scalar]:
    """Commit to ``messages``: what to send to the issuer, and the prover's blind to keep."""
    interface = blind_interface(ciphersuite)
    scalars = interface.messages_to_scalars(messages)
    return core_commit(interface, scalars, scalars=fresh_scalars)


def blind_sign(
    secret_key: SecretKey,
    commitment: CommitmentWithProof | None,
    messages: Sequence[bytes],
    header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> Signature:
    """Sign ``messages`` and the committed ones.

    Raises `VerificationError` if the commitment's proof does not verify.
    """
    interface = blind_interface(ciphersuite)
    verified = None if commitment is None else core_verify_commitment(interface, commitment)
    count = 0 if verified is None else verified.message_count
    domain = blind_domain(interface, secret_key.public_key, header, len(messages), count)
    return core_blind_sign(secret_key, domain, interface.messages_to_scalars(messages), verified)


def blind_verify(
    public_key: PublicKey,
    signature: Signature,
    messages: Sequence[bytes],
    committed_messages: Sequence[bytes] = (),
    prover_blind: Scalar | None = None,
    header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> None:
    """Check a blind signature on arrival. Raises `VerificationError`.

    ``prover_blind`` is None where nothing was committed.
    """
    interface = blind_interface(ciphersuite)
    domain = blind_domain(interface, public_key, header, len(messages), len(committed_messages))
    core_verify(
        domain, signature, signed_scalars(interface, messages, committed_messages, prover_blind)
    )


def blind_prove(
    public_key: PublicKey,
    signature: Signature,
    messages: Sequence[bytes],
    committed_messages: Sequence[bytes],
    prover_blind: Scalar | None,
    disclosed_indexes: Sequence[int] = (),
    disclosed_committed_indexes: Sequence[int] = (),
    header: bytes = b"",
    presentation_header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> Proof:
    """Prove a blind signature, disclosing some messages of either kind."""
    interface = blind_interface(ciphersuite)
    return core_prove(
        blind_domain(interface, public_key, header, len(messages), len(committed_messages)),
        signature,
        signed_scalars(interface, messages, committed_messages, prover_blind),
        combined_indexes(
            len(messages), disclosed_indexes, len(committed_messages), disclosed_committed_indexes
        ),
        presentation_header,
        scalars=fresh_scalars,
    )


def blind_verify_proof(
    public_key: PublicKey,
    proof: Proof | BatchableProof,
    issuer_count: int,
    disclosed_messages: Mapping[int, bytes],
    disclosed_committed_messages: Mapping[int, bytes],
    header: bytes = b"",
    presentation_header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> None:
    """Verify a proof of a blind signature on ``issuer_count`` messages and committed ones.

    Raises `VerificationError` unless it is good, `ParameterError` for indexes of
    messages that are not there.
    """
    interface = blind_interface(ciphersuite)
    disclosure, committed_count = combined_disclosure(
        interface, proof, issuer_count, disclosed_messages, disclosed_committed_messages
    )
    domain = blind_domain(interface, public_key, header, issuer_count, committed_count)
    core_verify_proof(domain, proof, disclosure, presentation_header)


def signed_scalars(
    interface: Interface,
    messages: Sequence[bytes],
    committed_messages: Sequence[bytes],
    prover_blind: Scalar | None,
) -> tuple[Scalar, ...]:
    """All messages of a blind signature, in order."""
    return (
        *interface.messages_to_scalars(messages),
        group().scalar(0) if prover_blind is None else prover_blind,
        *interface.messages_to_scalars(committed_messages),
    )


def combined_indexes(
    issuer_count: int,
    indexes: Sequence[int],
    committed_count: int,
    committed_indexes: Sequence[int],
) -> tuple[int, ...]:
    """The places of disclosed messages among all signed ones: committed j is at L + 1 + j."""
    for given, count in ((indexes, issuer_count), (committed_indexes, committed_count)):
        check_indexes(given)
        check_range(given, count)
    return (*indexes, *(issuer_count + 1 + j for j in committed_indexes))


def combined_disclosure(
    interface: Interface,
    proof: Proof | BatchableProof,
    issuer_count: int,
    messages: Mapping[int, bytes],
    committed_messages: Mapping[int, bytes],
) -> tuple[Disclosure, int]:
    """What a proof discloses, and M, which follows from the proof's length.

    Raises `VerificationError` where the proof is too short for that.
    """
    if type(issuer_count) is not int or issuer_count < 0:
        raise ParameterError("the issuer's messages are counted from 0")
    own, committed = interface.disclosure(messages), interface.disclosure(committed_messages)
    shown = len(own.indexes) + len(committed.indexes)
    committed_count = shown + len(proof.responses.messages) - issuer_count - 1
    if committed_count < 0:
        raise VerificationError(f"the proof is not of {issuer_count} messages and a blind")
    check_count(committed, committed_count)
    indexes = combined_indexes(issuer_count, own.indexes, committed_count, committed.indexes)
    return Disclosure(indexes, own.messages + committed.messages), committed_count
