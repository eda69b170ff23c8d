"""Consent that is withdrawn while its recording is here still: the seller sells no more of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.rules.offers import read_offer
from ledger.chain.state_keys import withdrawn_key
from ledger.exchange.buyer import BuyerState, FetchingUnit, HeldUnit, PaidUnit, SellerRefusedError
from ledger.exchange.messages import Reason, Refused, encode_deed_fetch, encode_fetch, parse_reply
from ledger.exchange.sale_file import kept_sales
from ledger.exchange.swap_driver import swap, where
from ledger.exchange.swap_file import swap_grants
from ledger.exchange.swap_payment import AwaitingKey, BoughtSwap
from ledger.exchange.swap_seller import PreparedSwap, ProposedSwap
from ledger.exchange.transport import buy
from ledger.schema.chain_consent_pb2 import Withdrawal, WithdrawnRecord
from tests.ledger.exchange.stream_world import PRICE, UNITS, StreamWorld
from tests.ledger.exchange.swap_world import CONTENT, SELLING, SwapWorld, buy_until
from tests.ledger.exchange.test_stream import held, opened, reason_of

# Streams


@pytest.mark.parametrize("is_free", [False, True])
def test_no_stream_is_opened(world: StreamWorld, is_free: bool) -> None:
    if is_free:
        world.free()
    world.withdrawn = True
    opening = world.begin()
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(world.ask(opening.request()))
    assert reason_of(refusal) is Reason.GONE
    assert kept_sales(world.root / "sales") == ()
    # Consent that is given anew is all that was missing.
    world.withdrawn = False
    buy(world.bought, world.alice, world.payer, world.transport)
    assert world.received() == world.content


def test_of_an_open_stream_that_is_free_nothing_more_is_given(world: StreamWorld) -> None:
    world.free()
    state: BuyerState = opened(world)
    for _ in range(3):
        assert isinstance(state, FetchingUnit | PaidUnit)
        state = state.receive(world.ask(state.request()))
    assert isinstance(state, PaidUnit)
    assert world.bought.kept == 2
    stream = state._stream
    world.withdrawn = True
    for again in range(UNITS + 1):  # the keys of sealed units too
        reply = parse_reply(world.ask(encode_fetch(stream.session, again, None)))
        assert reply == Refused(Reason.GONE)
    assert parse_reply(world.ask(encode_deed_fetch(stream.session, None))) == Refused(Reason.GONE)
    assert world.bought.kept == 2
    # Nor after a restart, by another session.
    world.restart_seller()
    fetching = opened(world)
    with pytest.raises(SellerRefusedError) as refusal:
        fetching.receive(world.ask(fetching.request()))
    assert reason_of(refusal) is Reason.GONE
    world.withdrawn = False
    buy(world.bought, world.alice, None, world.transport)
    assert world.received() == world.content


def test_of_an_open_stream_only_the_unit_that_is_here_can_be_paid(world: StreamWorld) -> None:
    """Its claim may have been on its way: the buyer can take it back no more."""
    state = held(world, 2)
    world.withdrawn = True
    paid = state.pay()
    after = paid.receive(world.ask(paid.request()))
    assert (world.bought.kept, world.earned) == (3, 3 * PRICE)
    assert isinstance(after, FetchingUnit)
    with pytest.raises(SellerRefusedError) as refusal:
        after.receive(world.ask(after.request()))
    assert reason_of(refusal) is Reason.GONE
    # Not even blindly.
    assert world.payer is not None
    world.payer.pay(PRICE)
    stream = after._stream
    with pytest.raises(SellerRefusedError) as refusal:
        stream.unit_of(world.ask(encode_fetch(stream.session, 4, stream.claim)), 4)
    assert reason_of(refusal) is Reason.GONE
    assert world.earned == 3 * PRICE


def test_what_was_paid_is_given(world: StreamWorld) -> None:
    paid = held(world, 1).pay()
    world.ask(paid.request())  # the reply is lost
    world.withdrawn = True
    world.restart_seller()
    fetching = opened(world)
    again = fetching.receive(world.ask(fetching.request()))
    assert isinstance(again, PaidUnit)
    after = again.receive(world.ask(again.request()))
    assert (world.bought.kept, world.earned) == (2, 2 * PRICE)
    assert isinstance(after, FetchingUnit)
    with pytest.raises(SellerRefusedError) as refusal:
        after.receive(world.ask(after.request()))
    assert reason_of(refusal) is Reason.GONE
    assert world.paid == 2 * PRICE


def test_all_that_was_paid_ahead_is_given(world: StreamWorld) -> None:
    state = held(world)
    assert world.payer is not None
    world.payer.pay((UNITS - 1) * PRICE)
    paid = state.pay()
    following = paid.receive(world.ask(paid.request()))
    assert isinstance(following, HeldUnit | PaidUnit)
    world.withdrawn = True
    buy(world.bought, world.alice, world.payer, world.transport)
    assert world.received() == world.content


# Atomic sales


def withdraw(world: SwapWorld) -> None:
    """As the rules do it, of a consent that they acknowledged."""
    state = world.world.state
    offer = read_offer(state, world.world.granted.offer)
    mark = Withdrawal(grantor=bytes(32), subject=bytes(32), consent=bytes(32), height=1)
    state.write(withdrawn_key(offer.origin, offer.record_id), WithdrawnRecord(withdrawals=[mark]))
    state.keep()


def refused(world: SwapWorld) -> Reason:
    """Why the seller gives the buyer nothing now."""
    with pytest.raises(SellerRefusedError) as refusal:
        swap(world.begin(), world, world.wait)
    return refusal.value.reason


def test_no_atomic_sale_is_made(tmp_path: Path) -> None:
    world = SwapWorld(tmp_path)
    withdraw(world)
    assert refused(world) is Reason.GONE
    world.counter.tend()
    assert swap_grants(tmp_path / "sales") == ()
    assert world.chain.transactions == []


def test_what_was_asked_for_before_is_not_masked(tmp_path: Path) -> None:
    world = SwapWorld(tmp_path)
    end = world.begin()
    state = where(end)
    world.ask(state.request())  # type: ignore[union-attr]
    withdraw(world)
    masked: list[int] = []
    assert world.counter.make(masked.append) == world.grant_id
    assert masked == []
    assert swap_grants(tmp_path / "sales") == ()
    assert refused(world) is Reason.GONE


def test_what_was_masked_is_not_proposed(tmp_path: Path) -> None:
    world = SwapWorld(tmp_path)
    world.ask(where(world.begin()).request())  # type: ignore[union-attr]
    assert world.counter.make() == world.grant_id
    withdraw(world)
    (state,) = world.counter.tend()
    assert isinstance(state, PreparedSwap)
    assert state.refusal is ResultCode.CONSENT_WITHDRAWN
    assert world.chain.transactions == []
    assert refused(world) is Reason.GONE


def test_of_what_was_proposed_no_more_is_given(tmp_path: Path) -> None:
    world = SwapWorld(tmp_path)
    world.ask(where(world.begin()).request())  # type: ignore[union-attr]
    (state,) = world.counter.tend()
    assert isinstance(state, ProposedSwap)
    withdraw(world)
    assert refused(world) is Reason.GONE
    # Its deposit comes back as from any sale that nobody locked.
    world.pass_blocks(SELLING.lock_blocks)
    world.finish_seller()
    assert world.world.earned() == (0, 0)


def test_what_was_locked_is_given(tmp_path: Path) -> None:
    world = SwapWorld(tmp_path)
    buy_until(world, AwaitingKey)
    withdraw(world)
    assert isinstance(world.buy(), BoughtSwap)
    assert world.received() == CONTENT
