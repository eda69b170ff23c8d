"""Forgeries of presentations, each by whoever may choose one element after the challenge.

The forger draws c as the verifier will, with something in the place of the element, and
then computes the element so that the equations hold. Where the transcript absorbs the
element, the verifier draws another c.

All but the last are of Ben, whose level is 1. What is forged is in each docstring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.zkproofs.credential.fleet import BINDING, EPOCH, IS_MEMBER, REVOKED, enrol, fleet
from zkproofs.bbs import BatchableProof, Disclosure, Domain, Signature
from zkproofs.bbs.proof import FirstMessage
from zkproofs.bbs.prover import ProverAwaitingChallenge, begin_proof
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.bbs.verifier import linear_equations
from zkproofs.credential import (
    AtLeast,
    Attribute,
    Equals,
    Nullifier,
    Policy,
    nullifier_of,
    prover,
)
from zkproofs.credential.issuer import NYM_INDEX
from zkproofs.credential.nullifier import scope_point
from zkproofs.credential.presentation import NullifierProof, Presentation, RangeParts
from zkproofs.credential.statement import FirstMessages, PresentationTranscript, Statement
from zkproofs.credential.verifier import _first_messages
from zkproofs.group import G1, Scalar, group
from zkproofs.pedersen import Opening, default_bases
from zkproofs.range_proof import prove

SCOPE = b"contract 4"
NULLIFIED = Policy(scope=SCOPE)
LEVEL_NINE = Policy((IS_MEMBER, Equals(Attribute.LEVEL, 9)))
LEVEL_THREE = Policy((AtLeast(Attribute.LEVEL, 3),))
NOT_REVOKED = Policy((IS_MEMBER,), epoch=EPOCH)


@dataclass(frozen=True)
class Forged:
    presentation: Presentation
    statement: Statement


def begin(policy: Policy, messages: tuple[Scalar, ...] | None = None) -> ProverAwaitingChallenge:
    """Ben's first messages, or those of the ``messages`` that he would like to have."""
    ben = fleet().ben
    return begin_proof(
        ben.issuer.credentials,
        ben.signature,
        ben.messages if messages is None else messages,
        tuple(map(int, policy.shown)),
        scalars=fresh_scalars,
    )


def state_of(policy: Policy, nullifier: Nullifier | None = None) -> Statement:
    return Statement.of(fleet().issuer, policy, BINDING, policy.expected, nullifier)


def first_of(credential: FirstMessage, masked: G1 | None = None) -> FirstMessages:
    return FirstMessages(credential, None, (), (), masked)


def challenge_of(statement: Statement, first: FirstMessages) -> Scalar:
    return PresentationTranscript(statement, first).challenge(None)


def wished_messages() -> tuple[Scalar, ...]:
    messages = list(fleet().ben.messages)
    messages[Attribute.LEVEL] = group().scalar(9)
    return tuple(messages)


def without_proofs(credential: BatchableProof, nullifier: NullifierProof | None) -> Presentation:
    return Presentation((), nullifier, credential, None, None)


def fresh_nullifier() -> Forged:
    """Ben uses a contract again and again: Nym = (m̂·OP - Û) / c, for any Û."""
    state, origin = begin(NULLIFIED), scope_point(SCOPE)
    masked = origin * group().random_scalar()
    anything = Nullifier(group().g1)
    challenge = challenge_of(state_of(NULLIFIED, anything), first_of(state.first, masked))
    proof = state.respond_batchable(challenge)
    response = proof.responses.of_message(Disclosure((), ()), NYM_INDEX)
    nym = (origin * response - masked) * group().inverse(challenge)
    assert Nullifier(nym) != nullifier_of(fleet().ben, SCOPE)
    nullifier = Nullifier(nym)
    return Forged(
        without_proofs(proof, NullifierProof(nullifier, masked)), state_of(NULLIFIED, nullifier)
    )


def borrowed_nullifier() -> Forged:
    """Ben uses up what is Ann's, whose nullifier he has seen: Û = m̂·OP - c·Nym."""
    state, origin = begin(NULLIFIED), scope_point(SCOPE)
    stolen = nullifier_of(fleet().ann, SCOPE)
    statement = state_of(NULLIFIED, stolen)
    challenge = challenge_of(statement, first_of(state.first, group().g1))
    proof = state.respond_batchable(challenge)
    response = proof.responses.of_message(Disclosure((), ()), NYM_INDEX)
    masked = origin * response - stolen.point * challenge
    return Forged(without_proofs(proof, NullifierProof(stolen, masked)), statement)


def other_level_by_t2() -> Forged:
    """Ben is of level 9: T2 is whatever the equation leaves."""
    state, statement = begin(LEVEL_NINE), state_of(LEVEL_NINE)
    challenge = challenge_of(statement, first_of(state.first))
    proof = state.respond_batchable(challenge)
    _, equation = linear_equations(
        fleet().issuer.credentials, proof, statement.disclosure, challenge
    )
    t2 = proof.first.t2 - group().msm(equation.points, equation.scalars)
    return Forged(
        without_proofs(replace(proof, first=replace(proof.first, t2=t2)), None), statement
    )


def other_level_by_t1() -> Forged:
    """Ben is of level 9: D is of the messages he wants, Ā and B̄ of those he has."""
    ben, backend = fleet().ben, group()
    state, statement = begin(LEVEL_NINE, wished_messages()), state_of(LEVEL_NINE)
    signed = ben.issuer.credentials.signed_point(ben.messages)
    first = replace(
        state.first,
        a_bar=ben.signature.a,
        b_bar=signed - ben.signature.a * ben.signature.e,
    )
    challenge = challenge_of(statement, first_of(first))
    proof = replace(state.respond_batchable(challenge), first=first)
    equation, _ = linear_equations(ben.issuer.credentials, proof, statement.disclosure, challenge)
    t1 = first.t1 - backend.msm(equation.points, equation.scalars)
    return Forged(without_proofs(replace(proof, first=replace(first, t1=t1)), None), statement)


