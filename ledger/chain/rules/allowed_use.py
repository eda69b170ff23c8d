"""Whether a member may use an offered recording now: what rules ask of a contract.

Withdrawal, expiry and freshness are the terms' and decided here; the rest is the policy's.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import read_fleet
from ledger.chain.policy import Member, Quality, Recording, Use
from ledger.chain.policy.schema import QUALITIES
from ledger.chain.role import Role
from ledger.chain.rules.sharing import current_version, policy_of
from ledger.experience.fields import CHUNK_SIZE
from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.schema.chain_sharing_pb2 import (
    ContractRecord,
    ContractVersion,
    OfferRecord,
    QualityBound,
    Terms,
)

SECOND: Final = 1_000_000_000
_LONGS: Final = range(-(2**63), 2**63)


def price_of(terms: Terms, content_size: int) -> int:
    """What a whole recording of so many bytes costs under these terms; may be 2^64 or more."""
    return terms.record_price + -(-content_size // CHUNK_SIZE) * terms.chunk_price


def allowed_version(
    context: Context, offer: OfferRecord, member: Member, purpose: str
) -> tuple[ContractRecord, ContractVersion]:
    """The contract of an offer, and its newest version, if that lets ``member`` use it now.

    Raises RefusalError: `OFFER_STATE`, `CONTRACT_OVER`, `STALE`, `POLICY_DENIES`.
    """
    require(not offer.withdrawn_height, ResultCode.OFFER_STATE, "the offer was withdrawn")
    record, version = current_version(context, offer.contract)
    terms = version.terms
    require(
        not terms.max_age_ns or offer.end_ns + terms.max_age_ns >= context.time_ns,
        ResultCode.STALE,
        "the recording is older than the contract's terms allow",
    )
    recording = as_recording(offer, read_fleet(context.state, record.fleet).name)
    use = Use(purpose, context.time_ns // SECOND, price_of(terms, offer.content_size))
    require(
        policy_of(version).allows(member, recording, use),
        ResultCode.POLICY_DENIES,
        "the contract's policy does not allow it",
    )
    return record, version


def as_member(fleet: str, proven_min_level: int, role: str) -> Member:
    """What a policy sees of who shows a role's whole text, or nothing where that is empty.

    Raises MalformedError for a text that is no role's (`ledger.chain.role`).
    """
    if not role:
        return Member(fleet, proven_min_level)
    shown = Role.parse(role)
    return Member(fleet, proven_min_level, shown.name, shown.certifications)


def as_recording(offer: OfferRecord, fleet: str) -> Recording:
    """What a policy sees of an offer; ``fleet`` is the name of the fleet that offers."""
    return _recording(offer.SerializeToString(deterministic=True), fleet)


# Many ask for one offer, and the engine too looks up what it has parsed by the recording.
@lru_cache(maxsize=1_024)
def _recording(encoded: bytes, fleet: str) -> Recording:
    offer = OfferRecord.FromString(encoded)
    return Recording(
        kind=offer.kind,
        fleet=fleet,
        origin=offer.origin,
        media_type=offer.media_type,
        tags=tuple(offer.tags),
        topics=tuple(offer.topics),
        start_s=offer.start_ns // SECOND,
        end_s=offer.end_ns // SECOND,
        size=min(offer.content_size, _LONGS[-1]),
        qualities=tuple(filter(None, map(_quality, offer.qualities))),
    )


def _quality(bound: QualityBound) -> Quality | None:
    """A bound in thousandths, rounded outwards: what is said is never more than was proven.

    None for one that policies have no name for, such as a length that a task gave.
    """
    kind, source = CommitmentKind(bound.kind), RewardSource(bound.source)
    name = kind.name.lower()
    if source is not RewardSource.UNSPECIFIED:
        name = f"{name}_{source.name.lower()}"
    if name not in QUALITIES:
        return None
    # value = (integer + offset) / scale
    low = (bound.low + bound.offset) * 1_000 // bound.scale
    high = -(-(bound.high + bound.offset) * 1_000 // bound.scale)
    return Quality(name, low if low in _LONGS else None, high if high in _LONGS else None)
