"""Attacks on credentials by name: zk.md's list, and what two robots may do together.

Each is tried with a prover that does not check itself. `test_frozen_heart` has the
forgeries against weakened transcripts, `test_revocation` those with gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.zkproofs.credential.fleet import BINDING, IS_MEMBER, NOW, SMALL, USUAL, enrol, fleet
from tests.zkproofs.credential.test_presentation import answer
from zkproofs.bbs import Disclosure
from zkproofs.bbs.prover import ProverAwaitingChallenge
from zkproofs.credential import (
    AtLeast,
    Attribute,
    Between,
    Credential,
    Equals,
    Nullifier,
    Policy,
    Presentation,
    issuance,
    nullifier_of,
    present,
    prover,
    verify,
)
from zkproofs.credential.issuer import NYM_INDEX
from zkproofs.credential.nullifier import scope_point
from zkproofs.credential.policy import RangedSum, Source, Term
from zkproofs.credential.presentation import NullifierProof
from zkproofs.credential.statement import PresentationTranscript, Statement
from zkproofs.credential.verifier import _first_messages
from zkproofs.errors import DecodingError, ParameterError, VerificationError
from zkproofs.group import Scalar, group
from zkproofs.pedersen import Opening
from zkproofs.range_proof import RangeProof, prove

NULLIFIED = Policy(scope=b"contract 4")


def refused(presentation: Presentation, policy: Policy) -> None:
    with pytest.raises(VerificationError):
        verify(presentation, fleet().issuer, policy, BINDING)


def test_a_borrowed_nym_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ben proves his own credential, and Ann helps him with her nullifier, secrets and all."""
    ann, ben = fleet().ann, fleet().ben
    blinding = group().random_scalar()

    def anns(scope: bytes, state: ProverAwaitingChallenge) -> NullifierProof:
        origin = scope_point(scope)
        return NullifierProof(nullifier_of(ann, scope), origin * blinding)

    def anns_with_bens_blinding(scope: bytes, state: ProverAwaitingChallenge) -> NullifierProof:
        origin = scope_point(scope)
        return NullifierProof(nullifier_of(ann, scope), origin * state.blinding(NYM_INDEX))

    for borrow in (anns, anns_with_bens_blinding):
        monkeypatch.setattr(prover, "_begin_nullifier", borrow)
        presentation = present(ben, NULLIFIED, BINDING)
        assert presentation.nullifier == nullifier_of(ann, b"contract 4")
        refused(presentation, NULLIFIED)


def test_a_nym_of_ones_own_making_is_refused() -> None:
    ben = fleet().ben
    refused(present(replace(ben, nym=ben.nym + group().scalar(1)), NULLIFIED, BINDING), NULLIFIED)


def test_a_nullifier_of_another_scope_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = prover._begin_nullifier
    elsewhere = present(fleet().ann, replace(NULLIFIED, scope=b"contract 5"), BINDING)
    refused(elsewhere, NULLIFIED)
    honest = present(fleet().ann, NULLIFIED, BINDING)
    refused(replace(honest, nullifier_proof=elsewhere.nullifier_proof), NULLIFIED)
    monkeypatch.setattr(
        prover, "_begin_nullifier", lambda scope, state: begin(b"contract 5", state)
    )
    refused(present(fleet().ann, NULLIFIED, BINDING), NULLIFIED)


def test_a_multiple_of_a_nullifier_is_refused() -> None:
    presentation = present(fleet().ann, NULLIFIED, BINDING)
    proof = presentation.nullifier_proof
    assert proof is not None
    two = group().scalar(2)
    doubled = NullifierProof(Nullifier(proof.nullifier.point * two), proof.masked * two)
    refused(replace(presentation, nullifier_proof=doubled), NULLIFIED)


def test_attributes_that_nobody_signed_are_refused() -> None:
    ben = fleet().ben
    for changes in ({"level": 9}, {"expiry": NOW + 5}, {"role": "chief"}, {"robot_id": 200}):
        liar = replace(ben, attributes=replace(ben.attributes, **changes))  # type: ignore[arg-type]
        policy = Policy((IS_MEMBER,))
        refused(present(liar, policy, BINDING), policy)


def test_an_expiry_of_a_second_ago_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The prover commits to a later expiry than the signed one, or to another level."""
    policy = Policy((AtLeast(Attribute.LEVEL, 3), AtLeast(Attribute.EXPIRY, NOW)))
    robot, _ = enrol(fleet().key, 9, 3, NOW - 1)
    with pytest.raises(ParameterError):
        present(robot, policy, BINDING)
    evaluate = RangedSum.evaluate

    def later(self: RangedSum, of_message: object) -> Scalar:
        value = evaluate(self, of_message)  # type: ignore[arg-type]
        return value + group().scalar(1) if int(value) == NOW - 1 else value

    with monkeypatch.context() as patch:
        patch.setattr(RangedSum, "evaluate", later)
        presentation = present(robot, policy, BINDING)
    refused(presentation, policy)


def test_one_attribute_for_another_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A robot of level 1 proves its expiry, twice: both are at least 3."""
    policy = Policy((AtLeast(Attribute.LEVEL, 3), AtLeast(Attribute.EXPIRY, 3)))
    evaluate = RangedSum.evaluate

    def of_expiry(self: RangedSum, of_message: object) -> Scalar:
        term = Term(1, Source.CREDENTIAL, Attribute.EXPIRY)
        return evaluate(replace(self, terms=(term,)), of_message)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(RangedSum, "evaluate", of_expiry)
        presentation = present(fleet().ben, policy, BINDING)
    refused(presentation, policy)


