"""A stream that can have nothing more is given up by itself, and never one that can, or is open."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from quipu_nodes import taking_up
from quipu_nodes.taking_up import TakingUp

from ledger.exchange.messages import Reply
from ledger.exchange.transport import NoSellerError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import (
    Abandoned,
    Abandoning,
    ChannelOpened,
    Closed,
    Funded,
    Granted,
    Streaming,
)
from ledger.market.buying import AcquisitionCancelledError, acquire
from ledger.market.shelf import Shelf
from ledger.market.tools import Tools
from ledger.market.wish import Wish
from tests.fleet.sharing_chain import FEE
from tests.ledger.market.buyers_world import CHALLENGE_BLOCKS, BuyersWorld, Faulty
from tests.ros.graph import eventually

LIFETIME = 40
"""Blocks that a grant is good for."""


class Losing(Faulty):
    """What the seller says does not arrive, though it heard the request."""

    def fault(self, request: bytes) -> Reply:
        self.way.ask(request)
        raise NoSellerError("the answer is lost")


class Buyer:
    """A robot's streams, and what goes on with them."""

    def __init__(self, world: BuyersWorld) -> None:
        self.world = world
        self.shelf = Shelf(world.root / world.name("purchases"), world.chain)
        self.way = Faulty(world, good=1_000)
        self.member = world.member_file(1)

    @property
    def tools(self) -> Tools:
        return self.world.tools(self.member, way=lambda grant: self.way)

    def taking_up(self) -> TakingUp:
        """From now on."""

        def make_tools(stopped: threading.Event, held: ExitStack) -> Tools:
            return self.tools

        return TakingUp(self.shelf, make_tools, has_home=False)

    def begin(self) -> Acquisition:
        """A stream of three units, whose grant is good for some blocks."""
        offered = self.world.offered(grant_lifetime=LIFETIME)
        return self.shelf.begin(Wish(offered.offer, "training"))

    def cut_off(self, good: int, way: type[Faulty] = Faulty) -> Acquisition:
        """A stream whose seller is away after so many answers."""
        self.way = way(self.world, good)
        acquisition = self.begin()
        with acquisition, pytest.raises(NoSellerError):
            acquire(acquisition, self.tools)
        assert type(acquisition.state) is Streaming
        return acquisition

    def left(self, until: type) -> Acquisition:
        """A stream that was left as soon as it was so far."""
        acquisition = self.begin()
        with acquisition, pytest.raises(AcquisitionCancelledError):
            acquire(acquisition, self.tools, cancelled=lambda: type(acquisition.state) is until)
        return acquisition

    def looks(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        """Grows by one each time the purchases are looked through."""
        rounds: list[int] = []
        look = self.shelf.all
        monkeypatch.setattr(self.shelf, "all", lambda: rounds.append(1) or look())
        return rounds


@pytest.fixture
def buyer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buyer]:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    for name in ("_FIRST_PAUSE_S", "_LONGEST_PAUSE_S", "_LOOK_S"):
        monkeypatch.setattr(taking_up, name, 0.02)
    with ExitStack() as held:
        yield Buyer(BuyersWorld(tmp_path, held))


def kind_of(acquisition: Acquisition) -> type:
    return type(Acquisition.look(acquisition.folder)[1])


def comes_to(acquisition: Acquisition, kind: type) -> None:
    eventually(lambda: kind_of(acquisition) is kind)


def closes(acquisition: Acquisition) -> None:
    """Until the chain has the close of its channel, which the seller can challenge now."""
    eventually(lambda: getattr(Acquisition.look(acquisition.folder)[1], "until", 0))


def after(rounds: list[int], taking: TakingUp) -> None:
    """Some more looks, as after goals for something else."""
    for _ in range(3):
        seen = len(rounds)
        with taking.lent(b"\1" * 32):
            pass
        eventually(lambda seen=seen: len(rounds) > seen)


