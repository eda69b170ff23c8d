"""Verifying proofs of a signature (sections 3.6.4 and 3.7.3).

    e(Ā, W) = e(B̄, P2)                                       the signature
    T1 = c·B̄ + ê·Ā + r̂1·D                                    B̄ = r1·D - e·Ā
    T2 = c·(P1 + domain·Q_1 + Σ mᵢ·Hᵢ) + r̂3·D + Σ m̂ⱼ·Hⱼ      B = r3·D; i disclosed, j hidden

From a `Proof` T1 and T2 are computed, and c has to be the hash of them. A
`BatchableProof` brings them along; c is the hash of what was sent, and all three are
equations that go into a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkproofs.batch import AnyEquation, Equation, PairingEquation, verify_equations
from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.ciphersuite import Ciphersuite
from zkproofs.bbs.disclosure import Disclosure
from zkproofs.bbs.domain import Domain
from zkproofs.bbs.interface import plain_interface
from zkproofs.bbs.keys import PublicKey
from zkproofs.bbs.proof import BatchableProof, FirstMessage, Proof, Responses
from zkproofs.errors import VerificationError
from zkproofs.group import G1, Scalar, group


def recompute_first_message(domain: Domain, proof: Proof, disclosure: Disclosure) -> FirstMessage:
    """ProofVerifyInit: the first message that fits the proof's challenge and responses.

    The proof is good iff its challenge is the hash of this, and `pairing_equation` holds.
    Raises `VerificationError` where proof and disclosure do not add up to the domain's
    messages.
    """
    c, responses = proof.challenge, proof.responses
    points = (proof.b_bar, proof.a_bar, proof.d)
    t1 = group().msm(points, (c, responses.e, responses.r1))
    t2 = group().msm(*_t2_terms(domain, proof.d, responses, disclosure, c))
    return FirstMessage(proof.a_bar, proof.b_bar, proof.d, t1, t2)


def check_challenge(proof: Proof, challenge: Scalar) -> None:
    """Raise `VerificationError` unless the proof answers ``challenge``."""
    if proof.challenge != challenge:
        raise VerificationError("the proof does not show these messages in this context")


def linear_equations(
    domain: Domain, proof: BatchableProof, disclosure: Disclosure, challenge: Scalar
) -> tuple[Equation, Equation]:
    """The equations of T1 and T2. Raises `VerificationError` as `recompute_first_message`."""
    first, responses = proof.first, proof.responses
    one = group().scalar(1)
    points, scalars = _t2_terms(domain, first.d, responses, disclosure, challenge)
    # T1 and T2 are left with a factor of one, so that the short weight of a batch stays short.
    return (
        Equation(
            (first.t1, first.b_bar, first.a_bar, first.d),
            (one, -challenge, -responses.e, -responses.r1),
        ),
        Equation((first.t2, *points), (one, *(-scalar for scalar in scalars))),
    )


def pairing_equation(domain: Domain, first: FirstMessage | Proof) -> PairingEquation:
    """e(Ā, W) · e(B̄, -P2) = 1.

    Raises `VerificationError` if Ā, B̄ or D is the identity: 0 and 0 pass any pairing,
    and then whatever messages anyone likes.
    """
    if group().g1_identity in (first.a_bar, first.b_bar, first.d):
        raise VerificationError("a point of the proof is the identity")
    return PairingEquation(((first.a_bar, domain.public_key.point), (first.b_bar, -group().g2)))


def proof_equations(
    domain: Domain,
    proof: Proof | BatchableProof,
    disclosure: Disclosure,
    presentation_header: bytes,
    more: bytes = b"",
) -> tuple[AnyEquation, ...]:
    """What is left to hold, alone or in a batch, for ``proof`` to be good.

    ``more`` is that of `proof_challenge`. The challenge of a `Proof` is checked on the
    way, and one pairing equation is left of it.
    Raises `VerificationError` where that alone shows that the proof is not good.
    """
    if isinstance(proof, Proof):
        first = recompute_first_message(domain, proof, disclosure)
        check_challenge(
            proof, proof_challenge(domain, disclosure, first, presentation_header, more)
        )
        return (pairing_equation(domain, first),)
    challenge = proof_challenge(domain, disclosure, proof.first, presentation_header, more)
    return (
        *linear_equations(domain, proof, disclosure, challenge),
        pairing_equation(domain, proof.first),
    )


def _t2_terms(
    domain: Domain, d: G1, responses: Responses, disclosure: Disclosure, c: Scalar
) -> tuple[tuple[G1, ...], tuple[Scalar, ...]]:
    count = domain.message_count
    check_count(disclosure, count)
    if len(disclosure.indexes) + len(responses.messages) != count:
        raise VerificationError(f"the proof is not of {count} messages")
    hidden = disclosure.hidden(count)
    points = domain.message_points
    return (
        (
            domain.anchor,
            d,
            *(points[i] for i in disclosure.indexes),
            *(points[j] for j in hidden),
        ),
        (c, responses.r3, *(m * c for m in disclosure.messages), *responses.messages),
    )


def core_verify_proof(
    domain: Domain,
    proof: Proof | BatchableProof,
    disclosure: Disclosure,
    presentation_header: bytes,
) -> None:
    """CoreProofVerify: messages are scalars, for any interface.

    Raises `VerificationError` unless the proof is good.
    """
    equations = proof_equations(domain, proof, disclosure, presentation_header)
    verify_proof_equations(equations)


def verify_proof_equations(equations: Sequence[AnyEquation]) -> None:
    """Raise `VerificationError` unless what `proof_equations` left holds."""
    match equations:
        case [PairingEquation() as alone]:
            # One equation needs no weight, and is checked for a fifth less.
            if not group().pairing_product_is_one(alone.pairs):
                raise VerificationError("the proof is of no signature by this key")
        case _:
            verify_equations(equations, "the proof of a signature")


def verify_proof(
    public_key: PublicKey,
    proof: Proof | BatchableProof,
    disclosed_messages: Mapping[int, bytes],
    header: bytes = b"",
    presentation_header: bytes = b"",
    ciphersuite: Ciphersuite = Ciphersuite.SHA_256,
) -> None:
    """Verify a proof of a signature that discloses these messages, by index (section 3.5.4).

    Raises `VerificationError` unless it is good.
    """
    interface = plain_interface(ciphersuite)
    disclosure = interface.disclosure(disclosed_messages)
    count = len(disclosure.indexes) + len(proof.responses.messages)
    check_count(disclosure, count)
    domain = Domain.of(interface, public_key, header, count)
    core_verify_proof(domain, proof, disclosure, presentation_header)


def check_count(disclosure: Disclosure, count: int) -> None:
    """Raise `VerificationError` if a proof of ``count`` messages cannot disclose these."""
    if disclosure.indexes and disclosure.indexes[-1] >= count:
        raise VerificationError(f"a proof of {count} messages cannot disclose so late a one")
