"""A recording is bought whole: all of it for its price, or nothing, and the money back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from ledger.chain.proven.chain import ProvenChain
from ledger.credentials.member_file import MemberFile
from ledger.errors import RefusedError
from ledger.exchange.messages import Reason, Reply, encode_refused
from ledger.exchange.swap_payment import LateComplaintError
from ledger.exchange.swap_seller import EndedSwap, LockedSwap, RevealedSwap
from ledger.exchange.transport import NoSellerError
from ledger.home import open_home
from ledger.market import swapping
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoned,
    Bought,
    Closed,
    Funded,
    Granted,
    Kept,
    Requested,
    Stage,
    Swapping,
    Wished,
)
from ledger.market.buying import (
    AcquisitionCancelledError,
    NothingSoldError,
    NotSoldWholeError,
    NotYetError,
    abandon,
    acquire,
)
from ledger.market.delivery import kept_deed
from ledger.market.swapping import PriceLockedError, Returned
from ledger.market.tools import Progress, Tools
from ledger.market.wish import Mode
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered
from tests.fleet.test_sharing_atomic import DEPOSIT
from tests.ledger.market.buyers_world import BuyersWorld, at_home
from tests.ledger.market.test_acquisition_steps import DiedError, mortal
from tests.ledger.market.whole_seller import (
    SELLING,
    BuyersService,
    Deadly,
    KilledError,
    WholeSeller,
)

PRICE = 53


@pytest.fixture(scope="module")
def offered(world: BuyersWorld) -> Offered:
    return world.offered(uses=1_000)


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


@pytest.fixture
def seller(world: BuyersWorld) -> Iterator[WholeSeller]:
    made = WholeSeller(world)
    yield made
    made.is_away = made.has_no_time = False
    # What is left of its sales ends, so that the books of the next test begin even.
    for _ in range(3):
        if all(isinstance(each, EndedSwap) for each in made.states()):
            break
        world.pass_blocks(SELLING.lock_blocks + 1)
        made.tend()
    assert all(isinstance(each, EndedSwap) for each in made.states())


class Trade:
    """One acquisition, what it is driven with, and what the pool had before."""

    def __init__(self, seller: WholeSeller, member: MemberFile, offered: Offered, **tools: Any):
        world = seller.world
        self.world, self.seller = world, seller
        self.service = BuyersService(seller)
        self.budget = world.budget(total=1_000)
        self.tools: Tools = world.tools(
            member,
            **{
                "chain": self.chain(),
                "way": seller.way,
                "budget": self.budget,
                **tools,
            },
        )
        self.pool = world.pool
        self.acquisition = world.begin(offered.offer, mode=Mode.WHOLE)

    def chain(self, service: Any = None) -> ProvenChain:
        return ProvenChain(service or self.service, self.world.trust)

    def reopened(self) -> Acquisition:
        self.acquisition.close()
        self.acquisition = Acquisition.open(self.acquisition.folder)
        return self.acquisition

    def stopped_at(self, stop: Callable[[], bool]) -> None:
        """Drive it until somebody stops it."""
        with pytest.raises(AcquisitionCancelledError):
            acquire(self.acquisition, self.tools, cancelled=stop)

    @property
    def granted(self) -> Granted:
        state = self.acquisition.state
        assert isinstance(state, Granted)
        return state

    def is_locked(self) -> bool:
        return any(isinstance(each, LockedSwap) for each in self.seller.states())

    def settled(self, spent: int) -> None:
        """The budget and the pool say the same of what it cost; the request's fee comes first."""
        standing = self.budget.standing()
        assert (standing.used(), dict(standing.reserved)) == (max(0, spent), {})
        assert self.world.pool == self.pool - FEE - spent


@pytest.fixture
def trade(seller: WholeSeller, member: MemberFile, offered: Offered) -> Iterator[Trade]:
    made = Trade(seller, member, offered)
    yield made
    made.acquisition.close()


