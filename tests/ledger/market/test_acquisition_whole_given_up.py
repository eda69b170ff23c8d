"""What is bought whole is given up only while nothing is locked. And its deed comes late."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ledger.credentials.member_file import MemberFile
from ledger.errors import RefusedError
from ledger.exchange.messages import Reason, Reply, encode_refused
from ledger.exchange.swap_payment import LateComplaintError
from ledger.exchange.swap_seller import LockedSwap, RevealedSwap
from ledger.exchange.transport import NoSellerError
from ledger.market import swapping
from ledger.market.acquisition_states import (
    Abandoned,
    Closed,
    Funded,
    Stage,
    Swapping,
)
from ledger.market.buying import (
    AcquisitionCancelledError,
    NotYetError,
    abandon,
    acquire,
)
from ledger.market.delivery import kept_deed
from ledger.market.swapping import PriceLockedError
from ledger.market.tools import Progress
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered
from tests.fleet.test_sharing_atomic import DEPOSIT
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ledger.market.whole_seller import (
    SELLING,
    Deadly,
    KilledError,
    WholeSeller,
)
from tests.ledger.market.whole_trade import PRICE, Trade


@pytest.fixture(scope="module")
def offered(world: BuyersWorld) -> Offered:
    return world.offered(uses=1_000)


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


def given_up(trade: Trade, spent: int) -> None:
    """It is given up at once, and cost no more than fees."""
    assert abandon(trade.reopened(), trade.tools) == Abandoned(spent)
    trade.settled(spent)
    assert not (trade.acquisition.folder / "purchase").exists()


def test_it_is_given_up_before_anything_is_locked(
    seller: WholeSeller, member: MemberFile, offered: Offered
) -> None:
    heard: list[Progress] = []
    for stage, kept in ((Stage.FUNDED, 0), (Stage.SWAPPING, 0), (Stage.SWAPPING, 2)):
        trade, heard = Trade(seller, member, offered), []
        with pytest.raises(AcquisitionCancelledError):
            acquire(
                trade.acquisition,
                trade.tools,
                heard.append,
                lambda heard=heard, wanted=(stage, kept): (
                    [  # type: ignore[misc]
                        (each.stage, each.kept) for each in heard[-1:]
                    ]
                    == [wanted]
                ),
            )
        given_up(trade, FEE)
        trade.acquisition.close()


def test_it_is_not_given_up_while_the_price_is_locked(trade: Trade) -> None:
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    (locked,) = trade.seller.states()
    assert isinstance(locked, LockedSwap)
    with pytest.raises(NotYetError) as until:
        abandon(trade.reopened(), trade.tools)
    assert until.value.until == locked.record.reveal_height
    assert type(trade.acquisition.state) is Swapping
    assert trade.budget.standing().used() == PRICE + 6 * FEE  # reserved
    # No key comes: what is due is asked for, and all of it is back.
    trade.seller.has_no_time = True
    trade.world.pass_blocks(locked.record.reveal_height - trade.world.height())
    assert abandon(trade.acquisition, trade.tools) == Abandoned(0)
    trade.settled(3 * FEE - DEPOSIT)


def test_who_gives_up_when_the_key_is_here_has_the_content(trade: Trade) -> None:
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    trade.seller.tend()
    with pytest.raises(RefusedError, match="bought and paid"):
        abandon(trade.reopened(), trade.tools)
    assert isinstance(acquire(trade.acquisition, trade.tools), Closed)


def test_who_gives_up_a_cheats_sale_complains(trade: Trade) -> None:
    trade.stopped_at(lambda: type(trade.acquisition.state) is Funded)
    trade.seller.cheat(trade.granted.grant, wrong=0)
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    trade.seller.tend()
    assert abandon(trade.reopened(), trade.tools) == Abandoned(0)
    trade.settled(3 * FEE - DEPOSIT)


def test_a_complaint_that_is_too_late_costs_the_price(trade: Trade) -> None:
    trade.stopped_at(lambda: type(trade.acquisition.state) is Funded)
    trade.seller.cheat(trade.granted.grant, wrong=0)
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    trade.seller.tend()
    assert any(isinstance(each, RevealedSwap) for each in trade.seller.states())
    trade.world.pass_blocks(SELLING.complaint_blocks)
    for _ in range(2):
        with pytest.raises(LateComplaintError):
            acquire(trade.reopened(), trade.tools)
    given_up(trade, PRICE + 2 * FEE)


def test_it_is_not_given_up_while_the_lock_may_be_under_way(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when it was written that the price is locked, and before anybody was asked."""
    deadly = Deadly(trade.service, [10_000], after=False)
    chain = trade.chain(deadly)

    def about_to_lock(purchase: Any, sale: Any) -> None:
        write(purchase, sale)
        if sale.stage is swapping.BuyingStage.LOCKING:
            raise KilledError

    write = swapping.SwapPurchase.write
    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(swapping.SwapPurchase, "write", about_to_lock)
        acquire(trade.acquisition, trade.tools_with(chain=chain, way=trade.seller.way))
    (sale,) = trade.seller.states()
    with pytest.raises(NotYetError) as until:
        abandon(trade.reopened(), trade.tools)
    assert until.value.until == sale.row.lock_height
    # Past that no block takes the lock, and the sale need not have ended.
    trade.seller.has_no_time = True
    trade.world.pass_blocks(sale.row.lock_height - trade.world.height())
    given_up(trade, FEE)


# The deed


class NoDeed:
    """Gives everything but the deed, for which the seller has an answer of its own."""

    def __init__(self, seller: WholeSeller, fault: Callable[[], Reply], times: int) -> None:
        self.seller, self.fault, self.left = seller, fault, times

    def ask(self, request: bytes) -> Reply:
        is_deed = self.seller.counter._deed_fetch(request) is not None
        if not is_deed or self.left <= 0:
            return self.seller.ask(request)
        self.left -= 1
        return self.fault()


def nobody() -> Reply:
    raise NoSellerError("nobody is there")


@pytest.mark.parametrize(
    ("fault", "times", "openings"),
    [
        (lambda: encode_refused(Reason.NOT_YET), 5, 3),
        (lambda: encode_refused(Reason.NOT_YET), 10**6, 0),
        (lambda: encode_refused(Reason.GONE), 10**6, 0),
        (nobody, 2, 3),
        (nobody, 10**6, 0),
    ],
    ids=["not yet", "never yet", "gone", "away", "away for good"],
)
def test_the_deed_is_asked_for_again(
    trade: Trade,
    monkeypatch: pytest.MonkeyPatch,
    fault: Callable[[], Reply],
    times: int,
    openings: int,
) -> None:
    if times > 5:
        monkeypatch.setattr(swapping, "_DEED_S", 0.2)
    way = NoDeed(trade.seller, fault, times)
    tools = trade.tools_with(chain=trade.chain(), way=lambda grant: way)
    assert isinstance(acquire(trade.acquisition, tools), Closed)
    deed = kept_deed(trade.acquisition.folder)
    world = trade.world
    assert deed.entry == world.husky.home.log.entry(world.husky.recorded.index)
    assert len(deed.openings) == openings
