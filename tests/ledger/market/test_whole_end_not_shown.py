"""A whole purchase on a chain whose engine keeps blocks back, or has them no more."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from ledger.chain.engines.service import BlockEvents
from ledger.chain.result import Result
from ledger.credentials.member_file import MemberFile
from ledger.errors import NotFoundError
from ledger.exchange.swap_payment import EndNotShownError
from ledger.exchange.swap_purchase import ChosenSale, chosen_sale
from ledger.exchange.swap_seller import EndedSwap, RevealedSwap
from ledger.market.acquisition_states import Abandoned, Closed, Swapping
from ledger.market.buying import NothingSoldError, abandon, acquire
from ledger.market.swap_chain import ProvenSwapChain
from ledger.market.swapping import PriceLockedError, Returned, buy_whole
from ledger.schema.chain_exchange_pb2 import RefundSale
from ledger.schema.chain_pb2 import EVENT_KIND_KEY_REVEALED
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered
from tests.fleet.test_sharing_atomic import DEPOSIT
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ledger.market.whole_seller import SELLING, BuyersService
from tests.ledger.market.whole_trade import PRICE, Trade


@pytest.fixture(scope="module")
def offered(world: BuyersWorld) -> Offered:
    return world.offered(uses=1_000)


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


class Partial(BuyersService):
    """Has no blocks before ``first``; shows no key while ``hides``; hears what it is asked."""

    def __init__(self, trade: Trade) -> None:
        super().__init__(trade.seller)
        self.first, self.hides = 1, False
        self.asked: list[int] = []

    def events(self, from_height: int, wait_s: float) -> Any:
        self.asked.append(from_height)
        if from_height < self.first:
            raise NotFoundError(f"block {from_height} is not here")
        found = super().events(from_height, wait_s)
        return [self._told(each) for each in found] if self.hides else found

    def _told(self, block: BlockEvents) -> BlockEvents:
        told = []
        for encoded in block.encoded:
            result = Result.parse(encoded)
            kept = tuple(each for each in result.events if each.kind != EVENT_KIND_KEY_REVEALED)
            told.append(Result(result.transaction, result.code, kept).encode())
        return BlockEvents(block.header, tuple(told))


class Settled(NamedTuple):
    """A sale that is over."""

    trade: Trade
    sale: ChosenSale
    revealed: int
    """The height of its key."""


@pytest.fixture
def settled(trade: Trade) -> Settled:
    """Its price was locked, the key shown and the price paid while the buyer was away."""
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    trade.seller.tend()
    (revealed,) = trade.seller.states()
    assert isinstance(revealed, RevealedSwap)
    trade.world.pass_blocks(SELLING.complaint_blocks + 1)
    trade.seller.tend()
    (ended,) = trade.seller.states()
    assert isinstance(ended, EndedSwap)
    sale = chosen_sale(trade.acquisition.folder / "purchase")
    assert sale is not None
    return Settled(trade, sale, revealed.record.complaint_height - SELLING.complaint_blocks)


def through(trade: Trade, service: Partial) -> Any:
    return trade.tools_with(chain=trade.chain(service))


def test_a_key_that_is_kept_back_once_costs_nothing(settled: Settled) -> None:
    trade, service = settled.trade, Partial(settled.trade)
    service.hides = True
    record = trade.granted.record
    masked = trade.acquisition.folder / "purchase" / "masked"
    size = masked.stat().st_size
    for go_on in (acquire, abandon):
        with pytest.raises(EndNotShownError, match="the price was paid for the key"):
            go_on(trade.reopened(), through(trade, service))
        assert type(trade.acquisition.state) is Swapping
        assert masked.stat().st_size == size > 0
    service.hides = False
    end = acquire(trade.reopened(), through(trade, service))
    assert (type(end), end.spent) == (Closed, PRICE + 2 * FEE)
    assert min(service.asked) >= record.expiry_height - record.terms.grant_lifetime > 1


def test_blocks_that_are_not_there_any_more_are_no_end(settled: Settled) -> None:
    """As of a chain that was restored from a snapshot."""
    trade, service = settled.trade, Partial(settled.trade)
    for service.first in (trade.world.height() + 1, trade.world.height() - 3):
        with pytest.raises(EndNotShownError):
            acquire(trade.reopened(), through(trade, service))
    service.first = settled.revealed
    assert isinstance(acquire(trade.reopened(), through(trade, service)), Closed)


@pytest.fixture
def refunded(trade: Trade) -> Trade:
    """No key came, and somebody else has asked for what was due."""
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    trade.seller.has_no_time = True
    world, (locked,) = trade.world, trade.seller.states()
    world.pass_blocks(SELLING.reveal_blocks)
    world.must(world.authority, RefundSale(sale=locked.row.sale))
    return trade


def test_a_refund_is_told_from_what_is_shown(refunded: Trade) -> None:
    trade, world, service = refunded, refunded.world, Partial(refunded)
    service.first = world.height() + 1
    with pytest.raises(EndNotShownError, match="does not say how it ended"):
        acquire(trade.reopened(), through(trade, service))
    service.first = world.height()
    with pytest.raises(NothingSoldError) as nothing:
        acquire(trade.reopened(), through(trade, service))
    assert nothing.value.why is Returned.NO_KEY
    assert trade.acquisition.state == Abandoned(0)
    trade.settled(2 * FEE - DEPOSIT)


def test_no_story_is_made_up_of_a_refund_that_was_seen_before(refunded: Trade) -> None:
    trade, state = refunded, refunded.reopened().state
    assert isinstance(state, Swapping)
    # Killed when it had seen it; then the chain comes from a snapshot.
    buy_whole(trade.acquisition.folder, state, trade.tools, lambda told: None, lambda: False)
    service = Partial(trade)
    service.first = trade.world.height() + 1
    with pytest.raises(NothingSoldError, match=r"does not show.*; the money is back \(") as nothing:
        acquire(trade.reopened(), through(trade, service))
    assert nothing.value.why is Returned.NOT_SHOWN
    trade.settled(2 * FEE - DEPOSIT)


@pytest.mark.parametrize("behind", range(5))
def test_the_first_block_that_is_there_is_found(settled: Settled, behind: int) -> None:
    trade, service = settled.trade, Partial(settled.trade)
    sale, hashed = settled.sale.sale, settled.sale.key_hash
    chain = ProvenSwapChain(trade.chain(service))
    service.first = settled.revealed - behind
    assert chain.revealed_key(sale, hashed, 1) is not None
    service.first = settled.revealed + 1 + behind
    assert chain.revealed_key(sale, hashed, 1) is None
    assert chain.ended(sale, 1) is not None
    assert chain.ended(sale, trade.world.height() + 5) is None
