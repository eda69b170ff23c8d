"""Erasure notices: who bought what consent is withdrawn of, and who confirmed that it is gone.

A withdrawal on the chain is the notice; the receipt is signed by a grant's one-time key. So
a missing one can be told of a grant and its fleet, and of nobody in it. None of this is
damage: it is what somebody still owes somebody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.facts import ConsentFact, GrantFact
from ledger.fsck.findings import AuditTrail

_NAMED = 8


@dataclass(slots=True)
class Notices:
    """What came of one withdrawal: the grants it is about, by what their holders did."""

    consent: ConsentFact
    confirmed: list[GrantFact] = field(default_factory=list)
    missing: list[GrantFact] = field(default_factory=list)
    pruned: list[GrantFact] = field(default_factory=list)
    """Gone before the withdrawal: nobody can confirm any more."""


def notices_of(chronicle: Chronicle) -> Iterator[Notices]:
    """For each consent whose withdrawal counts, the grants that were given before it."""
    by_record: dict[tuple[str, bytes], list[GrantFact]] = {}
    for grant in chronicle.sharing.grants.values():
        offer = chronicle.sharing.offers.get(grant.offer)
        if offer is not None:
            by_record.setdefault((offer.origin, offer.record), []).append(grant)
    for consent in chronicle.consent.consents.values():
        counting = {
            each.record
            for record_id in consent.records
            for each in chronicle.consent.open_of((consent.origin, record_id))
            if each.consent == consent.id
        }
        if not counting:
            continue
        notices = Notices(consent)
        for record in sorted(counting):
            for grant in by_record.get(record, ()):
                if grant.erased_height:
                    notices.confirmed.append(grant)
                elif grant.pruned_height:
                    notices.pruned.append(grant)
                else:
                    notices.missing.append(grant)
        yield notices


def check_notices(chronicle: Chronicle, trail: AuditTrail, counters: ChainCounters) -> None:
    """Count notices and receipts, and list what is missing."""
    for notices in notices_of(chronicle):
        counters.notices += len(notices.confirmed) + len(notices.missing) + len(notices.pruned)
        counters.receipts_missing += len(notices.missing) + len(notices.pruned)
        name = notices.consent.id.hex()
        if notices.missing:
            named = ", ".join(each.id.hex() for each in notices.missing[:_NAMED])
            more = len(notices.missing) - _NAMED
            beyond = f" and {more} more" if more > 0 else ""
            trail.note(
                f"consent {name} was withdrawn; no buyer's receipt of erasure for grant "
                f"{named}{beyond}"
            )
        if notices.pruned:
            trail.note(
                f"consent {name} was withdrawn; {len(notices.pruned)} grant(s) had been pruned "
                "before, and nobody can confirm for them"
            )
