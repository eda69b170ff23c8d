"""Checking a presentation: c again from the transcript, then these equations.

    T1 = c·B̄ + ê·Ā + r̂1·D                                      of the credential, and the gap
    T2 = c·(P1 + domain·Q_1 + Σ_shown mᵢ·Hᵢ) + r̂3·D + Σ_hidden m̂ⱼ·Hⱼ
    e(Ā, W) = e(B̄, P2)
    Ĉ + c·C = (Σ sign·m̂ⱼ)·Y1 + ŝ·Y0                            of each ranged sum
    Û + c·Nym = m̂_nym·OP
    the range proof's, over all C

and where a fleet is hidden, its m̂ is the same in the credential's proof and the gap's.
All are linear in points that were sent or are fixed, so that any number of presentations
is one multi-scalar multiplication, and a pairing for each issuer and one.
"""

from __future__ import annotations

from zkproofs.batch import AnyEquation, Equation, verify_equations
from zkproofs.bbs import BatchableProof, Disclosure
from zkproofs.bbs.verifier import linear_equations, pairing_equation
from zkproofs.credential.attributes import Attribute
from zkproofs.credential.binding import Binding
from zkproofs.credential.issuer import NYM_INDEX, Issuer
from zkproofs.credential.policy import Policy, Source
from zkproofs.credential.presentation import Presentation, RangeParts
from zkproofs.credential.revocation import GapMessage
from zkproofs.credential.statement import FirstMessages, PresentationTranscript, Statement
from zkproofs.errors import VerificationError
from zkproofs.group import G1, Scalar, group
from zkproofs.pedersen import default_bases
from zkproofs.range_proof import equations as range_equations


def verify(presentation: Presentation, issuer: Issuer, policy: Policy, binding: Binding) -> None:
    """Raise `VerificationError` unless ``presentation`` answers ``policy`` for ``binding``.

    That its nullifier is new in the scope, its nonce too, the epoch the newest and the
    time that the expiry is compared with the present one, is for the caller to see to.
    """
    verify_equations(equations(presentation, issuer, policy, binding), "the presentation")


def equations(
    presentation: Presentation, issuer: Issuer, policy: Policy, binding: Binding
) -> tuple[AnyEquation, ...]:
    """What has to hold for `verify`: one item of a `zkproofs.batch.Batch`.

    Raises `VerificationError` for a presentation that no equations can save.
    """
    _check_shape(presentation, policy)
    statement = Statement.of(
        issuer,
        policy,
        binding,
        {**policy.expected, **presentation.disclosed(policy)},
        presentation.nullifier,
    )
    return statement_equations(presentation, statement)


def statement_equations(
    presentation: Presentation, statement: Statement
) -> tuple[AnyEquation, ...]:
    """The same of a statement that fits the presentation's shape."""
    first = _first_messages(presentation)
    _check_no_identity(first, statement)
    transcript = PresentationTranscript(statement, first)
    ranges = presentation.ranges
    # Before c is drawn: this refuses a range proof that has no bytes to absorb.
    of_ranges = (
        _range_equations(ranges, statement.policy, transcript.range_context()) if ranges else ()
    )
    challenge = transcript.challenge(ranges.proof if ranges else None)
    answers = _Answers(presentation, statement, challenge)
    return (
        *answers.signatures(),
        *answers.nullifier(),
        *answers.ranged_sums(),
        *of_ranges,
    )


