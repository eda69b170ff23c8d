"""What a fleet tells a chain of a model: the message that registers it.

All that the model came from is named, however far back: a model that was trained further from
another one was trained on that one's recordings too.
"""

from __future__ import annotations

from ledger.chain.rules.learning import MAX_GRANTS, MAX_INPUTS
from ledger.errors import RefusedError
from ledger.lineage.graph import Lineage
from ledger.schema.chain_learning_pb2 import RegisterModel


def registration_of(
    lineage: Lineage, chain: bytes, fleet: bytes, name: str, content_size: int
) -> RegisterModel:
    """The registration of the model at a lineage's root.

    Raises RefusedError for what is no model with content, was bought on another chain, or
    came from more than a registration holds.
    """
    model = lineage.nodes[lineage.root]
    if not model.is_model or not content_size:
        raise RefusedError(
            f"entry {model.index} is no model that was trained on anything",
            hint="quipu model add says what a model was trained on",
        )
    sources = [node for node in lineage.sources() if node.record_id != lineage.root]
    chains = {each.acquisition.chain for node in sources for each in node.purchases}
    if chains - {chain}:
        raise RefusedError(
            "some of it was bought on another chain", hint="register it there: --chain"
        )
    inputs = sorted({node.leaf for node in sources if not node.purchases})
    grants = lineage.grants()
    if len(inputs) > MAX_INPUTS or len(grants) > MAX_GRANTS:
        raise RefusedError(
            f"it came from {len(inputs)} recordings of its own and {len(grants)} grants; a"
            f" registration names up to {MAX_INPUTS} and {MAX_GRANTS}",
            hint="train it from a model that is registered, on fewer recordings",
        )
    return RegisterModel(
        fleet=fleet,
        name=name,
        content_root=model.content_root,
        content_size=content_size,
        inputs=inputs,
        grants=grants,
    )