def other_level_by_a_and_b() -> Forged:
    """Ben is of level 9: Ā and B̄ get a factor of 1/c, once c is there."""
    ben, backend = fleet().ben, group()
    state, statement = begin(LEVEL_NINE, wished_messages()), state_of(LEVEL_NINE)
    signed = ben.issuer.credentials.signed_point(ben.messages)
    b_bar = signed - ben.signature.a * ben.signature.e
    alpha, gamma = fresh_scalars(2)
    t1 = b_bar + ben.signature.a * alpha + state.first.d * gamma
    first = replace(state.first, t1=t1)
    challenge = challenge_of(statement, first_of(first))
    factor = backend.inverse(challenge)
    proof = state.respond_batchable(challenge)
    responses = replace(proof.responses, e=alpha * challenge, r1=gamma)
    first = replace(first, a_bar=ben.signature.a * factor, b_bar=b_bar * factor)
    return Forged(without_proofs(BatchableProof(first, responses), None), statement)


def other_level_by_message() -> Forged:
    """Ben shows another level: T2 has u·H_level more, and the level is 1 + u/c."""
    issuer, backend = fleet().issuer, group()
    policy = Policy((IS_MEMBER, Equals(Attribute.LEVEL, 1)))
    state, statement = begin(policy), state_of(policy)
    u = backend.random_scalar()
    t2 = state.first.t2 + issuer.credentials.message_points[Attribute.LEVEL] * u
    first = replace(state.first, t2=t2)
    challenge = challenge_of(statement, first_of(first))
    proof = replace(state.respond_batchable(challenge), first=first)
    fleet_name, level = statement.disclosure.messages
    shown = replace(
        statement.disclosure, messages=(fleet_name, level + u * backend.inverse(challenge))
    )
    return Forged(without_proofs(proof, None), replace(statement, disclosure=shown))


def other_level_in_a_commitment() -> Forged:
    """Ben is of level 3 or more: C holds a 5, Ĉ is whatever the equation leaves."""
    state, statement, backend = begin(LEVEL_THREE), state_of(LEVEL_THREE), group()
    bases, opening = default_bases(), Opening.of(5)
    commitment = opening.commitment(bases)
    first = FirstMessages(state.first, None, (commitment,), (backend.g1,), None)
    transcript = PresentationTranscript(statement, first)
    (ranged,) = LEVEL_THREE.ranged_sums
    range_proof = prove([opening], [ranged.interval], transcript.range_context())
    challenge = transcript.challenge(range_proof)
    proof = state.respond_batchable(challenge)
    of_level = proof.responses.of_message(statement.disclosure, Attribute.LEVEL)
    response = backend.random_scalar()
    masked = bases.value * of_level + bases.blinding * response - commitment * challenge
    ranges = RangeParts((commitment,), (masked,), (response,), range_proof)
    return Forged(Presentation((), None, proof, None, ranges), statement)


def gap_of_ones_own() -> Forged:
    """A revoked robot lies in a gap: T2 of the gap is whatever the equation leaves.

    As with Firo's spends of February 2021: of two proofs under one challenge, an element of
    one is edited once the challenge is there. All else is made by the honest prover, who is
    told of bounds that nobody signed.
    """
    robot, _ = enrol(fleet().key, REVOKED[0])
    signed = fleet().gaps[0]
    wished = replace(signed, low=REVOKED[0] - 1, high=REVOKED[0] + 1)

    def begin_with_the_signed_one(
        domain: Domain, signature: Signature, messages: Sequence[Scalar], *rest: Any, **named: Any
    ) -> ProverAwaitingChallenge:
        if domain is not robot.issuer.gaps:
            return begin_proof(domain, signature, messages, *rest, **named)
        state = begin_proof(domain, signature, signed.messages, *rest, **named)
        hidden = state.disclosure.hidden(domain.message_count)
        state._secrets.messages = tuple(messages[j] for j in hidden)  # type: ignore[union-attr]
        return state

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prover, "begin_proof", begin_with_the_signed_one)
        made = prover.present(robot, NOT_REVOKED, BINDING, wished)
    statement = state_of(NOT_REVOKED)
    transcript = PresentationTranscript(statement, _first_messages(made))
    transcript.range_context()
    assert made.gap is not None
    assert made.ranges is not None
    challenge = transcript.challenge(made.ranges.proof)
    _, equation = linear_equations(robot.issuer.gaps, made.gap, statement.gap_disclosure, challenge)
    t2 = made.gap.first.t2 - group().msm(equation.points, equation.scalars)
    gap = replace(made.gap, first=replace(made.gap.first, t2=t2))
    return Forged(replace(made, gap=gap), statement)


FORGERIES: Mapping[tuple[bytes, ...], tuple[Callable[[], Forged], ...]] = {
    (b"Nym",): (fresh_nullifier,),
    (b"hat U",): (borrowed_nullifier,),
    (b"T1",): (other_level_by_t1,),
    (b"T2",): (other_level_by_t2,),
    (b"bar A", b"bar B"): (other_level_by_a_and_b,),
    (b"m",): (other_level_by_message,),
    (b"hat C",): (other_level_in_a_commitment,),
    (b"gap T2",): (gap_of_ones_own,),
}
"""What is not absorbed, and what can be forged then."""
