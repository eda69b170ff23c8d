"""Verifying what members present and offers prove, one by one and many at once.

A verdict depends on the claim alone. That of a batch is that of each by itself: a batch that
fails is halved until single presentations are left (`zkproofs.batch`), and its fresh
randomness passes a false one with a probability below 2^-127.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeAlias

from ledger.chain.presentation_claim import PresentationClaim
from ledger.chain.quality_claim import Bound, QualityClaim
from ledger.errors import RefusedError
from zkproofs.batch import AnyEquation, Batch, BatchVerificationError
from zkproofs.credential import (
    AtLeast,
    Attribute,
    Binding,
    Equals,
    Issuer,
    Policy,
    Presentation,
    equations,
    presentation_size,
)
from zkproofs.credential.policy import Predicate
from zkproofs.errors import DecodingError, ProofError, VerificationError
from zkproofs.group import group
from zkproofs.interval import Interval
from zkproofs.range_proof import RangeProof
from zkproofs.range_proof import equations as range_equations

Claim: TypeAlias = PresentationClaim | QualityClaim
"""What a block's transactions say that their proofs prove."""


def policy_of(claim: PresentationClaim) -> Policy:
    """What is proven: fleet, role if shown, level, expiry, use, and not revoked."""
    predicates: list[Predicate] = [Equals(Attribute.FLEET, claim.fleet)]
    if claim.role:
        predicates.append(Equals(Attribute.ROLE, claim.role))
    predicates.append(AtLeast(Attribute.LEVEL, claim.min_level))
    predicates.append(AtLeast(Attribute.EXPIRY, claim.time_s))
    return Policy(tuple(predicates), scope=claim.scope, epoch=claim.revocation_epoch)


def binding_of(claim: PresentationClaim) -> Binding:
    """What the presentation is good for: this transaction on this chain."""
    return Binding(claim.nonce, claim.chain, claim.transaction)


@lru_cache(maxsize=2)
def size_of_presentation(shows_role: bool) -> int:
    """Bytes of every presentation, whoever makes it and whatever it proves."""
    role = "r" if shows_role else ""
    claim = PresentationClaim(bytes(96), "f", 0, role, 0, 0, b"s", b"c", b"t", b"")
    return presentation_size(policy_of(claim))


def verify_claim(claim: Claim) -> bool:
    """Whether a claim is true.

    Raises RefusedError on a machine that cannot tell: it must stop, for others can.
    """
    return verify_claims([claim])[0]


def verify_claims(claims: Sequence[Claim]) -> list[bool]:
    """Which claims are true, in their order; raises as `verify_claim`."""
    verdicts = [False] * len(claims)
    try:
        batch, places = Batch(), list[int]()
        for place, claim in enumerate(claims):
            found = _equations(claim)
            if found:
                batch.add(*found)
                places.append(place)
        failed: set[int] = set()
        if places:
            try:
                batch.verify()
            except BatchVerificationError as error:
                failed = set(error.failed)
    except ProofError as error:
        raise RefusedError(f"proofs cannot be verified here: {error.message}") from error
    for number, place in enumerate(places):
        verdicts[place] = number not in failed
    return verdicts


def _equations(claim: Claim) -> tuple[AnyEquation, ...]:
    """What has to hold; nothing for a claim that no equation can save."""
    try:
        if isinstance(claim, QualityClaim):
            return tuple(each for bound in claim.bounds for each in _of_bound(bound, claim.context))
        policy = policy_of(claim)
        presentation = Presentation.from_bytes(claim.presentation, policy)
        return equations(presentation, _issuer(claim.issuer), policy, binding_of(claim))
    except (DecodingError, VerificationError):
        return ()


def _of_bound(bound: Bound, context: bytes) -> Sequence[AnyEquation]:
    proof, point = RangeProof.from_bytes(bound.proof), group().decode_g1(bound.point)
    return range_equations(proof, [point], [Interval(bound.low, bound.high)], context)


@lru_cache(maxsize=64)
def _issuer(public_key: bytes) -> Issuer:
    # Its generators and domains take longer to make than a presentation to verify.
    return Issuer.from_bytes(public_key)
