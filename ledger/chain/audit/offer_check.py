"""What a robot offers against its own log: the entry, its leaf and root, and the content.

The chain saw the entry once, with a path. Here the log is at hand: the entry has to be where
it was, as it was; and the content kept, or erased by an entry that says so.
"""

from __future__ import annotations

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.home_facts import HomeFacts, HomeReading
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.facts import OfferFact
from ledger.errors import LedgerError
from ledger.experience.access import Record
from ledger.experience.entry import Experience, parse_entry
from ledger.experience.records import Presence
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.merkle.hashing import leaf_hash


def check_offers(
    reading: HomeReading,
    facts: HomeFacts,
    chronicle: Chronicle,
    trail: AuditTrail,
    counters: ChainCounters,
) -> None:
    """Check every offer of this robot's recordings against its home."""
    for offer in chronicle.sharing.offers.values():
        if offer.origin == facts.origin:
            counters.offers_checked += 1
            _check(reading, facts, offer, trail)


def _check(reading: HomeReading, facts: HomeFacts, offer: OfferFact, trail: AuditTrail) -> None:
    try:
        encoded = reading.log.entry(offer.index)
    except LedgerError as error:
        _find(trail, facts, offer, f"its entry is not in the log: {error.message}")
        return
    if leaf_hash(encoded) != offer.leaf:
        _find(trail, facts, offer, "the entry in the log is not the one that was offered")
        return
    experience = _experience(encoded)
    if experience is None or experience.content_root != offer.content_root:
        _find(trail, facts, offer, "the content that is offered is not the entry's")
        return
    committed = {(each.kind.value, each.source.value) for each in experience.commitments}
    if any((bound.kind, bound.source) not in committed for bound in offer.qualities):
        _find(trail, facts, offer, "what is proven of it is no commitment of the entry")
    record = reading.record(experience.record_id)
    if record is None:
        _find(trail, facts, offer, "its record is not in the home's tables")
    else:
        _check_content(reading, facts, offer, record, trail)


def _check_content(
    reading: HomeReading, facts: HomeFacts, offer: OfferFact, record: Record, trail: AuditTrail
) -> None:
    erased = facts.erased.get(record.record_id)
    if facts.size <= record.state.removed_by < reading.log.size:
        return  # that came after the entries that are looked at
    match record.state.presence:
        case Presence.ERASED if erased is None:
            _find(trail, facts, offer, "its content is gone, and no entry says that it was erased")
        case Presence.ERASED | Presence.PRUNED if not offer.withdrawn_height:
            gone = "erased" if record.state.presence is Presence.ERASED else "pruned"
            at = record.state.removed_by
            trail.note(
                f"offer {offer.id.hex()} still stands; its content was {gone} by entry {at} "
                f"of {facts.origin}"
            )
        case Presence.STORED | Presence.IN_PLACE if erased is not None:
            message = f"entry {erased} says that it was erased, and the home still has it"
            _find(trail, facts, offer, message)
        case Presence.STORED | Presence.IN_PLACE if not reading.content_is_there(record):
            _find(trail, facts, offer, "its content is not in the home, and was not erased")
        case _:
            pass


def _experience(encoded: bytes) -> Experience | None:
    try:
        kind = parse_entry(encoded).kind
    except LedgerError:
        return None
    return kind if isinstance(kind, Experience) else None


def _find(trail: AuditTrail, facts: HomeFacts, offer: OfferFact, message: str) -> None:
    trail.find(
        FindingKind.OFFER_WRONG,
        f"offer {offer.id.hex()}",
        message,
        entry=offer.index,
        file=str(facts.path),
        height=offer.at.height,
    )