def test_all_of_it_is_bought_and_kept(
    world: BuyersWorld, seller: WholeSeller, member: MemberFile, offered: Offered
) -> None:
    home = world.home("buyers.example/kea")
    trade = Trade(seller, member, offered, home=at_home(home))
    earned = world.balance(world.seller_account)
    heard: list[Progress] = []
    with trade.acquisition as acquisition:
        end = acquire(acquisition, trade.tools, heard.append)
        assert acquire(acquisition, trade.tools) == end
        deed = kept_deed(acquisition.folder)
        assert not (acquisition.folder / "purchase").exists()
    assert isinstance(end, Kept)
    assert (end.spent, end.channel) == (PRICE + 2 * FEE, b"")
    trade.settled(end.spent)
    with open_home(home) as found:
        assert found.experiences.tables.provenance(end.grant.grant) == [end.index + 1]
    assert deed.entry == world.husky.home.log.entry(world.husky.recorded.index)
    assert len(deed.openings) == 3

    stages = list(dict.fromkeys(each.stage for each in heard))
    assert stages == [
        Stage.REQUESTED,
        Stage.GRANTED,
        Stage.FUNDED,
        Stage.SWAPPING,
        Stage.BOUGHT,
        Stage.CLOSED,
        Stage.KEPT,
    ]
    swapped = [(each.kept, each.opened) for each in heard if each.stage is Stage.SWAPPING]
    assert swapped == [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2), (3, 3)]
    assert {each.paid for each in heard if each.stage is Stage.SWAPPING} == {0}
    # The seller has its deposit back, and the price, less three fees.
    world.pass_blocks(SELLING.complaint_blocks + 1)
    seller.tend()
    passed = SELLING.complaint_blocks + 1
    assert world.balance(world.seller_account) == earned + PRICE - 3 * FEE + passed


# Killed


@pytest.mark.parametrize("at", [Requested, Granted, Funded, Swapping, Bought, Closed])
def test_each_step_is_done_once(trade: Trade, monkeypatch: pytest.MonkeyPatch, at: type) -> None:
    for _ in range(2):
        with monkeypatch.context() as patch:
            mortal(patch, at)
            with pytest.raises(DiedError):
                acquire(trade.reopened(), trade.tools)
        assert trade.budget.standing().used() <= PRICE + 6 * FEE
    end = acquire(trade.reopened(), trade.tools)
    assert (type(end), end.spent) == (Closed, PRICE + 2 * FEE)
    trade.settled(end.spent)
    # The request, the lock, what was left.
    assert trade.world.sequence(end.grant.buyer) == 3


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("cheats", [False, True], ids=["honest", "cheat"])
def test_a_buyer_that_is_killed_at_any_request_or_transaction_goes_on(
    seller: WholeSeller, member: MemberFile, offered: Offered, after: bool, cheats: bool
) -> None:
    for kth in range(1, 40):
        trade = Trade(seller, member, offered)
        trade.stopped_at(lambda trade=trade: type(trade.acquisition.state) is Granted)  # type: ignore[misc]
        if cheats:
            seller.cheat(trade.granted.grant, wrong=1)
        count = [kth]
        way = Deadly(seller, count, after)
        chain = trade.chain(Deadly(trade.service, count, after))
        deadly = world_tools(trade, chain=chain, way=lambda grant, way=way: way)  # type: ignore[misc]
        with suppress(KilledError, NothingSoldError):
            acquire(trade.acquisition, deadly)
        died = count[0] <= 0
        acquisition = trade.reopened()
        if cheats:
            if died:
                with pytest.raises(NothingSoldError) as nothing:
                    acquire(acquisition, trade.tools)
                assert nothing.value.why is Returned.WRONG_UNIT
            assert acquisition.state == Abandoned(0)
            trade.settled(3 * FEE - DEPOSIT)
            seller.wrong = None
        else:
            end = acquire(acquisition, trade.tools)
            assert end.spent == PRICE + 2 * FEE
            trade.settled(end.spent)
            assert trade.world.sequence(end.grant.buyer) == 3
        acquisition.close()
        if not died:
            assert kth > 8
            return
    pytest.fail("no purchase without a death")


def world_tools(trade: Trade, **changed: Any) -> Tools:
    """The tools of a trade with others in their place."""
    return trade.world.tools(trade.tools.member, **{"budget": trade.budget, **changed})


# Not sold whole


def test_what_is_not_sold_whole_is_not_asked_for(
    world: BuyersWorld, seller: WholeSeller, member: MemberFile
) -> None:
    for offered in (world.offered_free(), world.offered_without_deposit()):
        trade = Trade(seller, member, offered)
        height = world.height()
        with trade.acquisition as acquisition, pytest.raises(NotSoldWholeError):
            acquire(acquisition, trade.tools)
        assert type(acquisition.state) is Wished
        assert (world.height(), world.pool) == (height, trade.pool)
        assert trade.budget.standing().used() == 0


# Nothing sold