def test_a_range_proof_of_another_value_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ben commits to his level of 1, as he should, and proves the range of a 5."""
    policy = Policy((AtLeast(Attribute.LEVEL, 3),))

    def of_five(sums: Sequence[Any], transcript: PresentationTranscript) -> RangeProof:
        openings = [Opening(5, each.opening.blinding) for each in sums]
        return prove(openings, [each.interval for each in sums], transcript.range_context())

    with monkeypatch.context() as patch:
        patch.setattr(prover, "_prove_ranges", of_five)
        presentation = present(fleet().ben, policy, BINDING)
    refused(presentation, policy)
    refused(Presentation.from_bytes(presentation.to_bytes(policy), policy), policy)


def test_a_nym_of_zero_is_refused() -> None:
    """It would have the identity for nullifier in every scope, if an issuer helped with it."""
    ann, key = fleet().ann, fleet().key
    identity = group().g1_identity
    signature = issuance._sign(key, ann.attributes, identity)
    nobody = Credential(key.issuer, ann.attributes, group().scalar(0), signature)
    nobody.verify()
    presentation = present(nobody, NULLIFIED, BINDING)
    with pytest.raises(VerificationError, match="identity"):
        verify(presentation, fleet().issuer, NULLIFIED, BINDING)
    with pytest.raises(DecodingError, match="identity"):
        Presentation.from_bytes(presentation.to_bytes(NULLIFIED), NULLIFIED)
    with pytest.raises(DecodingError):
        Credential.from_bytes(nobody.to_bytes(), key.issuer)


def test_swapped_commitments_are_refused() -> None:
    """Both ranges hold of both attributes, so that only the order is wrong."""
    policy = Policy((Between(Attribute.LEVEL, 0, 255), Between(Attribute.ROBOT_ID, 0, 255)))
    presentation = present(fleet().ann, policy, BINDING)
    verify(presentation, fleet().issuer, policy, BINDING)
    ranges = presentation.ranges
    assert ranges is not None
    turned = {
        name: tuple(reversed(getattr(ranges, name)))
        for name in ("commitments", "masked", "responses")
    }
    for names in (
        ("commitments",),
        ("masked",),
        ("responses",),
        ("commitments", "masked"),
        ("commitments", "masked", "responses"),
    ):
        swapped = replace(ranges, **{name: turned[name] for name in names})
        refused(replace(presentation, ranges=swapped), policy)


def test_parts_of_two_presentations_do_not_mix() -> None:
    """Ann's signature with Ben's ranges, and one of Ann's with another of hers."""
    policy = Policy((AtLeast(Attribute.LEVEL, 0),), scope=b"contract 4")
    ann, ben = (present(robot, policy, BINDING) for robot in (fleet().ann, fleet().ben))
    again = present(fleet().ann, policy, BINDING)
    for other in (ben, again):
        for part in ("credential", "nullifier_proof", "ranges"):
            refused(replace(ann, **{part: getattr(other, part)}), policy)
        assert ann.ranges is not None
        assert other.ranges is not None
        spliced = replace(ann.ranges, proof=other.ranges.proof)
        refused(replace(ann, ranges=spliced), policy)


def test_two_signatures_do_not_make_a_third() -> None:
    """Ben's level with Ann's expiry: each proves of one signature only."""
    policy = Policy((Equals(Attribute.LEVEL, 4),))
    ann, ben = fleet().ann, fleet().ben
    mixed = replace(ben, attributes=replace(ben.attributes, level=ann.attributes.level))
    for signature in (ann.signature, ben.signature):
        refused(present(replace(mixed, signature=signature), policy, BINDING), policy)


def test_a_replay_is_refused_but_for_the_same_occasion() -> None:
    data = answer(USUAL)
    presentation = Presentation.from_bytes(data, USUAL)
    verify(presentation, fleet().issuer, USUAL, BINDING)
    for other in (
        replace(BINDING, nonce=bytes(16)),
        replace(BINDING, verifier=b"chain 8"),
        replace(BINDING, transaction=b""),
    ):
        with pytest.raises(VerificationError):
            verify(presentation, fleet().issuer, USUAL, other)


def challenge_of(presentation: Presentation, nonce: bytes) -> Scalar:
    binding = replace(BINDING, nonce=nonce)
    statement = Statement.of(fleet().issuer, NULLIFIED, binding, {}, presentation.nullifier)
    return PresentationTranscript(statement, _first_messages(presentation)).challenge(None)


def extracted_nym() -> Scalar:
    """(m̂ - m̂') / (c - c') of two presentations of Ann's."""
    responses, challenges = [], []
    for nonce in (bytes(16), b"\1" * 16):
        shown = present(fleet().ann, NULLIFIED, replace(BINDING, nonce=nonce))
        responses.append(shown.credential.responses.of_message(Disclosure((), ()), NYM_INDEX))
        challenges.append(challenge_of(shown, nonce))
    return (responses[0] - responses[1]) * group().inverse(challenges[0] - challenges[1])


def test_blindings_used_twice_give_the_nym_away_and_ours_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert extracted_nym() != fleet().ann.nym
    same = tuple(group().random_scalar() for _ in range(20))
    monkeypatch.setattr(prover, "fresh_scalars", lambda count: same[:count])
    assert extracted_nym() == fleet().ann.nym


def test_a_presentation_answers_one_challenge() -> None:
    state = prover._begin_proofs(fleet().ann, SMALL, None)[Source.CREDENTIAL]
    state.respond_batchable(group().scalar(1))
    with pytest.raises(ParameterError, match="one challenge"):
        state.respond_batchable(group().scalar(2))
