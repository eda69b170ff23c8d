"""Rule: learning. Which models a fleet has, and what they were trained on.

The authority of the fleet registers a model by its content root, with the leaf hashes of the
fleet's own entries that went into it, and with the grants under which the rest was bought.
Which member trained it is not said; that several grants served one model is.

What a grant says of its contract is copied, so that pruning it loses nothing. Whether a model
was in truth trained on this, and on nothing else, the chain cannot know: the fleet says so, and
the Training entries of its robots' logs can be held against it. Consent that was withdrawn
meanwhile keeps no model from being registered; it is for those who look at its lineage to see.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import governed_fleet
from ledger.chain.ids import model_id
from ledger.chain.leaf import ID_SIZE
from ledger.chain.rules.action import Action, require_id, require_text
from ledger.chain.rules.grant import read_grant
from ledger.chain.rules.offers import read_offer
from ledger.chain.state_keys import model_key
from ledger.chain.working_state import WorkingState
from ledger.schema.chain_learning_pb2 import (
    ModelRecord,
    RegisterModel,
    TrainedUnder,
    WithdrawModel,
)
from ledger.schema.chain_pb2 import EVENT_KIND_MODEL_REGISTERED, EVENT_KIND_MODEL_WITHDRAWN

MAX_NAME: Final = 64
MAX_INPUTS: Final = 1_024
MAX_GRANTS: Final = 256


def check_register_model(message: RegisterModel) -> None:
    """Refuse a model without name, content or anything that it was trained on."""
    require_id(message.fleet, "fleet's id")
    require(bool(message.name), ResultCode.FIELD_REFUSED, "a model needs a name")
    require_text(message.name, MAX_NAME, "model's name")
    require_id(message.content_root, "content root")
    require(message.content_size > 0, ResultCode.FIELD_REFUSED, "a model without content")
    _require_hashes(message.inputs, MAX_INPUTS, "inputs of its own")
    _require_hashes(message.grants, MAX_GRANTS, "grants")
    require(
        bool(message.inputs or message.grants),
        ResultCode.FIELD_REFUSED,
        "a model was trained on something",
    )


def register_model(context: Context, message: RegisterModel) -> None:
    """Write down a model, and what it was trained on."""
    state = context.state
    governed_fleet(context, message.fleet)
    model = model_id(context.chain, message.fleet, message.content_root)
    require(
        state.get(model_key(model)) is None,
        ResultCode.MODEL_EXISTS,
        "the fleet has registered this model before",
    )
    record = ModelRecord(
        fleet=message.fleet,
        name=message.name,
        content_root=message.content_root,
        content_size=message.content_size,
        inputs=message.inputs,
        grants=[_trained_under(state, message.fleet, grant) for grant in message.grants],
        height=context.height,
    )
    state.write(model_key(model), record)
    context.emit(EVENT_KIND_MODEL_REGISTERED, model, len(record.grants))


def check_withdraw_model(message: WithdrawModel) -> None:
    """Refuse what is no id."""
    require_id(message.model, "model's id")


def withdraw_model(context: Context, message: WithdrawModel) -> None:
    """Say that a model is not used any more."""
    record = read_model(context.state, message.model)
    governed_fleet(context, record.fleet)
    require(not record.withdrawn_height, ResultCode.MODEL_STATE, "it was withdrawn before")
    record.withdrawn_height = context.height
    context.state.write(model_key(message.model), record)
    context.emit(EVENT_KIND_MODEL_WITHDRAWN, message.model)


def read_model(state: WorkingState, model: bytes) -> ModelRecord:
    """The model of this id. Raises RefusalError `UNKNOWN_MODEL`."""
    record = state.read(ModelRecord, model_key(model))
    if record is None:
        raise RefusalError(ResultCode.UNKNOWN_MODEL, "there is no such model")
    return record


def _require_hashes(hashes: Sequence[bytes], most: int, what: str) -> None:
    require(
        len(hashes) <= most
        and all(len(each) == ID_SIZE for each in hashes)
        and all(before < after for before, after in pairwise(hashes)),
        ResultCode.FIELD_REFUSED,
        f"{what} are {most} at most, of {ID_SIZE} bytes, ascending, each once",
    )


def _trained_under(state: WorkingState, fleet: bytes, grant: bytes) -> TrainedUnder:
    record = read_grant(state, grant)
    require(record.fleet == fleet, ResultCode.OTHER_FLEETS_GRANT, "the grant is another fleet's")
    return TrainedUnder(
        grant=grant,
        contract=record.contract,
        version=record.version,
        offer=record.offer,
        leaf=read_offer(state, record.offer).leaf,
        content_root=record.content_root,
        purpose=record.purpose,
    )


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("register_model", RegisterModel, check_register_model, register_model),
    Action("withdraw_model", WithdrawModel, check_withdraw_model, withdraw_model),
)
