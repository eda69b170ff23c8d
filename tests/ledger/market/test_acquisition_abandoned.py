"""A seller that dies, cheats or refuses costs one chunk at most; the rest comes back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ledger.credentials.member_file import MemberFile
from ledger.errors import RefusedError, VerificationError
from ledger.exchange.buyer import BadUnitError, SellerRefusedError
from ledger.exchange.deed import Deed
from ledger.exchange.messages import DeedFetch, Reason, Reply, encode_refused, parse_request
from ledger.exchange.transport import NoSellerError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    Closed,
    Funded,
    Granted,
    Requested,
    Streaming,
    Wished,
)
from ledger.market.buying import (
    AcquisitionCancelledError,
    NotYetError,
    abandon,
    acquire,
)
from ledger.market.delivery import kept_deed
from ledger.market.funding import need_of
from ledger.market.tools import Tools
from ledger.schema.chain_payment_pb2 import Transfer
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered
from tests.ledger.market.buyers_world import CHALLENGE_BLOCKS, BuyersWorld, Faulty


@pytest.fixture(scope="module")
def offered(world: BuyersWorld) -> Offered:
    return world.offered(uses=100)


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


class Refusing(Faulty):
    def fault(self, request: bytes) -> Reply:
        return encode_refused(Reason.GONE)


class Forging(Faulty):
    """What it seals is altered."""

    def fault(self, request: bytes) -> Reply:
        message, sealed = self.way.ask(request)
        return Reply(message, bytes([sealed[0] ^ 1]) + sealed[1:] if sealed else sealed)


def given_up(world: BuyersWorld, acquisition: Acquisition, tools: Tools, paid: int) -> None:
    """It is given up, and cost what was paid to the seller, and fees."""
    budget, pool = tools.budget, world.pool
    assert budget is not None
    before = budget.standing().used()
    with pytest.raises(NotYetError) as until:
        abandon(acquisition, tools)
    assert "quipu chain serve --empty-blocks" in (until.value.hint or "")
    assert type(acquisition.state) is Abandoning
    assert until.value.until <= world.height() + CHALLENGE_BLOCKS
    with pytest.raises(RefusedError, match="given up"):
        acquire(acquisition, tools)
    earned = world.balance(world.seller_account)
    world.pass_blocks(CHALLENGE_BLOCKS)
    assert budget.standing().used() == before  # reserved until all is back
    end = abandon(acquisition, tools)
    assert end == Abandoned(paid + 4 * FEE)
    assert abandon(acquisition, tools) == end
    assert world.balance(world.seller_account) == earned + CHALLENGE_BLOCKS + paid
    standing = budget.standing()
    assert (standing.used(), dict(standing.reserved)) == (end.spent, {})
    assert world.pool == pool + 100 - end.spent  # a key is given 100 for a price of 53
    assert Acquisition.look(acquisition.folder)[1] == end
    assert not (acquisition.folder / "purchase").exists()


@contextmanager
def budgeted(
    world: BuyersWorld, member: MemberFile, offered: Offered, way: Faulty
) -> Iterator[tuple[Acquisition, Tools]]:
    tools = world.tools(member, budget=world.budget(total=1_000), way=lambda grant: way)
    acquisition = world.begin(offered.offer)
    yield acquisition, tools
    acquisition.close()


def test_a_seller_that_dies(world: BuyersWorld, offered: Offered, member: MemberFile) -> None:
    way = Faulty(world, good=3)  # the opening, unit 0, unit 1 for a payment
    with budgeted(world, member, offered, way) as (acquisition, tools):
        with pytest.raises(NoSellerError):
            acquire(acquisition, tools)
        assert type(acquisition.state) is Streaming
        assert world.earned(acquisition.state.grant) == 18
        # Two units are paid, one of them is here.
        given_up(world, acquisition, tools, paid=36)


def test_a_seller_that_gives_something_else(
    world: BuyersWorld, offered: Offered, member: MemberFile
) -> None:
    way = Forging(world, good=1)
    with budgeted(world, member, offered, way) as (acquisition, tools):
        with pytest.raises(BadUnitError):
            acquire(acquisition, tools)
        with pytest.raises(BadUnitError):
            acquire(acquisition, tools)
        given_up(world, acquisition, tools, paid=18)


def test_a_seller_that_never_opens(
    world: BuyersWorld, offered: Offered, member: MemberFile
) -> None:
    way = Refusing(world, good=0)
    with budgeted(world, member, offered, way) as (acquisition, tools):
        with pytest.raises(SellerRefusedError):
            acquire(acquisition, tools)
        given_up(world, acquisition, tools, paid=0)


def test_a_seller_that_comes_back(world: BuyersWorld, offered: Offered, member: MemberFile) -> None:
    way = Faulty(world, good=3)
    with budgeted(world, member, offered, way) as (acquisition, tools):
        with pytest.raises(NoSellerError):
            acquire(acquisition, tools)
        way.good = 100
        end = acquire(acquisition, tools)
        assert end.spent == 53 + 2 * FEE
        with pytest.raises(RefusedError, match="bought and paid"):
            abandon(acquisition, tools)


def test_a_seller_that_closes_first(
    world: BuyersWorld, offered: Offered, member: MemberFile
) -> None:
    way = Faulty(world, good=3)
    with budgeted(world, member, offered, way) as (acquisition, tools):
        with pytest.raises(NoSellerError):
            acquire(acquisition, tools)
        grant = acquisition.state.grant  # type: ignore[union-attr]
        world.close_sale(grant)
        pool = world.pool
        # It was paid for two units, and claimed what it had seen: one.
        end = abandon(acquisition, tools)
        assert end == Abandoned(18 + 2 * FEE)
        assert world.pool == pool + 100 - end.spent
        assert tools.budget is not None
        assert tools.budget.standing().used() == end.spent


@pytest.mark.parametrize("at", [Wished, Requested, Granted, Funded])
def test_what_was_not_paid_for_yet(
    world: BuyersWorld, offered: Offered, member: MemberFile, at: type
) -> None:
    with budgeted(world, member, offered, Faulty(world, 0)) as (acquisition, tools):
        with pytest.raises(AcquisitionCancelledError):
            acquire(acquisition, tools, cancelled=lambda: type(acquisition.state) is at)
        pool = world.pool
        end = abandon(acquisition, tools)
        fees = FEE if at is Funded else 0
        assert end == Abandoned(fees)
        assert world.pool == pool + (100 - fees if at is Funded else 0)
        assert tools.budget is not None
        assert tools.budget.standing().used() == fees


def test_money_that_comes_after_the_end_goes_back_as_well(
    world: BuyersWorld, offered: Offered, member: MemberFile
) -> None:
    """A payment of the pool was under way when the purchase was given up."""
    with budgeted(world, member, offered, Faulty(world, 0)) as (acquisition, tools):
        with pytest.raises(AcquisitionCancelledError):
            acquire(acquisition, tools, cancelled=lambda: type(acquisition.state) is Granted)
        assert isinstance(acquisition.state, Granted)
        grant, pool = acquisition.state.grant, world.pool
        assert abandon(acquisition, tools) == Abandoned(0)
        needed = need_of(grant, FEE)[grant.asset]
        world.funding.fund(grant.grant, grant.buyer, grant.asset, needed)
        assert world.pool == pool - 100
        folder = acquisition.folder
    before = world.pool
    for late in (100, 40):
        with Acquisition.open(folder) as again:
            assert abandon(again, tools) == Abandoned(0)
            assert world.balance(grant.buyer) == 0
            pool = world.pool
            assert abandon(again, tools) == Abandoned(0)
            assert world.pool == pool
        if late == 100:
            assert pool == before + late - FEE
            # Another payment, after one that went back: it does not stay either.
            message = Transfer(asset=grant.asset, recipient=grant.buyer, amount=40)
            world.must(world.authority, message)
            assert world.balance(grant.buyer) == 40


def test_a_grant_that_nobody_heard_of(
    world: BuyersWorld, offered: Offered, member: MemberFile
) -> None:
    """Killed between the chain's grant and its note: it is given up all the same."""
    with budgeted(world, member, offered, Faulty(world, 0)) as (acquisition, tools):
        with pytest.raises(AcquisitionCancelledError):
            acquire(acquisition, tools, cancelled=lambda: type(acquisition.state) is Requested)
        assert isinstance(acquisition.state, Requested)
        assert world.proven.submit(acquisition.state.request).ok
        assert abandon(acquisition, tools) == Abandoned(0)


