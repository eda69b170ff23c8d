"""A buyer that dies after a step's work, and before anybody knows that it was done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.chain.proven.chain import ProvenChain
from ledger.credentials.member_file import MemberFile
from ledger.exchange.transport import NoSellerError
from ledger.home import open_home
from ledger.market import paying
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    AcquisitionState,
    Bought,
    ChannelOpened,
    Closed,
    Funded,
    Granted,
    Kept,
    Requested,
    Streaming,
)
from ledger.market.buying import NotYetError, abandon, acquire
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered
from tests.ledger.market.buyers_world import CHALLENGE_BLOCKS, BuyersWorld, Faulty, at_home


class DiedError(Exception):
    """Where the process ends."""


@pytest.fixture(scope="module")
def offered(world: BuyersWorld) -> Offered:
    return world.offered(uses=100)


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


def mortal(monkeypatch: pytest.MonkeyPatch, at: type) -> None:
    """Acquisitions die instead of noting that they reached a state of a type."""
    reach = Acquisition.reach

    def die(acquisition: Acquisition, state: AcquisitionState) -> None:
        if type(state) is at:
            raise DiedError
        reach(acquisition, state)

    monkeypatch.setattr(Acquisition, "reach", die)


@pytest.mark.parametrize(
    "at", [Requested, Granted, Funded, ChannelOpened, Streaming, Bought, Closed, Kept]
)
def test_each_step_is_done_once(
    world: BuyersWorld,
    offered: Offered,
    member: MemberFile,
    monkeypatch: pytest.MonkeyPatch,
    at: type,
) -> None:
    home, budget, pool = world.home(f"buyers/{at.__name__}"), world.budget(total=1_000), world.pool
    tools = world.tools(member, home=at_home(home), budget=budget)
    acquisition = world.begin(offered.offer)
    for _ in range(2):
        with monkeypatch.context() as patch, acquisition:
            mortal(patch, at)
            with pytest.raises(DiedError):
                acquire(acquisition, tools)
        assert budget.standing().used() <= 53 + 6 * FEE
        acquisition = Acquisition.open(acquisition.folder)
    with acquisition:
        end = acquire(acquisition, tools)
    assert isinstance(end, Kept)
    assert end.spent == 53 + 2 * FEE
    assert world.pool == pool - end.spent - FEE
    assert world.earned(end.grant) == 53
    standing = budget.standing()
    assert (standing.used(), dict(standing.reserved)) == (end.spent, {})
    assert world.sequence(end.grant.buyer) == 3  # the request, the channel, what was left
    with open_home(home) as found:
        assert found.experiences.tables.provenance(end.grant.grant) == [end.index + 1]
        assert found.log.size == end.index + 2


@pytest.mark.parametrize("at", [Abandoning, Abandoned])
def test_each_step_of_giving_up_is_done_once(
    world: BuyersWorld,
    offered: Offered,
    member: MemberFile,
    monkeypatch: pytest.MonkeyPatch,
    at: type,
) -> None:
    budget, pool = world.budget(total=1_000), world.pool
    way = Faulty(world, good=3)
    tools = world.tools(member, budget=budget, way=lambda grant: way)
    with world.begin(offered.offer) as acquisition:
        with pytest.raises(NoSellerError):
            acquire(acquisition, tools)
        for _ in range(2):
            with monkeypatch.context() as patch, pytest.raises((DiedError, NotYetError)):
                mortal(patch, at)
                abandon(acquisition, tools)
        with pytest.raises(NotYetError):
            abandon(acquisition, tools)
        world.pass_blocks(CHALLENGE_BLOCKS)
        with monkeypatch.context() as patch:
            mortal(patch, Abandoned)
            with pytest.raises(DiedError):
                abandon(acquisition, tools)
        assert abandon(acquisition, tools) == Abandoned(36 + 4 * FEE)
    assert world.pool == pool - 36 - 4 * FEE - FEE
    assert budget.standing().used() == 36 + 4 * FEE


@pytest.mark.parametrize("name", ["open.tx", "close.tx", "settle.tx", "back-0.tx"])
def test_each_transaction_of_the_key_is_carried_out_once(
    world: BuyersWorld,
    offered: Offered,
    member: MemberFile,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    """The chain carries it out, and the buyer dies before it hears of it."""
    pool, way = world.pool, Faulty(world, good=3)
    tools = world.tools(member, way=lambda grant: way)

    def mortal_once(real: Callable[..., object]) -> Callable[..., object]:
        def carry_out(chain: ProvenChain, path: Path, *more: object) -> object:
            done = real(chain, path, *more)
            if path.name == name:
                raise DiedError
            return done

        return carry_out

    def live(acquisition: Acquisition) -> None:
        if not isinstance(acquisition.state, Abandoning):
            with pytest.raises(NoSellerError):
                acquire(acquisition, tools)
            with pytest.raises(NotYetError):
                abandon(acquisition, tools)
        world.pass_blocks(CHALLENGE_BLOCKS)
        abandon(acquisition, tools)

    with world.begin(offered.offer) as acquisition:
        with monkeypatch.context() as patch:
            for each in ("require_carried_out", "carry_out_once"):
                patch.setattr(paying, each, mortal_once(getattr(paying, each)))
            with pytest.raises(DiedError):
                live(acquisition)
        live(acquisition)
        assert acquisition.state == Abandoned(36 + 4 * FEE)
    assert world.pool == pool - 36 - 4 * FEE - FEE


def test_a_signed_request_is_the_one_that_is_submitted(
    world: BuyersWorld, offered: Offered, member: MemberFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever hears of two requests of one member could tell them together."""
    tools, heard = world.tools(member), []
    submit = world.engine.submit

    def listen(transactions: list[bytes], *more: object) -> object:
        heard.extend(each for each in transactions if world.body(each).HasField("request_grant"))
        return submit(transactions, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(world.engine, "submit", listen)
    with world.begin(offered.offer) as acquisition:
        with monkeypatch.context() as patch:
            mortal(patch, Granted)
            for _ in range(3):
                with pytest.raises(DiedError):
                    acquire(acquisition, tools)
        acquire(acquisition, tools)
    assert len(set(heard)) == 1
