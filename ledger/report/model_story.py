"""The models that fleets registered, with what they say that those were trained on."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.facts import ModelFact
from ledger.report.model import Lineage, LineageInput


def registered_models(chronicle: Chronicle) -> Iterator[Lineage]:
    """Every registered model, the oldest first."""
    for model in sorted(chronicle.learning.models.values(), key=lambda each: each.at.height):
        fleet = chronicle.fleets.get(model.fleet)
        yield Lineage(
            fleet.name if fleet else model.fleet.hex()[:16],
            True,
            f"{model.name}, withdrawn" if model.withdrawn_height else model.name,
            model.id.hex(),
            tuple(_inputs(chronicle, model)),
        )


def _inputs(chronicle: Chronicle, model: ModelFact) -> Iterator[LineageInput]:
    sharing = chronicle.sharing
    for leaf in model.inputs:
        yield LineageInput(leaf.hex(), "", False)
    for name in model.grants:
        grant = sharing.grants.get(name)
        offer = sharing.offers.get(grant.offer) if grant else None
        contract = sharing.contracts.get(grant.contract) if grant else None
        yield LineageInput(
            record=offer.record.hex() if offer else "",
            name="",
            bought=True,
            seller=offer.origin if offer else "",
            contract=contract.name if contract else "",
            version=grant.version if grant else 0,
            grant=name.hex(),
            known=grant is not None,
        )
