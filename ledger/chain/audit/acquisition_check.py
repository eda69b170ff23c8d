"""What a home says that it bought, and trained on, against what the chain granted.

An Acquisition is the buyer's own word, signed; the chain knows the grant and the offer, and
the seller's home, where it is named too, the entry that was sold.
"""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.home_facts import HomeFacts, Provenance
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.exchange import price_of
from ledger.chain.chronicle.facts import GrantFact
from ledger.experience.kinds import Acquisition, Training
from ledger.fsck.findings import AuditTrail, FindingKind


def check_acquisitions(
    facts: HomeFacts, chronicle: Chronicle, trail: AuditTrail, counters: ChainCounters
) -> None:
    """Check every Acquisition of a home; those of other chains are only noted."""
    for note in facts.acquisitions:
        bought = note.kind
        if not isinstance(bought, Acquisition):
            continue
        if bought.chain != chronicle.genesis.chain:
            trail.note(f"entry {note.index} of {facts.origin} was bought on another chain")
            continue
        counters.acquisitions += 1
        for problem in _wrong_with(facts, chronicle, note, bought, trail):
            _find(trail, facts, note, FindingKind.ACQUISITION_WRONG, problem)


def check_trainings(facts: HomeFacts, trail: AuditTrail, counters: ChainCounters) -> None:
    """Check that everything that a model was trained on is in the log before it says so."""
    for note in facts.trainings:
        training = note.kind
        if not isinstance(training, Training):
            continue
        counters.trainings += 1
        if not note.signed:
            message = "it is not signed by the robot's key as this entry"
            _find(trail, facts, note, FindingKind.PROVENANCE_UNKNOWN, message)
        for record_id in (training.record_id, *training.inputs):
            record = facts.records.get(record_id)
            if record is None or record.index >= note.index:
                what = "model" if record_id == training.record_id else "input"
                message = f"its {what} {record_id.hex()} is no record that came before"
                _find(trail, facts, note, FindingKind.PROVENANCE_UNKNOWN, message)


def check_shared_grants(
    homes: list[HomeFacts], chronicle: Chronicle | None, trail: AuditTrail
) -> None:
    """Note each grant that more than one of the homes says that it bought under."""
    holders: dict[bytes, set[str]] = {}
    for facts in homes:
        for note in facts.acquisitions:
            if isinstance(note.kind, Acquisition) and chronicle is not None:
                holders.setdefault(note.kind.grant, set()).add(facts.origin)
    for grant, origins in sorted(holders.items()):
        if len(origins) > 1:
            trail.note(f"grant {grant.hex()}: bought under it is in {', '.join(sorted(origins))}")


def _wrong_with(
    facts: HomeFacts,
    chronicle: Chronicle,
    note: Provenance,
    bought: Acquisition,
    trail: AuditTrail,
) -> Iterator[str]:
    if not note.signed:
        yield "it is not signed by the robot's key as this entry"
    record = facts.records.get(bought.record_id)
    if record is None or record.index >= note.index:
        yield f"record {bought.record_id.hex()} is no record that came before"
    grant = chronicle.sharing.grants.get(bought.grant)
    if grant is None:
        if chronicle.whole:
            yield f"the chain has no grant {bought.grant.hex()}"
        else:
            trail.note(
                f"entry {note.index} of {facts.origin} names grant {bought.grant.hex()}, "
                "which is not among what this chain still tells"
            )
        return
    yield from _wrong_with_grant(chronicle, grant, bought)
    if record is not None and record.experience.content_size != grant.content_size:
        yield (
            f"its content is {record.experience.content_size} bytes, "
            f"and {grant.content_size} were granted"
        )
    robot = chronicle.robots.get(facts.origin)
    if robot is not None and robot.fleet != grant.fleet:
        yield "the grant is to another fleet than the robot's"
    if price_of(grant) and not _was_paid(chronicle, grant):
        trail.note(
            f"entry {note.index} of {facts.origin}: nothing was paid yet under grant "
            f"{grant.id.hex()}"
        )


def _wrong_with_grant(chronicle: Chronicle, grant: GrantFact, bought: Acquisition) -> Iterator[str]:
    offer = chronicle.sharing.offers.get(grant.offer)
    held = {
        "offer": bought.offer == grant.offer,
        "contract": bought.contract == grant.contract,
        "contract's version": bought.version == grant.version,
        "content root": bought.content_root == grant.content_root,
        "seller": offer is None or bought.seller == offer.origin,
        "seller's leaf": offer is None or bought.leaf == offer.leaf,
    }
    wrong = [name for name, holds in held.items() if not holds]
    if wrong:
        yield f"its {' and '.join(wrong)}: not what grant {grant.id.hex()} says"


def _was_paid(chronicle: Chronicle, grant: GrantFact) -> bool:
    exchange = chronicle.exchange
    return any(
        channel.grant == grant.id and channel.claimed for channel in exchange.channels.values()
    ) or any(sale.grant == grant.id for sale in exchange.sales.values())


def _find(
    trail: AuditTrail, facts: HomeFacts, note: Provenance, kind: FindingKind, message: str
) -> None:
    trail.find(
        kind,
        f"entry {note.index} of {facts.origin}",
        message,
        entry=note.index,
        file=str(facts.path),
    )
