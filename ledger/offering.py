"""Offering a recording: the message that posts it, with proofs of what its entry hides.

A claim is a bound of a hidden value, such as a reward of 0.8 or more. The committed integer
is ``value * scale - offset``, so the bound becomes one of the integer, rounded inwards: what
is proven is never less than what is claimed. The interval has 2^32 values whatever the value
is, for an interval that fitted it would tell more than the claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from math import ceil, floor
from typing import Final

from ledger.chain.quality_claim import quality_context
from ledger.errors import MalformedError, NotFoundError, RefusedError
from ledger.experience.entry import Experience, parse_entry
from ledger.experience.kinds import Commitment, CommitmentKind, RewardSource
from ledger.experience.record_keys import CommitmentOpening
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_sharing_pb2 import PostOffer, QualityProof
from zkproofs import range_proof
from zkproofs.errors import ProofError
from zkproofs.group import ORDER, group
from zkproofs.interval import Interval
from zkproofs.pedersen import Opening

BITS: Final = 32
_INT64: Final = range(-(2**63), 2**63)
_CLAIM: Final = re.compile(
    r"(reward|success|length)(?:_(operator|task|self))?(>=|<=)(-?[0-9]{1,12}(?:\.[0-9]{1,9})?)"
)


class Bound(Enum):
    """On which side a value is bounded."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class QualityClaim:
    """That a hidden value is so much at least, or at most."""

    kind: CommitmentKind
    source: RewardSource | None
    """None: whoever gave the one value of this kind that there is."""
    bound: Bound
    value: Fraction

    @classmethod
    def parse(cls, text: str) -> QualityClaim:
        """Read ``reward>=0.8``, ``reward_task>=0.8`` or ``length<=30``. Raises MalformedError."""
        found = _CLAIM.fullmatch(text)
        if found is None:
            raise MalformedError(
                f"{text[:40]!r} is no claim", hint="write it like reward>=0.8 or length<=30"
            )
        kind, source, bound, value = found.groups()
        return cls(
            CommitmentKind[kind.upper()],
            RewardSource[source.upper()] if source else None,
            Bound(bound),
            Fraction(value),
        )

    @property
    def name(self) -> str:
        """``reward``, or ``reward_task``."""
        kind = self.kind.name.lower()
        return f"{kind}_{self.source.name.lower()}" if self.source else kind

    def interval(self, commitment: Commitment) -> Interval:
        """Where the committed integer lies, if the claim is true. Raises MalformedError."""
        # value = (integer + offset) / scale
        exact = self.value * commitment.scale - commitment.offset
        if self.bound is Bound.AT_LEAST:
            interval = Interval.at_least(ceil(exact), BITS)
        else:
            interval = Interval.at_most(floor(exact), BITS)
        if interval.low not in _INT64 or interval.high not in _INT64:
            raise MalformedError(f"no {self.name} is that large", hint="claim a smaller bound")
        return interval


@dataclass(frozen=True, slots=True)
class Seller:
    """Who offers, where, under which contract: 32 bytes each."""

    chain: bytes
    account: bytes
    contract: bytes


def offer_message(
    seller: Seller,
    origin: str,
    entry: bytes,
    index: int,
    path: Sequence[bytes],
    claims: Iterable[QualityClaim] = (),
    openings: Iterable[CommitmentOpening] = (),
) -> PostOffer:
    """The message that offers entry ``index`` of a log, ``claims`` proven by ``openings``.

    ``path`` leads from the entry to the anchored checkpoint. Raises MalformedError,
    NotFoundError where the entry does not commit to what is claimed, RefusedError for a
    claim that is not true, or that proofs of this size cannot show.
    """
    kind = parse_entry(entry).kind
    if not isinstance(kind, Experience):
        raise RefusedError(f"entry {index} is not a recording", hint="`quipu log` lists them")
    tied_to = quality_context(seller.chain, seller.account, leaf_hash(entry), kind.content_root)
    known = {(each.kind, each.source): each for each in openings}
    proofs = [_prove(claim, kind, known, tied_to) for claim in claims]
    proofs.sort(key=lambda proof: (proof.kind, proof.source))
    if len({(proof.kind, proof.source) for proof in proofs}) < len(proofs):
        raise RefusedError("two claims about one value", hint="claim one bound of each")
    return PostOffer(
        contract=seller.contract,
        origin=origin,
        entry=entry,
        index=index,
        path=path,
        qualities=proofs,
    )


def _prove(
    claim: QualityClaim,
    experience: Experience,
    openings: dict[tuple[CommitmentKind, RewardSource], CommitmentOpening],
    tied_to: bytes,
) -> QualityProof:
    commitment = _committed(claim, experience)
    kept = openings.get((commitment.kind, commitment.source))
    if kept is None:
        raise NotFoundError(
            f"what opens the recording's {claim.name} is not kept here",
            hint="offer it from the home that recorded it",
        )
    interval = claim.interval(commitment)
    if not interval.low <= kept.value <= interval.high:
        raise RefusedError(
            f"the recording's {claim.name} is not {claim.bound.value} {float(claim.value):g},"
            " or too far beyond it to be proven so",
            hint="claim what is true, and a bound that is nearer",
        )
    try:
        opening = Opening(kept.value % ORDER, group().decode_scalar(kept.blinding))
        proof = range_proof.prove([opening], [interval], tied_to).to_bytes()
    except ProofError as error:
        raise RefusedError(f"the proof cannot be made: {error.message}") from error
    return QualityProof(
        kind=commitment.kind.value,
        source=commitment.source.value,
        low=interval.low,
        high=interval.high,
        proof=proof,
    )


def _committed(claim: QualityClaim, experience: Experience) -> Commitment:
    found = [
        each
        for each in experience.commitments
        if each.kind is claim.kind and claim.source in (None, each.source)
    ]
    if not found:
        raise NotFoundError(
            f"the entry does not commit to a {claim.name}", hint="`quipu show` says to what"
        )
    if len(found) > 1:
        raise RefusedError(
            f"the entry commits to a {claim.name} of several sources",
            hint="claim one of them: reward_operator, reward_task or reward_self",
        )
    return found[0]
