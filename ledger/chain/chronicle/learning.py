"""Models that fleets registered, as their transactions tell them."""

from __future__ import annotations

from ledger.chain.chronicle.facts import ModelFact, Moment
from ledger.chain.ids import model_id
from ledger.chain.transaction import Transaction
from ledger.schema.chain_learning_pb2 import RegisterModel, WithdrawModel


class LearningFacts:
    """Takes transactions that were carried out."""

    def __init__(self, chain: bytes) -> None:
        self._chain = chain
        self.models: dict[bytes, ModelFact] = {}

    def take(self, at: Moment, transaction: Transaction) -> None:
        """Take the next transaction, of any kind."""
        message = transaction.message
        match message:
            case RegisterModel():
                name = model_id(self._chain, message.fleet, message.content_root)
                self.models[name] = ModelFact(
                    id=name,
                    fleet=message.fleet,
                    name=message.name,
                    content_root=message.content_root,
                    content_size=message.content_size,
                    inputs=tuple(message.inputs),
                    grants=tuple(message.grants),
                    at=at,
                )
            case WithdrawModel():
                model = self.models.get(message.model)
                if model is not None:
                    model.withdrawn_height = at.height
            case _:
                pass
