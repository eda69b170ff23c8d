"""Presenting a credential: first messages, range proof, challenge, responses.

    C = s·Y1 + t·Y0,  Ĉ = s̃·Y1 + t̃·Y0       of each ranged sum s = Σ sign·mⱼ, t and t̃ fresh
    Nym = nym·OP,     Û = m̃_nym·OP
    after c:  ŝ = t̃ + c·t                    and m̂ⱼ = m̃ⱼ + c·mⱼ of `zkproofs.bbs`

m̃ⱼ blinds message j in the proof of its signature; s̃ = Σ sign·m̃ⱼ, over the messages of
both signatures. That one m̃ⱼ is what ties the proofs together: a fleet that is hidden
has the same in the credential's proof and in the gap's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkproofs.bbs.prover import ProverAwaitingChallenge, begin_proof
from zkproofs.bbs.randomness import fresh_scalars
from zkproofs.credential.attributes import Attribute
from zkproofs.credential.binding import Binding
from zkproofs.credential.credential import Credential
from zkproofs.credential.issuer import NYM_INDEX
from zkproofs.credential.nullifier import Nullifier, scope_point
from zkproofs.credential.policy import Policy, RangedSum, Source
from zkproofs.credential.presentation import NullifierProof, Presentation, RangeParts
from zkproofs.credential.revocation import Gap, GapMessage
from zkproofs.credential.statement import FirstMessages, PresentationTranscript, Statement
from zkproofs.errors import ParameterError
from zkproofs.group import G1, Scalar, group
from zkproofs.interval import Interval
from zkproofs.pedersen import Opening, default_bases
from zkproofs.range_proof import RangeProof, prove


def present(
    credential: Credential, policy: Policy, binding: Binding, gap: Gap | None = None
) -> Presentation:
    """Answer ``policy`` once, for ``binding``; where it has an epoch, with a gap of that.

    Raises `ParameterError` where credential or gap do not meet the policy.
    """
    _check_meets(credential, policy, gap)
    states = _begin_proofs(credential, policy, gap)
    state, gap_state = states[Source.CREDENTIAL], states.get(Source.GAP)
    sums = [_CommittedSum.of(each, states) for each in policy.ranged_sums]
    nullifier = None if policy.scope is None else _begin_nullifier(policy.scope, state)
    first = FirstMessages(
        state.first,
        gap_state.first if gap_state else None,
        tuple(each.commitment for each in sums),
        tuple(each.masked for each in sums),
        nullifier.masked if nullifier else None,
    )
    values = {each: credential.attributes.value(each) for each in policy.shown}
    statement = Statement.of(
        credential.issuer, policy, binding, values, nullifier.nullifier if nullifier else None
    )
    transcript = PresentationTranscript(statement, first)
    range_proof = _prove_ranges(sums, transcript) if sums else None
    challenge = transcript.challenge(range_proof)
    return Presentation(
        tuple(values[each] for each in policy.disclose),
        nullifier,
        state.respond_batchable(challenge),
        gap_state.respond_batchable(challenge) if gap_state else None,
        _answer_ranges(sums, range_proof, challenge) if range_proof else None,
    )


def _check_meets(credential: Credential, policy: Policy, gap: Gap | None) -> None:
    """Raise `ParameterError` for what no proof would come of, ranges apart."""
    for attribute, value in policy.expected.items():
        if credential.attributes.value(attribute) != value:
            raise ParameterError(f"the credential is of another {attribute.label}")
    if (gap is None) != (policy.epoch is None):
        raise ParameterError("a gap is needed where there is an epoch, and nowhere else")
    if gap is not None:
        if gap.epoch != policy.epoch:
            raise ParameterError("the gap is of another epoch")
        if gap.fleet != credential.attributes.fleet:
            raise ParameterError("the gap is of another fleet")


def _begin_proofs(
    credential: Credential, policy: Policy, gap: Gap | None
) -> dict[Source, ProverAwaitingChallenge]:
    """The first messages about both signatures."""
    issuer = credential.issuer
    state = begin_proof(
        issuer.credentials,
        credential.signature,
        credential.messages,
        tuple(map(int, policy.shown)),
        scalars=fresh_scalars,
    )
    if gap is None:
        return {Source.CREDENTIAL: state}
    shared = (
        {}
        if Attribute.FLEET in policy.shown
        else {int(GapMessage.FLEET): state.blinding(Attribute.FLEET)}
    )
    gap_state = begin_proof(
        issuer.gaps,
        gap.signature,
        gap.messages,
        policy.gap_indexes,
        scalars=fresh_scalars,
        blindings=shared,
    )
    return {Source.CREDENTIAL: state, Source.GAP: gap_state}


def _begin_nullifier(scope: bytes, state: ProverAwaitingChallenge) -> NullifierProof:
    origin = scope_point(scope)
    nullifier = Nullifier(origin * state.message(NYM_INDEX))
    return NullifierProof(nullifier, origin * state.blinding(NYM_INDEX))


@dataclass(frozen=True, slots=True, repr=False)
class _CommittedSum:
    """A ranged sum, and what it is committed with."""

    interval: Interval
    opening: Opening
    """s and t"""
    blinding: Scalar
    """t̃"""
    commitment: G1
    """C"""
    masked: G1
    """Ĉ"""

    @classmethod
    def of(cls, ranged: RangedSum, states: dict[Source, ProverAwaitingChallenge]) -> _CommittedSum:
        value = ranged.evaluate(lambda source, index: states[source].message(index))
        masked_value = ranged.evaluate(lambda source, index: states[source].blinding(index))
        opening = Opening(int(value), group().random_scalar())
        blinding, bases = group().random_scalar(), default_bases()
        masked = group().msm((bases.value, bases.blinding), (masked_value, blinding))
        return cls(ranged.interval, opening, blinding, opening.commitment(bases), masked)

    def response(self, challenge: Scalar) -> Scalar:
        """ŝ = t̃ + c·t."""
        return self.blinding + self.opening.blinding * challenge


def _prove_ranges(sums: Sequence[_CommittedSum], transcript: PresentationTranscript) -> RangeProof:
    openings = [each.opening for each in sums]
    return prove(openings, [each.interval for each in sums], transcript.range_context())


def _answer_ranges(
    sums: Sequence[_CommittedSum], proof: RangeProof, challenge: Scalar
) -> RangeParts:
    return RangeParts(
        tuple(each.commitment for each in sums),
        tuple(each.masked for each in sums),
        tuple(each.response(challenge) for each in sums),
        proof,
    )
