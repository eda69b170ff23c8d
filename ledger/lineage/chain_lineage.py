"""Lineage as a chain alone has it: models, the offers that they go back to, and the other way.

`TradeIndex` takes blocks, which are an engine's word, and finds by them what to look at; what is
told is read again from the state, with proof.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.result import Result
from ledger.chain.state_keys import model_key, offer_key
from ledger.chain.transaction import parse_transaction
from ledger.lineage.chain_facts import ChainFacts
from ledger.lineage.graph import Agreement
from ledger.merkle.hashing import leaf_hash
from ledger.schema.chain_grant_pb2 import RequestGrant
from ledger.schema.chain_learning_pb2 import ModelRecord, RegisterModel, TrainedUnder
from ledger.schema.chain_pb2 import (
    EVENT_KIND_GRANTED,
    EVENT_KIND_MODEL_REGISTERED,
    EVENT_KIND_OFFER_POSTED,
)
from ledger.schema.chain_sharing_pb2 import OfferRecord, PostOffer


class TradeIndex:
    """What blocks say of offers, grants and models: ids, and which belongs to which."""

    def __init__(self, chain: bytes) -> None:
        self._chain = chain
        self.offers: dict[bytes, bytes] = {}
        """Leaf hash of the entry, by offer."""
        self.grants: dict[bytes, bytes] = {}
        """Offer, by grant."""
        self.models: dict[bytes, tuple[tuple[bytes, ...], tuple[bytes, ...]]] = {}
        """Inputs and grants, by model."""
        self.fleets: dict[bytes, bytes] = {}
        """Fleet, by model."""

    def take(self, transactions: Sequence[bytes], results: Sequence[bytes]) -> None:
        """Take a block. Raises MalformedError for results that are none."""
        for encoded, row in zip(transactions, results, strict=True):
            result = Result.parse(row)
            if result.code != ResultCode.OK or not result.events:
                continue
            try:
                message = parse_transaction(self._chain, encoded).message
            except RefusalError:
                continue
            for event in result.events:
                match message:
                    case PostOffer() if event.kind == EVENT_KIND_OFFER_POSTED:
                        self.offers[event.subject] = leaf_hash(message.entry)
                    case RequestGrant() if event.kind == EVENT_KIND_GRANTED:
                        self.grants[event.subject] = message.offer
                    case RegisterModel() if event.kind == EVENT_KIND_MODEL_REGISTERED:
                        named = tuple(message.inputs), tuple(message.grants)
                        self.models[event.subject] = named
                        self.fleets[event.subject] = message.fleet
                    case _:
                        pass

    def offers_of(self, leaf: bytes) -> tuple[bytes, ...]:
        """The offers of an entry, ascending."""
        return tuple(sorted(offer for offer, its in self.offers.items() if its == leaf))

    def models_on(self, leaf: bytes) -> tuple[bytes, ...]:
        """The models that were trained on an entry, as an own input or bought, ascending."""
        return tuple(
            sorted(
                model
                for model, (inputs, grants) in self.models.items()
                if leaf in inputs
                or any(self.offers.get(self.grants.get(each, b"")) == leaf for each in grants)
            )
        )

    def models_of(self, fleet: bytes) -> tuple[bytes, ...]:
        """The models of a fleet, in the order in which they were registered."""
        return tuple(model for model, its in self.fleets.items() if its == fleet)


@dataclass(frozen=True, slots=True)
class BoughtInput:
    """A grant that a model was trained under, and what became of it."""

    under: TrainedUnder
    origin: str
    """Of the seller's log."""
    agreement: Agreement | None


@dataclass(frozen=True, slots=True)
class ModelOnChain:
    """A registered model, and what its fleet says that it was trained on."""

    model: bytes
    record: ModelRecord
    fleet_name: str
    bought: tuple[BoughtInput, ...]


@dataclass(frozen=True, slots=True)
class OfferedEntry:
    """An entry of a robot's log, what it was offered under, and the models it went into."""

    leaf: bytes
    offers: tuple[tuple[bytes, OfferRecord, Agreement | None], ...]
    models: tuple[ModelOnChain, ...]


def model_on_chain(facts: ChainFacts, model: bytes) -> ModelOnChain | None:
    """A model by its id; None where the chain has none. Raises what the rows raise."""
    record = facts.rows.read(ModelRecord, model_key(model))
    if record is None:
        return None
    bought = tuple(_bought(facts, under) for under in record.grants)
    return ModelOnChain(model, record, facts.fleet_name(record.fleet), bought)


def entry_on_chain(facts: ChainFacts, index: TradeIndex, leaf: bytes) -> OfferedEntry | None:
    """An entry by its leaf hash; None for one that was neither offered nor trained on."""
    offers = []
    for offer in index.offers_of(leaf):
        record = facts.rows.read(OfferRecord, offer_key(offer))
        if record is not None and record.leaf == leaf:
            offers.append((offer, record, facts.agreement(b"", offer)))
    found = (model_on_chain(facts, model) for model in index.models_on(leaf))
    models = tuple(
        each
        for each in found
        if each is not None
        and (leaf in each.record.inputs or any(leaf == one.leaf for one in each.record.grants))
    )
    return OfferedEntry(leaf, tuple(offers), models) if offers or models else None


def _bought(facts: ChainFacts, under: TrainedUnder) -> BoughtInput:
    offer = facts.rows.read(OfferRecord, offer_key(under.offer))
    return BoughtInput(
        under,
        offer.origin if offer is not None else "",
        facts.agreement(under.grant, under.offer),
    )