def test_what_is_left_comes_back_once_the_grant_is_over_and_nobody_sells(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quipu_nodes")
    world, pool, rounds = buyer.world, buyer.world.pool, buyer.looks(monkeypatch)
    # The opening, a unit, and one for a payment: 36 are paid, and that is the seller's.
    lost = buyer.cut_off(good=3)
    funded = pool - world.pool
    with buyer.taking_up() as taking:
        after(rounds, taking)
        assert kind_of(lost) is Streaming
        assert not taking.open
        world.pass_blocks(LIFETIME + 1)
        closes(lost)
        eventually(lambda: any("comes back after block" in line for line in taking.open))
        after(rounds, taking)
        assert kind_of(lost) is Abandoning
        assert pool - world.pool == funded
        world.pass_blocks(CHALLENGE_BLOCKS)
        comes_to(lost, Abandoned)
        eventually(lambda: not taking.open)
        after(rounds, taking)
    end = Acquisition.look(lost.folder)[1]
    assert end == Abandoned(36 + 4 * FEE)
    # Beside that, the pool has lost the fee of the payment.
    assert pool - world.pool == end.spent + FEE
    assert caplog.text.count("is given up: ") == 1
    assert caplog.text.count(f"given up, it cost {end.spent}, {100 - end.spent} came back") == 1


@pytest.mark.parametrize("until", [Granted, Funded, ChannelOpened, Streaming])
def test_wherever_it_was_left(buyer: Buyer, until: type) -> None:
    world, pool = buyer.world, buyer.world.pool
    lost = buyer.left(until)
    with buyer.taking_up():
        world.pass_blocks(LIFETIME + 1)
        if until in (ChannelOpened, Streaming):
            closes(lost)
            world.pass_blocks(CHALLENGE_BLOCKS)
        comes_to(lost, Abandoned)
    assert pool - world.pool <= 6 * FEE


def test_a_seller_that_closes_the_channel_early_gives_no_more(buyer: Buyer) -> None:
    lost, world = buyer.cut_off(good=3), buyer.world
    state = lost.state
    assert isinstance(state, Streaming)
    with buyer.taking_up():
        world.close_sale(state.grant)
        comes_to(lost, Abandoned)
    assert world.height() <= state.grant.expiry_height


def test_one_that_was_being_given_up_when_it_was_killed(buyer: Buyer) -> None:
    world, lost = buyer.world, buyer.cut_off(good=2)
    state = lost.state
    assert isinstance(state, Streaming)
    with Acquisition.open(lost.folder) as acquisition:
        acquisition.reach(
            Abandoning(state.offer, state.record, state.grant, state.funded, state.channel, 0)
        )
    with buyer.taking_up():
        closes(lost)
        world.pass_blocks(CHALLENGE_BLOCKS)
        comes_to(lost, Abandoned)


def test_who_has_paid_for_all_of_it_asks_before(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quipu_nodes")
    # The seller has the last payment and closes; what opens the last unit was lost.
    waiting, world = buyer.cut_off(4, Losing), buyer.world
    state = waiting.state
    assert isinstance(state, Streaming)
    world.close_sale(state.grant)
    assert world.channel(state.channel) is None
    buyer.way.good, rounds = 1_000, buyer.looks(monkeypatch)
    with buyer.taking_up() as taking:
        after(rounds, taking)
        assert kind_of(waiting) is Streaming  # a goal can have it
        world.pass_blocks(LIFETIME + 1)
        comes_to(waiting, Closed)
        eventually(lambda: "is over: bought after all" in caplog.text)
    files = sorted((waiting.folder / "files").iterdir())
    assert sum(each.stat().st_size for each in files) == len(world.husky.content)


@pytest.mark.parametrize("who", ["another process", "a goal"])
def test_one_that_somebody_goes_on_with_is_let_be(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch, who: str
) -> None:
    lost, rounds = buyer.cut_off(good=3), buyer.looks(monkeypatch)
    with buyer.taking_up() as taking:
        held: Any = (
            Acquisition.open(lost.folder) if who != "a goal" else taking.lent(lost.wish.offer)
        )
        with held:
            buyer.world.pass_blocks(LIFETIME + 1)
            after(rounds, taking)
            assert kind_of(lost) is Streaming
            assert not taking.open
        comes_to(lost, Abandoning)