class _Answers:
    """The responses of a presentation, under its challenge."""

    def __init__(self, presentation: Presentation, statement: Statement, challenge: Scalar) -> None:
        self._presentation, self._statement, self._challenge = presentation, statement, challenge
        self._one = group().scalar(1)
        self._proofs: dict[Source, tuple[BatchableProof, Disclosure]] = {
            Source.CREDENTIAL: (presentation.credential, statement.disclosure)
        }
        if presentation.gap is not None:
            self._proofs[Source.GAP] = (presentation.gap, statement.gap_disclosure)

    def signatures(self) -> list[AnyEquation]:
        """Those of T1, T2 and the pairing, for both signatures."""
        issuer = self._statement.issuer
        domains = {Source.CREDENTIAL: issuer.credentials, Source.GAP: issuer.gaps}
        found: list[AnyEquation] = []
        for source, (proof, disclosure) in self._proofs.items():
            domain = domains[source]
            found += linear_equations(domain, proof, disclosure, self._challenge)
            found.append(pairing_equation(domain, proof.first))
        fleet_is_hidden = Attribute.FLEET not in self._statement.policy.shown
        if Source.GAP in self._proofs and fleet_is_hidden:
            of_credential = self._response(Source.CREDENTIAL, Attribute.FLEET)
            if of_credential != self._response(Source.GAP, GapMessage.FLEET):
                raise VerificationError("the gap is of another fleet than the credential")
        return found

    def nullifier(self) -> list[Equation]:
        """Û + c·Nym - m̂_nym·OP = 0."""
        proof, origin = self._presentation.nullifier_proof, self._statement.origin
        if proof is None or origin is None:
            return []
        response = self._response(Source.CREDENTIAL, NYM_INDEX)
        return [
            Equation(
                (proof.masked, proof.nullifier.point, origin),
                (self._one, self._challenge, -response),
            )
        ]

    def ranged_sums(self) -> list[Equation]:
        """Ĉ + c·C - (Σ sign·m̂ⱼ)·Y1 - ŝ·Y0 = 0."""
        ranges = self._presentation.ranges
        if ranges is None:
            return []
        bases = default_bases()
        return [
            Equation(
                (masked, commitment, bases.value, bases.blinding),
                (self._one, self._challenge, -ranged.evaluate(self._response), -response),
            )
            for ranged, commitment, masked, response in zip(
                self._statement.policy.ranged_sums,
                ranges.commitments,
                ranges.masked,
                ranges.responses,
                strict=True,
            )
        ]

    def _response(self, source: Source, index: int) -> Scalar:
        """m̂ of a hidden message."""
        proof, disclosure = self._proofs[source]
        return proof.responses.of_message(disclosure, index)


def _range_equations(ranges: RangeParts, policy: Policy, context: bytes) -> tuple[Equation, ...]:
    intervals = [ranged.interval for ranged in policy.ranged_sums]
    return range_equations(ranges.proof, ranges.commitments, intervals, context)


def _first_messages(presentation: Presentation) -> FirstMessages:
    ranges, nullifier = presentation.ranges, presentation.nullifier_proof
    return FirstMessages(
        presentation.credential.first,
        presentation.gap.first if presentation.gap else None,
        ranges.commitments if ranges else (),
        ranges.masked if ranges else (),
        nullifier.masked if nullifier else None,
    )


def _check_shape(presentation: Presentation, policy: Policy) -> None:
    """Raise `VerificationError` unless the policy asks for just what is there."""
    sums, ranges = len(policy.ranged_sums), presentation.ranges
    counts = [len(ranges.commitments), len(ranges.masked), len(ranges.responses)] if ranges else [0]
    hidden = NYM_INDEX + 1 - len(policy.shown)
    gap, gap_hidden = presentation.gap, len(GapMessage) - len(policy.gap_indexes)
    if (
        len(presentation.values) != len(policy.disclose)
        or (presentation.nullifier_proof is None) != (policy.scope is None)
        or (gap is None) != (policy.epoch is None)
        or any(count != sums for count in counts)
        or len(presentation.credential.responses.messages) != hidden
        or (gap is not None and len(gap.responses.messages) != gap_hidden)
    ):
        raise VerificationError("the presentation answers another policy")


def _check_no_identity(first: FirstMessages, statement: Statement) -> None:
    points: list[G1 | None] = [
        *first.commitments,
        *first.masked_commitments,
        first.masked_nullifier,
        statement.nullifier.point if statement.nullifier else None,
    ]
    for proof in (first.credential, first.gap):
        if proof is not None:
            points += (proof.a_bar, proof.b_bar, proof.d, proof.t1, proof.t2)
    if group().g1_identity in points:
        raise VerificationError("a point of the presentation is the identity")