def test_a_cheat_loses_its_deposit_to_the_buyers_pool(trade: Trade) -> None:
    trade.stopped_at(lambda: type(trade.acquisition.state) is Funded)
    trade.seller.cheat(trade.granted.grant, wrong=2)
    with pytest.raises(NothingSoldError, match=r"cheats.*deposit that it has lost") as nothing:
        acquire(trade.acquisition, trade.tools)
    assert nothing.value.why is Returned.WRONG_UNIT
    assert trade.acquisition.state == Abandoned(0)
    # The lock, the complaint and the way back cost a fee each.
    trade.settled(3 * FEE - DEPOSIT)
    assert not (trade.acquisition.folder / "purchase").exists()
    assert abandon(trade.acquisition, trade.tools) == Abandoned(0)
    with pytest.raises(RefusedError, match="given up"):
        acquire(trade.acquisition, trade.tools)


def test_a_seller_that_shows_no_key_in_time(trade: Trade) -> None:
    world, waited = trade.world, []

    def stop() -> bool:
        if trade.is_locked():
            trade.seller.has_no_time = True
            waited.append(world.height())
            world.pass_blocks(1)
        return False

    with pytest.raises(NothingSoldError) as nothing:
        acquire(trade.acquisition, trade.tools, cancelled=stop)
    assert nothing.value.why is Returned.NO_KEY
    assert len(waited) == SELLING.reveal_blocks
    assert trade.acquisition.state == Abandoned(0)
    trade.settled(3 * FEE - DEPOSIT)


def test_a_seller_that_makes_no_sale_before_the_grant_is_over(
    world: BuyersWorld, seller: WholeSeller, member: MemberFile
) -> None:
    seller.has_no_time = True
    trade = Trade(seller, member, world.offered(grant_lifetime=7))

    def stop() -> bool:
        if type(trade.acquisition.state) is Swapping:
            world.pass_blocks(1)
        return False

    with pytest.raises(
        NothingSoldError, match=r"no sale was made.*the money is back \("
    ) as nothing:
        acquire(trade.acquisition, trade.tools, cancelled=stop)
    assert nothing.value.why is Returned.NO_SALE
    assert trade.acquisition.state == Abandoned(FEE)
    trade.settled(FEE)
    trade.acquisition.close()


# Stopped


def test_it_is_stopped_while_nothing_is_locked_and_goes_on(trade: Trade) -> None:
    heard: list[Progress] = []
    stops = iter([1, 2])

    def stop_after(kept: int) -> Callable[[], bool]:
        return lambda: heard[-1:] != [] and heard[-1].kept == kept

    for kept in stops:
        with pytest.raises(AcquisitionCancelledError, match=f"{kept} of 3 chunks are here"):
            acquire(trade.acquisition, trade.tools, heard.append, stop_after(kept))
        assert type(trade.acquisition.state) is Swapping
        trade.reopened()
    # All are here, and still nothing is locked.
    with pytest.raises(AcquisitionCancelledError, match="3 of 3 chunks are here"):
        acquire(trade.acquisition, trade.tools, heard.append, stop_after(3))
    assert not trade.is_locked()
    end = acquire(trade.reopened(), trade.tools)
    assert end.spent == PRICE + 2 * FEE


def test_it_is_stopped_while_no_sale_is_made(trade: Trade) -> None:
    trade.seller.has_no_time = True
    waiting = iter(range(10))
    trade.stopped_at(
        lambda: type(trade.acquisition.state) is Swapping and next(waiting) >= 3,
    )
    trade.seller.has_no_time = False
    assert isinstance(acquire(trade.acquisition, trade.tools), Closed)


def test_who_stops_while_the_price_is_locked_is_told_so(trade: Trade) -> None:
    with pytest.raises(PriceLockedError, match="locked"):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    assert isinstance(acquire(trade.reopened(), trade.tools), Closed)


def test_it_is_not_stopped_once_the_key_is_here(trade: Trade) -> None:
    opened: list[int] = []

    def heard(progress: Progress) -> None:
        opened.append(progress.opened)

    with suppress(AcquisitionCancelledError):
        acquire(trade.acquisition, trade.tools, heard, lambda: opened[-1:] == [1])
    assert 3 in opened


# Given up


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
        acquire(trade.acquisition, world_tools(trade, chain=chain, way=trade.seller.way))
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
    tools = world_tools(trade, chain=trade.chain(), way=lambda grant: way)
    assert isinstance(acquire(trade.acquisition, tools), Closed)
    deed = kept_deed(trade.acquisition.folder)
    world = trade.world
    assert deed.entry == world.husky.home.log.entry(world.husky.recorded.index)
    assert len(deed.openings) == openings
