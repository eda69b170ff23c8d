"""A recording is bought whole: all of it for its price, or nothing, and the money back."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pytest

from ledger.credentials.member_file import MemberFile
from ledger.errors import RefusedError
from ledger.home import open_home
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
    abandon,
    acquire,
)
from ledger.market.delivery import kept_deed
from ledger.market.swapping import PriceLockedError, Returned
from ledger.market.tools import Progress
from ledger.schema.chain_sharing_pb2 import AmendContract
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered
from tests.fleet.test_sharing_atomic import DEPOSIT
from tests.ledger.market.buyers_world import BuyersWorld, at_home
from tests.ledger.market.test_acquisition_steps import DiedError, mortal
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
        deadly = trade.tools_with(chain=chain, way=lambda grant, way=way: way)  # type: ignore[misc]
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


def test_a_contract_that_was_amended_before_the_grant_is_looked_at_again(
    world: BuyersWorld, seller: WholeSeller, member: MemberFile
) -> None:
    offered = world.offered()
    trade = Trade(seller, member, offered)
    trade.stopped_at(lambda: type(trade.acquisition.state) is Requested)
    policy, terms = world.template()
    terms.deposit = 0
    amended = AmendContract(contract=offered.contract, policy=policy, terms=terms)
    world.must(world.seller, amended)
    with pytest.raises(NotSoldWholeError, match="deposit"):
        acquire(trade.acquisition, trade.tools)
    assert type(trade.acquisition.state) is Granted
    assert abandon(trade.reopened(), trade.tools) == Abandoned(0)
    trade.settled(0)
    trade.acquisition.close()


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


@pytest.mark.parametrize("deposit", [DEPOSIT, 1])
def test_a_seller_that_makes_no_sale_before_the_grant_is_over(
    world: BuyersWorld, seller: WholeSeller, member: MemberFile, deposit: int
) -> None:
    seller.has_no_time = True
    trade = Trade(seller, member, world.offered(grant_lifetime=7, deposit=deposit))

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
