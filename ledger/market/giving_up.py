"""Giving an acquisition up: what was not paid to the seller comes back.

The seller has what was paid to it, one unit more than what came at most. The channel is closed by
this side, which the seller can challenge for some blocks; then what is left goes to the pool.
What is bought whole is given up only while nothing is locked, or may be.
"""

from __future__ import annotations

from ledger.chain.fleets import fleet_id
from ledger.chain.ids import grant_id
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import grant_key
from ledger.errors import LedgerError, RefusedError
from ledger.exchange.grant import Grant
from ledger.experience.private_folder import remove_folder
from ledger.market import paying, swapping
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    Bought,
    ChannelOpened,
    Closed,
    Funded,
    Granted,
    Refused,
    Requested,
    Swapping,
)
from ledger.market.tools import Tools
from ledger.market.uses import Uses
from ledger.schema.chain_grant_pb2 import GrantRecord


class NotYetError(LedgerError):
    """The close of a channel can still be challenged, or a price is locked, or may be.

    ``until`` is the last height of that.
    """

    def __init__(self, until: int) -> None:
        super().__init__(
            f"what is left comes back after block {until}",
            hint="give it up again then; an idle chain makes blocks where it is served so: "
            "`quipu chain serve --empty-blocks 1`",
        )
        self.until = until


def abandon(acquisition: Acquisition, tools: Tools) -> Abandoned:
    """Give an acquisition up: close its channel, and bring back what was not paid.

    May be called again and again: money that came to the one-time key later, of a payment that
    was under way, then goes back as well. Raises `NotYetError` while the close can be
    challenged, the acquisition then being `Abandoning`, and while a price is locked, or may be,
    which it can still be bought for; RefusedError for one that is `Bought`, or further, or was
    refused, `EndNotShownError` where the chain does not say whether a price is back;
    `RefusalError`, `EngineError`, StorageError and their kin.
    """
    state = acquisition.state
    if isinstance(state, Abandoned):
        remove_folder(acquisition.folder / "purchase")
        _bring_late(acquisition, tools)
        return state
    if isinstance(state, Bought | Closed):
        raise swapping.bought_already()
    if isinstance(state, Refused):
        raise RefusedError("no grant was given: there is nothing to give up", hint="begin another")
    if isinstance(state, Requested):
        state = _granted_meanwhile(acquisition, tools, state) or state
    if not isinstance(state, Granted):
        Uses(tools.member).release(acquisition.name)
        return end(acquisition, tools, 0)
    if isinstance(state, Swapping):
        until = swapping.let_go(tools.chain, acquisition.folder, state)
        if until:
            raise NotYetError(until)
    if not isinstance(state, Abandoning):
        state = _giving_up(state, tools)
        acquisition.reach(state)
    return _bring_back(acquisition, tools, state)


def _giving_up(state: Granted, tools: Tools) -> Abandoning:
    # Killed between the payment and its state: the key has the money all the same.
    funded = (
        state.funded
        if isinstance(state, Funded)
        else tools.chain.balance(state.grant.buyer, state.grant.asset)
    )
    channel = state.channel if isinstance(state, ChannelOpened) else b""
    return Abandoning(state.offer, state.record, state.grant, funded, channel, 0)


def _bring_back(acquisition: Acquisition, tools: Tools, state: Abandoning) -> Abandoned:
    chain, folder = tools.chain, acquisition.folder
    if not state.grant.price:
        return end(acquisition, tools, 0)
    wallet = paying.one_time_wallet(folder)
    until = paying.close_channel(chain, folder, wallet, tools.settle_wait_s)
    if until:
        acquisition.reach(
            Abandoning(state.offer, state.record, state.grant, state.funded, state.channel, until)
        )
        chain.keep()
        raise NotYetError(until)
    back = paying.give_back(chain, folder, wallet, tools.rest_of(state), state.grant.asset)
    return end(acquisition, tools, max(0, state.funded - back))


def _bring_late(acquisition: Acquisition, tools: Tools) -> None:
    # The state says no more of the grant; whose it was, the credential says as well.
    recipient = tools.rest_to or pool_account(
        fleet_id(tools.chain.chain, tools.member.credential().attributes.fleet)
    )
    paying.give_back_late(tools.chain, acquisition.folder, recipient)


def _granted_meanwhile(acquisition: Acquisition, tools: Tools, state: Requested) -> Granted | None:
    """The grant, if the request came through before anybody heard of it."""
    chain = tools.chain
    name = grant_id(chain.chain, paying.one_time_wallet(acquisition.folder).account)
    record = chain.read(GrantRecord, grant_key(name))
    if record is None:
        return None
    return Granted(state.offer, record, Grant.of_record(chain.chain, name, record))


def end(acquisition: Acquisition, tools: Tools, spent: int) -> Abandoned:
    """Note that an acquisition is over, and what it cost. Raises StorageError and its kin."""
    tools.chain.keep()
    if tools.budget is not None:
        tools.budget.settle(acquisition.name, spent)
    over = Abandoned(spent)
    acquisition.reach(over)
    remove_folder(acquisition.folder / "purchase")
    return over
