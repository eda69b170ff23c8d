"""What a home tells of itself: its health, what it bought, and what its models were trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from ledger.chain.audit.home_facts import HomeFacts
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.experience.kinds import Acquisition, Training
from ledger.experience.records import Presence
from ledger.report.marks import close_together
from ledger.report.model import (
    Lineage,
    LineageInput,
    LogHealth,
    LogStatus,
    Mark,
    MarkKind,
    Story,
)

_SECOND = 1_000_000_000


def home_story(home: HomeFacts) -> Story:
    """Tell what an audit of a single home has read."""
    health = LogHealth(home.origin, "", "", LogStatus.STRANGER, True)
    return Story(
        origin=home.origin,
        logs=(home_health(home, health),),
        marks=close_together(_marks(home)),
        purchases=tuple(purchases(home, None)),
        lineages=tuple(lineages(home, None)),
        chain=None,
    )


def home_health(home: HomeFacts, known: LogHealth) -> LogHealth:
    """What is known of a log, with what its home says."""
    newest = home.checkpoints[-1] if home.checkpoints else None
    there = home.presence
    return replace(
        known,
        read=True,
        home=str(home.path),
        size=home.size,
        root=home.root.hex(),
        checkpoints=home.checkpoints_total,
        signed=newest.size if newest else 0,
        cosigned=newest.cosigned if newest else 0,
        recordings=len(home.recorded_ns),
        content_bytes=home.content_bytes,
        stored=there.get(Presence.STORED, 0),
        elsewhere=there.get(Presence.IN_PLACE, 0),
        pruned=there.get(Presence.PRUNED, 0),
        erased=there.get(Presence.ERASED, 0),
        acquisitions=len(home.acquisitions),
        trainings=len(home.trainings),
    )


def purchases(home: HomeFacts, chronicle: Chronicle | None) -> Iterator[LineageInput]:
    """What a home bought, as its entries say."""
    for note in home.acquisitions:
        if isinstance(note.kind, Acquisition):
            yield _input(home, note.kind.record_id, chronicle)


def lineages(home: HomeFacts, chronicle: Chronicle | None) -> Iterator[Lineage]:
    """The models of a home with all that they were trained on; a model may take several entries."""
    found: dict[tuple[str, bytes], set[bytes]] = {}
    for note in home.trainings:
        if isinstance(note.kind, Training):
            found.setdefault((note.kind.name, note.kind.record_id), set()).update(note.kind.inputs)
    for (name, record_id), inputs in found.items():
        yield Lineage(
            home.origin,
            False,
            name,
            record_id.hex(),
            tuple(_input(home, each, chronicle) for each in sorted(inputs)),
        )


def _input(home: HomeFacts, record_id: bytes, chronicle: Chronicle | None) -> LineageInput:
    record = home.records.get(record_id)
    name = record.experience.name if record else ""
    bought = next(
        (
            note.kind
            for note in home.acquisitions
            if isinstance(note.kind, Acquisition) and note.kind.record_id == record_id
        ),
        None,
    )
    known = record is not None
    if bought is None:
        return LineageInput(record_id.hex(), name, False, known=known)
    contract = None
    if chronicle is not None:
        contract = chronicle.sharing.contracts.get(bought.contract)
        known = known and bought.grant in chronicle.sharing.grants
    return LineageInput(
        record=record_id.hex(),
        name=name,
        bought=True,
        seller=bought.seller,
        contract=contract.name if contract else f"contract {bought.contract.hex()[:10]}…",
        version=bought.version,
        grant=bought.grant.hex(),
        known=known,
    )


def _marks(home: HomeFacts) -> Iterator[Mark]:
    for ended_ns in home.recorded_ns:
        yield Mark(home.origin, MarkKind.RECORDING, ended_ns, 1, "a recording ended")
    for checkpoint in home.checkpoints:
        if checkpoint.time_s:
            words = f"{checkpoint.size:,} entries cosigned"
            time_ns = checkpoint.time_s * _SECOND
            yield Mark(home.origin, MarkKind.CHECKPOINT, time_ns, 1, words)
