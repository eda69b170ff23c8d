"""An offer as buyers see it: what the chain proves of it, of its contract, and of its price."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Final

from ledger.chain.rules.allowed_use import price_of
from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.offering import BITS, Bound, QualityClaim
from ledger.schema.chain_sharing_pb2 import (
    ContractRecord,
    ContractVersion,
    OfferRecord,
    QualityBound,
    Terms,
)

_FULL: Final = (1 << BITS) - 1
"""Width of the interval that `ledger.offering` proves for a claim."""


@dataclass(frozen=True, slots=True)
class ProvenQuality:
    """A hidden value is proven to lie in ``[low, high]``."""

    kind: CommitmentKind
    source: RewardSource
    low: Fraction
    high: Fraction
    claimed: Bound | None
    """Which of the two bounds was claimed, the other being as far away as proofs go; None
    where both mean something."""

    @classmethod
    def of(cls, bound: QualityBound) -> ProvenQuality:
        """What an offer's record says. value = (integer + offset) / scale."""
        low = Fraction(bound.low + bound.offset, bound.scale)
        high = Fraction(bound.high + bound.offset, bound.scale)
        claimed = None
        if bound.high - bound.low == _FULL:
            claimed = Bound.AT_LEAST if abs(low) <= abs(high) else Bound.AT_MOST
        return cls(CommitmentKind(bound.kind), RewardSource(bound.source), low, high, claimed)

    @property
    def name(self) -> str:
        """``reward_task``, ``length``."""
        name = self.kind.name.lower()
        if self.source is RewardSource.UNSPECIFIED:
            return name
        return f"{name}_{self.source.name.lower()}"

    @property
    def words(self) -> str:
        """``reward_task >= 0.8``."""
        if self.claimed is Bound.AT_LEAST:
            return f"{self.name} >= {float(self.low):g}"
        if self.claimed is Bound.AT_MOST:
            return f"{self.name} <= {float(self.high):g}"
        return f"{float(self.low):g} <= {self.name} <= {float(self.high):g}"

    def proves(self, claim: QualityClaim) -> bool:
        """Whether a value that lies here fulfils ``claim``, whatever it is."""
        if self.kind is not claim.kind or claim.source not in (None, self.source):
            return False
        if claim.bound is Bound.AT_LEAST:
            return self.low >= claim.value
        return self.high <= claim.value


@dataclass(frozen=True, slots=True)
class Listing:
    """An offer that stands, with its contract's newest version, all proven at ``height``."""

    offer: bytes
    """Its id, 32 bytes."""
    record: OfferRecord
    contract: ContractRecord
    version: ContractVersion
    """The contract's newest: what a grant that is asked for now will be under."""
    fleet: str
    """The name of the selling robot's fleet."""
    height: int
    time_ns: int
    """Of the block at ``height``, since 1970."""

    @property
    def terms(self) -> Terms:
        """The contract's terms now."""
        return self.version.terms

    @property
    def price(self) -> int:
        """Of the whole recording, in smallest units of ``terms.asset``."""
        return price_of(self.terms, self.record.content_size)

    @property
    def age_ns(self) -> int:
        """How long ago the recording ended; 0 for one that ends in the future."""
        return max(0, self.time_ns - self.record.end_ns)

    @property
    def qualities(self) -> tuple[ProvenQuality, ...]:
        """What is proven of the values that its entry hides."""
        return tuple(map(ProvenQuality.of, self.record.qualities))

    @property
    def is_fresh(self) -> bool:
        """Whether the contract's terms let a recording of this age be used."""
        return not self.terms.max_age_ns or self.age_ns <= self.terms.max_age_ns


class Sort(Enum):
    """In which order listings come."""

    NEWEST = "newest"
    """By the recording's end, the latest first."""
    CHEAPEST = "cheapest"


@dataclass(frozen=True, slots=True)
class Search:
    """What is looked for; what is left out is not asked for. All of it has to hold."""

    text: str = ""
    """Words, each in the kind, the media type, the origin, a tag or a topic; any case."""
    tags: Sequence[str] = ()
    """``key=value`` each, or ``key`` alone for any value."""
    topics: Sequence[str] = ()
    """Names, whole."""
    kind: str = ""
    max_age_ns: int | None = None
    max_price: int | None = None
    """Of the whole recording, in smallest units."""
    asset: int | None = None
    qualities: Sequence[QualityClaim] = ()
    """``QualityClaim.parse("reward>=0.8")``: what has to be proven."""
    sort: Sort = Sort.NEWEST
    limit: int | None = None

    def fits_record(self, record: OfferRecord) -> bool:
        """Whether an offer is looked for, as far as its record says."""
        tags = set(record.tags) | {tag.partition("=")[0] for tag in record.tags}
        texts = [record.kind, record.media_type, record.origin, *record.tags, *record.topics]
        whole = "\n".join(texts).casefold()
        proven = [ProvenQuality.of(bound) for bound in record.qualities]
        return (
            all(word in whole for word in self.text.casefold().split())
            and tags.issuperset(self.tags)
            and set(record.topics).issuperset(self.topics)
            and self.kind in ("", record.kind)
            and all(any(each.proves(claim) for each in proven) for claim in self.qualities)
        )

    def fits(self, listing: Listing) -> bool:
        """Whether a listing is looked for."""
        return (
            self.fits_record(listing.record)
            and (self.max_age_ns is None or listing.age_ns <= self.max_age_ns)
            and (self.max_price is None or listing.price <= self.max_price)
            and (self.asset is None or listing.terms.asset == self.asset)
        )

    def ordered(self, listings: Sequence[Listing]) -> tuple[Listing, ...]:
        """Listings in the order that is asked for, as many as are."""
        if self.sort is Sort.CHEAPEST:
            found = sorted(listings, key=lambda each: (each.price, each.offer))
        else:
            found = sorted(listings, key=lambda each: (-each.record.end_ns, each.offer))
        return tuple(found[: self.limit])