def test_stopping_between_units_and_going_on(
    world: BuyersWorld, offered: Offered, member: MemberFile
) -> None:
    kept: list[int] = []
    with budgeted(world, member, offered, Faulty(world, 100)) as (acquisition, tools):
        with pytest.raises(AcquisitionCancelledError, match="1 of 3 chunks"):
            acquire(
                acquisition, tools, lambda each: kept.append(each.kept), lambda: kept[-1:] == [1]
            )
        assert type(acquisition.state) is Streaming
        assert isinstance(acquire(acquisition, tools), Closed)


class Deedless(Faulty):
    """Gives everything but the deed; and once it was asked too often, nothing at all."""

    def __init__(self, world: BuyersWorld, silent: bool) -> None:
        super().__init__(world, 100)
        self.silent, self.asked = silent, 0

    def ask(self, request: bytes) -> Reply:
        if not isinstance(parse_request(request), DeedFetch):
            return super().ask(request)
        self.asked += 1
        if self.silent:
            raise NoSellerError("nobody is there")
        return encode_refused(Reason.GONE)


@pytest.mark.parametrize("silent", [False, True], ids=["refused", "silent"])
def test_a_deed_that_never_comes_spoils_nothing_else(
    world: BuyersWorld, offered: Offered, member: MemberFile, silent: bool
) -> None:
    way = Deedless(world, silent)
    with budgeted(world, member, offered, way) as (acquisition, tools):
        assert isinstance(acquire(acquisition, tools), Closed)
        assert way.asked
        deed = kept_deed(acquisition.folder)
    assert deed == Deed(world.husky.home.log.entry(world.husky.recorded.index))


def test_the_pool_is_told_of_another_key(
    world: BuyersWorld, offered: Offered, member: MemberFile
) -> None:
    """A fleet that says it paid, and did not, is found out; nothing is spent."""

    class Forgetful:
        def fund(self, grant: bytes, account: bytes, asset: int, amount: int) -> None:
            return

    tools = world.tools(member, funding=Forgetful())
    with world.begin(offered.offer) as acquisition:
        with pytest.raises(RefusedError, match="the chain does not"):
            acquire(acquisition, tools)
        assert abandon(acquisition, tools) == Abandoned(0)


def test_a_grant_is_of_who_asked(world: BuyersWorld, offered: Offered, member: MemberFile) -> None:
    """The way leads to a seller that opens with another's signature: the buyer pays nothing."""

    class Other(Faulty):
        def ask(self, request: bytes) -> Reply:
            message, sealed = self.way.ask(request)
            # One bit of the agreement: session key or signature.
            return Reply(message[:-3] + bytes([message[-3] ^ 1]) + message[-2:], sealed)

    with budgeted(world, member, offered, Other(world, 0)) as (acquisition, tools):
        with pytest.raises(VerificationError):
            acquire(acquisition, tools)
        given_up(world, acquisition, tools, paid=0)
