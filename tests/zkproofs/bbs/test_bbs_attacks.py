"""Forgeries that work against a weakened copy, and are refused by the real one.

The weakened copies differ from the real verifier in the one line that is named.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.zkproofs.bbs.issued import IDENTITY, INTERFACE, PH, Issued, issue
from zkproofs.batch import verify_equations
from zkproofs.bbs import Disclosure, Domain, Proof, Signature
from zkproofs.bbs.blind import blind_domain, core_blind_sign
from zkproofs.bbs.challenge import proof_challenge
from zkproofs.bbs.commitment import core_commit, core_verify_commitment
from zkproofs.bbs.proof import BatchableProof, FirstMessage, Responses
from zkproofs.bbs.prover import begin_proof, core_prove
from zkproofs.bbs.pseudonym import (
    core_prove_with_pseudonym,
    pseudonym_origin,
    pseudonym_proof_equation,
    recompute_pseudonym_first,
)
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.signature import core_verify
from zkproofs.bbs.verifier import core_verify_proof, recompute_first_message
from zkproofs.errors import DecodingError, ParameterError, VerificationError
from zkproofs.group import G1, Scalar, group

WeakChallenge = Callable[[Domain, Disclosure, FirstMessage, bytes], Scalar]


def scalars(*values: int) -> tuple[Scalar, ...]:
    return tuple(group().scalar(value) for value in values)


def random(count: int) -> tuple[Scalar, ...]:
    return fresh_scalars(count)


def weakly_verifies(
    weak: WeakChallenge, domain: Domain, proof: Proof, disclosure: Disclosure, ph: bytes
) -> bool:
    """The real verification with another challenge."""
    first = recompute_first_message(domain, proof, disclosure)
    if weak(domain, disclosure, first, ph) != proof.challenge:
        return False
    return group().pairing_product_is_one(
        [(first.a_bar, domain.public_key.point), (-first.b_bar, group().g2)]
    )


def hash_of(domain: Domain, *parts: bytes) -> Scalar:
    return domain.interface.hash_to_scalar(b"".join(parts))


# Frozen Heart: each element dropped from the challenge in turn.


def test_dropping_the_presentation_header_lets_a_proof_be_replayed() -> None:
    def weak(domain: Domain, disclosure: Disclosure, first: FirstMessage, ph: bytes) -> Scalar:
        return proof_challenge(domain, disclosure, first, b"")

    issued = issue(1, 2)
    disclosure = issued.disclosure([0])
    stolen = issued.prove([0], ph=b"")  # what the weak prover would make for any header
    assert weakly_verifies(weak, issued.domain, stolen, disclosure, PH)
    with pytest.raises(VerificationError):
        core_verify_proof(issued.domain, stolen, disclosure, PH)


def test_dropping_the_disclosed_messages_lets_them_be_changed() -> None:
    def weak(domain: Domain, disclosure: Disclosure, first: FirstMessage, ph: bytes) -> Scalar:
        return hash_of(domain, first.to_bytes(), group().encode_scalar(domain.scalar), ph)

    issued = issue(1, 2)
    state = begin_proof(
        issued.domain, issued.signature, issued.messages, [0], scalars=fresh_scalars
    )
    # T2 gets t·H_0 too much, which message 0, chosen after c, makes good: m' = m + t/c.
    (t,) = random(1)
    first = state.first
    state.first = FirstMessage(
        first.a_bar, first.b_bar, first.d, first.t1, first.t2 + issued.domain.message_points[0] * t
    )
    c = weak(issued.domain, state.disclosure, state.first, PH)
    forged = state.respond(c)
    claimed = Disclosure((0,), (issued.messages[0] + t * group().inverse(c),))
    assert claimed.messages[0] != issued.messages[0]
    assert weakly_verifies(weak, issued.domain, forged, claimed, PH)
    with pytest.raises(VerificationError):
        core_verify_proof(issued.domain, forged, claimed, PH)


def forged_from_strangers_points(
    weak: WeakChallenge, domain: Domain, seen: Proof, messages: tuple[Scalar, ...]
) -> Proof:
    """A proof of any ``messages``, all disclosed, from Ā and B̄ that someone presented.

    D = B of these messages, T1 = τ·B̄₀ + η·Ā₀ + ρ·D. With c known, Ā = β·Ā₀ and
    B̄ = β·B̄₀ for β = τ/c, and ê = η/β.
    """
    tau, eta, rho, r3 = random(4)
    d = domain.signed_point(messages)
    t1 = seen.b_bar * tau + seen.a_bar * eta + d * rho
    first = FirstMessage(seen.a_bar, seen.b_bar, d, t1, d * r3)
    disclosure = Disclosure(tuple(range(len(messages))), messages)
    c = weak(domain, disclosure, first, PH)
    beta = tau * group().inverse(c)
    responses = Responses(eta * group().inverse(beta), rho, r3 - c, ())
    return Proof(seen.a_bar * beta, seen.b_bar * beta, d, responses, c)


def test_dropping_the_blinded_signature_lets_anything_be_proven() -> None:
    def weak(domain: Domain, disclosure: Disclosure, first: FirstMessage, ph: bytes) -> Scalar:
        encode = group().encode_g1
        points = (first.d, first.t1, first.t2)
        messages = map(group().encode_scalar, (*disclosure.messages, domain.scalar))
        return hash_of(domain, *map(encode, points), *messages, ph)

    issued = issue(1, 2)
    wanted = scalars(100, 200)
    forged = forged_from_strangers_points(weak, issued.domain, issued.prove([0]), wanted)
    claimed = Disclosure((0, 1), wanted)
    assert weakly_verifies(weak, issued.domain, forged, claimed, PH)
    with pytest.raises(VerificationError):
        core_verify_proof(issued.domain, forged, claimed, PH)
    forged = forged_from_strangers_points(proof_challenge, issued.domain, issued.prove([0]), wanted)
    with pytest.raises(VerificationError):
        core_verify_proof(issued.domain, forged, claimed, PH)


def test_dropping_the_first_messages_lets_anything_be_proven() -> None:
    def weak(domain: Domain, disclosure: Disclosure, first: FirstMessage, ph: bytes) -> Scalar:
        encode = group().encode_g1
        points = (first.a_bar, first.b_bar, first.d)
        messages = map(group().encode_scalar, (*disclosure.messages, domain.scalar))
        return hash_of(domain, *map(encode, points), *messages, ph)

    issued = issue(1, 2)
    seen, wanted = issued.prove([0]), scalars(100, 200)
    claimed = Disclosure((0, 1), wanted)
    first = FirstMessage(seen.a_bar, seen.b_bar, seen.d, seen.d, seen.d)
    c = weak(issued.domain, claimed, first, PH)
    # T1 and T2 come out as something, and nobody asks as what.
    forged = Proof(seen.a_bar, seen.b_bar, seen.d, Responses(*random(3), ()), c)
    assert weakly_verifies(weak, issued.domain, forged, claimed, PH)
    with pytest.raises(VerificationError):
        core_verify_proof(issued.domain, forged, claimed, PH)


def test_dropping_the_domain_lets_it_be_changed() -> None:
    def weak(domain: Domain, disclosure: Disclosure, first: FirstMessage, ph: bytes) -> Scalar:
        return hash_of(domain, first.to_bytes(), *map(group().encode_scalar, disclosure.messages))

    issued = issue(1, 2)
    state = begin_proof(
        issued.domain, issued.signature, issued.messages, [0], scalars=fresh_scalars
    )
    (t,) = random(1)
    first, q_1 = state.first, INTERFACE.generators(1)[0]
    state.first = FirstMessage(first.a_bar, first.b_bar, first.d, first.t1, first.t2 + q_1 * t)
    c = weak(issued.domain, state.disclosure, state.first, PH)
    forged = state.respond(c)
    shift = t * group().inverse(c)
    moved = Domain(
        INTERFACE,
        issued.key.public_key,
        b"whatever hashes to this",
        issued.domain.message_points,
        issued.domain.scalar + shift,
        issued.domain.anchor + q_1 * shift,
    )
    assert weakly_verifies(weak, moved, forged, state.disclosure, PH)
    with pytest.raises(VerificationError):
        core_verify_proof(moved, forged, state.disclosure, PH)


# Degenerate points.


def test_identity_points_would_prove_any_messages_without_a_signature() -> None:
    """Ā = B̄ = 0 satisfy the pairing; D = B of any messages satisfies the rest."""
    issued = issue(1, 2)
    wanted = scalars(100, 200)
    nothing = group().g1_identity
    d = issued.domain.signed_point(wanted)
    r1, r3, e = random(3)
    first = FirstMessage(nothing, nothing, d, d * r1, d * r3)
    claimed = Disclosure((0, 1), wanted)
    c = proof_challenge(issued.domain, claimed, first, PH)
    # B̄ = 0 = r1·D - e·Ā with r1 = 0, so r̂1 = r̃1; B = 1·D, so r̂3 = r̃3 - c.
    forged = Proof(nothing, nothing, d, Responses(e, r1, r3 - c, ()), c)
    assert weakly_verifies(proof_challenge, issued.domain, forged, claimed, PH)
    with pytest.raises(VerificationError, match="identity"):
        core_verify_proof(issued.domain, forged, claimed, PH)
    batchable = BatchableProof(first, forged.responses)
    with pytest.raises(VerificationError, match="identity"):
        core_verify_proof(issued.domain, batchable, claimed, PH)
    assert forged.to_bytes().startswith(IDENTITY)
    with pytest.raises(DecodingError, match="identity"):
        Proof.from_bytes(forged.to_bytes())


# Randomness.


def test_using_the_randomness_twice_gives_the_signature_away() -> None:
    issued = issue(1, 22, 333)
    once = fresh_scalars(5 + 2)
    first, second = (
        core_prove(
            issued.domain, issued.signature, issued.messages, [0], ph, scalars=lambda _: once
        )
        for ph in (b"one", b"two")
    )
    # Each response is blinding + c·secret, with the same blinding twice.
    inverse = group().inverse(first.challenge - second.challenge)
    e = (first.responses.e - second.responses.e) * inverse
    minus_r1 = (first.responses.r1 - second.responses.r1) * inverse
    minus_r3 = (first.responses.r3 - second.responses.r3) * inverse
    hidden = [
        (a - b) * inverse
        for a, b in zip(first.responses.messages, second.responses.messages, strict=True)
    ]
    # Ā = r1·r2·A and r3 = 1/r2
    stolen = Signature(first.a_bar * (-minus_r3) * group().inverse(-minus_r1), e)
    assert [int(message) for message in hidden] == [22, 333]
    assert stolen == issued.signature
    core_verify(issued.domain, stolen, (issued.messages[0], *hidden))

    fresh = [issued.prove([0]) for _ in range(2)]
    inverse = group().inverse(fresh[0].challenge - fresh[1].challenge)
    assert (fresh[0].responses.e - fresh[1].responses.e) * inverse != issued.signature.e


def test_a_proof_answers_one_challenge() -> None:
    issued = issue(1, 2)
    state = begin_proof(
        issued.domain, issued.signature, issued.messages, [0], scalars=fresh_scalars
    )
    state.respond(*random(1))
    for again in (state.respond, state.respond_batchable):
        with pytest.raises(ParameterError):
            again(*random(1))
    with pytest.raises(ParameterError):
        state.blinding(1)


# Pseudonyms.


class Named:
    """A signature of one issuer message and a secret of the holder's."""

    def __init__(self, issued: Issued, holder: int) -> None:
        self.domain = blind_domain(INTERFACE, issued.key.public_key, b"h", 1, 1)
        share, entropy = group().scalar(holder), group().random_scalar()
        made, blind = core_commit(INTERFACE, [share], scalars=fresh_scalars)
        verified = core_verify_commitment(INTERFACE, made)
        role = scalars(3)
        self.signature = core_blind_sign(issued.key, self.domain, role, verified, entropy)
        self.messages = (*role, blind, share + entropy)

    def prove(self, context: bytes, indexes: tuple[int, ...] = (0,)) -> tuple[Proof, G1]:
        return core_prove_with_pseudonym(
            self.domain, self.signature, self.messages, indexes, context, PH, scalars=fresh_scalars
        )

    def verify(self, proof: Proof, pseudonym: G1, context: bytes) -> None:
        disclosure = Disclosure.of(self.messages, (0,))
        equation = pseudonym_proof_equation(self.domain, proof, pseudonym, disclosure, context, PH)
        verify_equations((equation,), "the proof")


