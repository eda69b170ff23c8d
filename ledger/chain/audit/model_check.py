"""Registered models: by themselves, and against the Training entries of homes that hold them."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.home_facts import HomeFacts, HomeReading
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.facts import ModelFact
from ledger.errors import LedgerError
from ledger.experience.kinds import Acquisition, Training
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.merkle.hashing import leaf_hash


def check_models(chronicle: Chronicle, trail: AuditTrail, counters: ChainCounters) -> None:
    """Check that every model's grants are its fleet's; note those under withdrawn consent."""
    counters.models = len(chronicle.learning.models)
    for model in chronicle.learning.models.values():
        for problem in _wrong_with(chronicle, model):
            _find(trail, model, problem)
        for name in model.grants:
            if not model.withdrawn_height and _is_withdrawn(chronicle, name):
                trail.note(
                    f"model {model.id.hex()} was trained under grant {name.hex()}; consent to "
                    "that recording is withdrawn"
                )


def check_trained(
    reading: HomeReading, facts: HomeFacts, chronicle: Chronicle, trail: AuditTrail
) -> None:
    """Hold what a home says of its models against what its fleet registered of them."""
    registered = {model.content_root: model for model in chronicle.learning.models.values()}
    bought: dict[bytes, set[bytes]] = {}
    for note in facts.acquisitions:
        if isinstance(note.kind, Acquisition) and note.kind.chain == chronicle.genesis.chain:
            bought.setdefault(note.kind.record_id, set()).add(note.kind.grant)
    inputs: dict[bytes, set[bytes]] = {}
    for note in facts.trainings:
        if isinstance(note.kind, Training):
            inputs.setdefault(note.kind.record_id, set()).update(note.kind.inputs)
    for record_id, names in sorted(inputs.items()):
        record = facts.records.get(record_id)
        model = registered.get(record.experience.content_root) if record else None
        if model is None:
            continue
        grants: set[bytes] = set()
        for name in names:
            # What was bought twice is registered under either.
            every = bought.get(name, set())
            grants |= every.intersection(model.grants) or every
        leaves = {_leaf(reading, facts, name) for name in names if name not in bought}
        leaves.discard(b"")
        for what, here, there in (
            ("grant", grants, set(model.grants)),
            ("input", leaves, set(model.inputs)),
        ):
            for name in sorted(here - there):
                _find(trail, model, f"{facts.origin} trained it on {what} {name.hex()} too", facts)
            for name in sorted(there - here):
                message = f"{facts.origin} says nothing of {what} {name.hex()}"
                _find(trail, model, message, facts)


def _wrong_with(chronicle: Chronicle, model: ModelFact) -> Iterator[str]:
    for name in model.grants:
        grant = chronicle.sharing.grants.get(name)
        if grant is None:
            if chronicle.whole:
                yield f"there is no grant {name.hex()}"
        elif grant.fleet != model.fleet:
            yield f"grant {name.hex()} is to another fleet"
        elif grant.at.height > model.at.height:
            yield f"grant {name.hex()} was given after it was registered"


def _is_withdrawn(chronicle: Chronicle, name: bytes) -> bool:
    grant = chronicle.sharing.grants.get(name)
    offer = chronicle.sharing.offers.get(grant.offer) if grant else None
    return offer is not None and bool(chronicle.consent.open_of((offer.origin, offer.record)))


def _leaf(reading: HomeReading, facts: HomeFacts, record_id: bytes) -> bytes:
    record = facts.records.get(record_id)
    try:
        return leaf_hash(reading.log.entry(record.index)) if record else b""
    except LedgerError:
        return b""  # named as an input that is no record


def _find(
    trail: AuditTrail, model: ModelFact, message: str, facts: HomeFacts | None = None
) -> None:
    trail.find(
        FindingKind.MODEL_WRONG,
        f"model {model.id.hex()}",
        message,
        height=model.at.height,
        file=str(facts.path) if facts else None,
    )
