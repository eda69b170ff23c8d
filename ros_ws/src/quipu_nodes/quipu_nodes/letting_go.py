"""Purchases that can have nothing more, given up; nothing of ROS is needed.

Once its grant is over, or its seller has closed the channel before all was paid, what is left
of a purchase's money serves nobody: it is brought back (`ledger.market.giving_up`). Who has
paid all of it asks once more before, for sellers give what was paid for.
"""

from __future__ import annotations

from dataclasses import replace

from ledger.chain.engines.service import EngineError
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.state_keys import channel_key
from ledger.errors import LockedError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoning,
    AcquisitionState,
    ChannelOpened,
    Funded,
    Granted,
    Streaming,
)
from ledger.market.giving_up import abandon
from ledger.market.shelf import Shelf, Shelved
from ledger.market.tools import Cancelled, Tools
from ledger.schema.chain_channel_pb2 import ChannelRecord
from quipu_nodes.acquiring import End, budget_of, go_on, paid_by_stream

_UNDER_WAY = (Granted, Funded, ChannelOpened, Streaming)


def may_be_lost(shelved: Shelved) -> bool:
    """Whether it is worth asking the chain: it is granted, and neither bought nor swapped."""
    return type(shelved.state) in (*_UNDER_WAY, Abandoning)


def let_go(shelf: Shelf, tools: Tools, shelved: Shelved, cancelled: Cancelled) -> str | None:
    """Give a purchase up that can have nothing more; how it ended, or None while it goes on.

    Raises `NotYetError` with the height at which to ask again, LockedError while somebody has
    it open; and as `abandon` does.
    """
    chain = tools.chain
    if not _is_due(chain, shelved.state):
        return None
    with Acquisition.open(shelved.folder) as acquisition:
        state = acquisition.state  # as it is now that nobody else has it
        if not _is_due(chain, state) or not isinstance(state, Granted):
            return None
        is_paid = type(state) is Streaming and 0 < state.grant.price <= paid_by_stream(acquisition)
    if is_paid:
        if not _is_over(chain, state):
            return None
        outcome = go_on(shelf, tools, shelved, cancelled)
        if outcome.is_success:
            return f"{outcome.end.name.lower()} after all"
        if outcome.end is End.CANCELLED:
            return None
        if isinstance(outcome.cause, EngineError | LockedError):
            raise outcome.cause
    with Acquisition.open(shelved.folder) as acquisition:
        state = acquisition.state
        if not isinstance(state, Granted) or not _is_due(chain, state):
            return None
        tools = replace(tools, rest_to=shelved.rest_to, settle_wait_s=0.0)
        tools = replace(tools, budget=budget_of(shelf, tools, acquisition))
        spent = abandon(acquisition, tools).spent
    back = f", {max(0, state.funded - spent)} came back" if isinstance(state, Funded) else ""
    return f"given up, it cost {spent}{back}"


def _is_due(chain: ProvenChain, state: AcquisitionState) -> bool:
    """Whether `abandon` has something to do."""
    if isinstance(state, Abandoning):
        return not state.until or state.until <= chain.height() or _is_gone(chain, state)
    if type(state) not in _UNDER_WAY or not isinstance(state, Granted):
        return False
    if _is_over(chain, state):
        return True
    return isinstance(state, ChannelOpened) and bool(state.channel) and _is_closing(chain, state)


def _is_over(chain: ProvenChain, state: Granted) -> bool:
    return chain.height() > state.grant.expiry_height


def _is_closing(chain: ProvenChain, state: ChannelOpened) -> bool:
    record = chain.read(ChannelRecord, channel_key(state.channel))
    return record is None or bool(record.closing_height)


def _is_gone(chain: ProvenChain, state: ChannelOpened) -> bool:
    return bool(state.channel) and chain.read(ChannelRecord, channel_key(state.channel)) is None