def test_pseudonyms_are_the_same_in_one_context_only() -> None:
    issuer = issue(1)
    robot, other = Named(issuer, 5), Named(issuer, 5)
    (first, name), (second, again), (_, elsewhere) = (
        robot.prove(context) for context in (b"auction", b"auction", b"vote")
    )
    assert name == again != elsewhere
    assert other.prove(b"auction")[1] != name  # the issuer's entropy differs
    robot.verify(first, name, b"auction")
    robot.verify(second, again, b"auction")
    with pytest.raises(VerificationError):  # a borrowed pseudonym
        robot.verify(first, other.prove(b"auction")[1], b"auction")
    with pytest.raises(VerificationError):  # one scope's proof in another
        robot.verify(first, name, b"vote")
    with pytest.raises(VerificationError):
        robot.verify(first, elsewhere, b"vote")
    with pytest.raises(VerificationError):
        robot.verify(first, group().g1_identity, b"auction")
    with pytest.raises(ParameterError):
        robot.prove("auction")  # type: ignore[arg-type]


def test_a_secret_that_is_disclosed_has_no_pseudonym() -> None:
    robot = Named(issue(1), 5)
    with pytest.raises(ParameterError):
        robot.prove(b"auction", (0, 2))
    proof, name = robot.prove(b"auction")
    disclosure = Disclosure.of(robot.messages, (0, 2))
    with pytest.raises(VerificationError):
        pseudonym_proof_equation(robot.domain, proof, name, disclosure, b"auction", PH)


def test_dropping_the_pseudonym_lets_it_be_changed() -> None:
    robot = Named(issue(1), 5)
    disclosure = Disclosure.of(robot.messages, (0,))

    def weak(first: FirstMessage, masked: G1) -> Scalar:
        more = group().encode_g1(masked)
        return proof_challenge(robot.domain, disclosure, first, PH, more)

    state = begin_proof(robot.domain, robot.signature, robot.messages, (0,), scalars=fresh_scalars)
    origin = pseudonym_origin(INTERFACE, b"auction")
    (t,) = random(1)
    # Ũ gets t·OP too much, which another name, chosen after c, makes good.
    masked = origin * state.blinding(2) + origin * t
    nym = state.message(2)
    c = weak(state.first, masked)
    forged = state.respond(c)
    name = origin * nym - origin * (t * group().inverse(c))
    assert name != origin * nym
    recomputed = recompute_pseudonym_first(
        INTERFACE, b"auction", name, forged.responses.messages[-1], c
    )
    first = recompute_first_message(robot.domain, forged, disclosure)
    assert weak(first, recomputed.masked) == c
    with pytest.raises(VerificationError):
        robot.verify(forged, name, b"auction")
