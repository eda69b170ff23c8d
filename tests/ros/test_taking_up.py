"""What cannot wait is gone on with beside the goals of others, and left to a goal of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from quipu_nodes import taking_up
from quipu_nodes.acquiring import End, carry_out
from quipu_nodes.taking_up import TakingUp

from ledger.chain.engines.service import NoEngineError
from ledger.chain.proven.chain import ProvenChain
from ledger.errors import StorageError
from ledger.exchange.messages import Reply
from ledger.exchange.swap_seller import LockedSwap
from ledger.experience.private_folder import remove_folder
from ledger.home import open_home, open_home_to_write
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Abandoned, Bought, Closed, Granted, Kept
from ledger.market.buying import AcquisitionCancelledError, acquire
from ledger.market.shelf import Shelf
from ledger.market.swapping import PriceLockedError
from ledger.market.tools import Home, Tools, tell_nobody
from ledger.market.wish import Mode, Wish
from tests.ledger.market.buyers_world import BuyersWorld, at_home
from tests.ledger.market.whole_seller import SELLING, WholeSeller
from tests.ros.graph import eventually

NOW = threading.Event().is_set


class Service:
    """The chain's, on whose waiting a seller does its part."""

    def __init__(self, world: BuyersWorld, seller: WholeSeller) -> None:
        self._world, self._seller, self._one = world, seller, threading.Lock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world.engine, name)

    def events(self, from_height: int, wait_s: float) -> Any:
        """Waits for a moment."""
        with self._one:
            self._seller.tend()
        return self._world.engine.events(from_height, 0.02)


class Buyer:
    """A robot's purchases, and what goes on with them."""

    def __init__(self, world: BuyersWorld) -> None:
        self.world = world
        self.seller = WholeSeller(world)
        self.shelf = Shelf(world.root / "purchases", world.chain)
        self.asked = 0
        self.is_cut_off = False
        chain = ProvenChain(Service(world, self.seller), world.trust)
        self.tools = world.tools(world.member_file(1), chain=chain, way=lambda grant: self)

    def ask(self, request: bytes) -> Reply:
        """As a transport."""
        self.asked += 1
        return self.seller.ask(request)

    def taking_up(self) -> TakingUp:
        """From now on."""

        def make_tools(stopped: threading.Event, held: ExitStack) -> Tools:
            if self.is_cut_off:
                raise NoEngineError("no engine serves the chain")
            return self.tools

        return TakingUp(self.shelf, make_tools, has_home=self.tools.home is not None)

    def locked(self, cheat: bool = False) -> Acquisition:
        """An acquisition that was left while its price was locked; no key was shown."""
        offer = self.world.offered().offer
        acquisition = self.shelf.begin(Wish(offer, "training", mode=Mode.WHOLE))

        def is_locked() -> bool:
            state = acquisition.state
            if not isinstance(state, Granted):
                return False
            if cheat and not self.seller.states():
                self.seller.cheat(state.grant, wrong=1)
            return any(
                isinstance(each, LockedSwap) and each.row.grant == state.grant
                for each in self.seller.states()
            )

        with acquisition, pytest.raises(PriceLockedError):
            acquire(acquisition, self.tools, cancelled=is_locked)
        self.seller.has_no_time = True
        return acquisition

    def streams(self, home: Home | None) -> None:
        """From now on it buys chunk by chunk, and keeps what it bought in a home."""
        self.tools = self.world.tools(self.tools.member, home=home)

    def paid_for(self, until: type) -> Acquisition:
        """A stream that was left as soon as it was so far."""
        acquisition = self.shelf.begin(Wish(self.world.offered().offer, "training"))
        with acquisition, pytest.raises(AcquisitionCancelledError):
            acquire(acquisition, self.tools, cancelled=lambda: type(acquisition.state) is until)
        return acquisition

    def goal(self, offer: bytes, mode: Mode = Mode.WHOLE) -> End:
        """How a goal for it ends."""
        wish = Wish(offer, "training", mode=mode)
        return carry_out(self.shelf, self.tools, wish, tell_nobody, NOW).end


@pytest.fixture
def buyer(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Buyer]:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setattr(taking_up, "_FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr(taking_up, "_LONGEST_PAUSE_S", 0.1)
    monkeypatch.setattr(taking_up, "_TURN_S", 0.2)
    with ExitStack() as held:
        yield Buyer(BuyersWorld(tmp_path, held))


def comes_to(acquisition: Acquisition, kind: type) -> None:
    eventually(lambda: isinstance(Acquisition.look(acquisition.folder)[1], kind))


def is_open(acquisition: Acquisition) -> Callable[[], bool]:
    return lambda: Acquisition.is_open(acquisition.folder)


def test_one_that_waits_keeps_neither_goals_nor_another_that_cannot_wait(buyer: Buyer) -> None:
    cheated = buyer.locked(cheat=True)
    buyer.seller.wrong, buyer.seller.has_no_time = None, False
    buyer.seller.restart()
    waiting = buyer.locked()
    pool = buyer.world.pool
    with buyer.taking_up():
        comes_to(cheated, Abandoned)
        assert buyer.world.pool > pool  # price and deposit
        assert type(Acquisition.look(waiting.folder)[1]) not in (Closed, Abandoned)
        streaming = buyer.world.tools(buyer.tools.member)
        wish = Wish(buyer.world.offered().offer, "training")
        assert carry_out(buyer.shelf, streaming, wish, tell_nobody, NOW).end is End.BOUGHT
        # No key comes at all: a refund is due.
        buyer.world.pass_blocks(SELLING.reveal_blocks)
        comes_to(waiting, Abandoned)


def test_a_goal_goes_on_in_its_place_and_it_goes_on_after_the_goal(buyer: Buyer) -> None:
    waiting = buyer.locked()
    offer = waiting.wish.offer
    with buyer.taking_up() as taking:
        eventually(is_open(waiting))
        with taking.lent(offer) as ended:
            assert ended is None
            Acquisition.open(waiting.folder).close()
            # Nor is it taken up while it is lent, whatever else wakes whom.
            with taking.lent(b"\1" * 32):
                pass
            Acquisition.open(waiting.folder).close()
        eventually(is_open(waiting))
        with taking.lent(offer):
            buyer.seller.has_no_time = False
            assert buyer.goal(offer) is End.BOUGHT
        with taking.lent(offer):
            assert buyer.goal(offer) is End.BOUGHT
        eventually(lambda: not taking.open)


def test_who_ends_it_stops_wherever_it_waits(buyer: Buyer) -> None:
    waiting = buyer.locked()
    for _ in range(2):
        with buyer.taking_up():
            eventually(is_open(waiting))
        assert not Acquisition.is_open(waiting.folder)
    buyer.seller.has_no_time = False
    with buyer.taking_up():
        comes_to(waiting, Closed)


def test_a_chain_that_is_away_is_tried_again(
    buyer: Buyer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quipu_nodes")
    waiting = buyer.locked()
    buyer.seller.has_no_time, buyer.is_cut_off = False, True
    name = f"the purchase of {waiting.wish.offer.hex()[:8]}"
    with buyer.taking_up() as taking:
        tried = f"{name} is tried again: no engine serves the chain"
        eventually(lambda: taking.open == (tried,))
        assert tried in caplog.text
        buyer.is_cut_off = False
        comes_to(waiting, Closed)
        eventually(lambda: not taking.open)
    assert caplog.text.count("going on with") == caplog.text.count("is over: bought") == 1


def test_a_goal_hears_how_it_ended_while_it_asked(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting = buyer.locked()
    going, go_on = threading.Event(), taking_up.go_on

    def until_asked_for(*arguments: Any) -> Any:
        *others, cancelled = arguments
        going.set()
        eventually(cancelled)
        return go_on(*others, NOW)

    monkeypatch.setattr(taking_up, "go_on", until_asked_for)
    buyer.seller.has_no_time = False
    with buyer.taking_up() as taking:
        assert going.wait(60.0)
        with taking.lent(waiting.wish.offer) as ended:
            assert ended is not None
            assert (ended.end, ended.folder) == (End.BOUGHT, waiting.folder)


def test_what_only_its_seller_can_mend_is_tried_until_the_sale_is_over(
    buyer: Buyer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quipu_nodes")
    waiting = buyer.locked()
    buyer.seller.has_no_time = False
    buyer.seller.tend()
    # The disk has lost what came, and the seller is away.
    (waiting.folder / "purchase" / "masked").write_bytes(b"")
    buyer.seller.is_away = True
    buyer.asked = 0
    with buyer.taking_up() as taking:
        eventually(lambda: buyer.asked >= 3)
        assert "left to a goal" not in caplog.text
        buyer.world.pass_blocks(SELLING.complaint_blocks + 1)
        eventually(lambda: "left to a goal" in caplog.text)
        assert ["left to a goal" in line for line in taking.open] == [True]
        asked = buyer.asked
    assert buyer.asked == asked
    assert caplog.text.count("going on with") == 1
    assert caplog.text.count("is tried again") == 1
    buyer.seller.is_away = False
    assert buyer.goal(waiting.wish.offer) is End.BOUGHT


@pytest.mark.parametrize("left", [Bought, Closed])
def test_what_is_paid_for_comes_into_the_home_and_its_rest_back(
    buyer: Buyer, left: type, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quipu_nodes")
    root = buyer.world.home("buyers.example/r1")
    buyer.streams(at_home(root))
    pool = buyer.world.pool
    waiting = buyer.paid_for(left)
    with buyer.taking_up() as taking:
        comes_to(waiting, Kept)
        eventually(lambda: not taking.open)
    state = Acquisition.look(waiting.folder)[1]
    assert isinstance(state, Kept)
    fee = buyer.world.proven.parameters.min_fee  # of the payment that funded it
    assert buyer.world.pool == pool - state.spent - fee
    assert state.grant.price <= state.spent < state.funded
    with open_home(root) as home:
        assert home.experiences.record(state.record_id).index == state.index
    assert caplog.text.count("which is paid for") == caplog.text.count("is over: kept") == 1
    # Once it is there, nobody looks at it again.
    caplog.clear()
    another = buyer.paid_for(Bought)
    with buyer.taking_up():
        comes_to(another, Kept)
    assert caplog.text.count("which is paid for") == 1


def test_without_a_home_what_is_closed_is_over(
    buyer: Buyer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quipu_nodes")
    buyer.streams(None)
    offer = buyer.world.offered().offer
    assert buyer.goal(offer, Mode.STREAM) is End.BOUGHT
    waiting = buyer.paid_for(Bought)
    with buyer.taking_up():
        comes_to(waiting, Closed)
    assert caplog.text.count("going on with") == 1


def test_what_a_home_does_not_take_is_left_to_a_goal(
    buyer: Buyer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quipu_nodes")
    root, tries = buyer.world.home("buyers.example/r1"), []

    def full() -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise StorageError("the disk is full")
        return open_home_to_write(root)

    buyer.streams(full)
    waiting = buyer.paid_for(Closed)
    name = f"the purchase of {waiting.wish.offer.hex()[:8]}"
    with buyer.taking_up() as taking:
        eventually(lambda: taking.open == (f"{name} is left to a goal: the disk is full",))
        with taking.lent(waiting.wish.offer):
            assert len(tries) == 1
            assert buyer.goal(waiting.wish.offer, Mode.STREAM) is End.KEPT
        assert not taking.open


def test_what_was_erased_stays_out_of_the_home(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="quipu_nodes")
    buyer.streams(at_home(buyer.world.home("buyers.example/r1")))
    erased = buyer.paid_for(Closed)
    for name in ("files", "deed"):
        remove_folder(erased.folder / name)
    rounds, look = [], buyer.shelf.all
    monkeypatch.setattr(buyer.shelf, "all", lambda: rounds.append(1) or look())
    with buyer.taking_up() as taking:
        for number in (1, 2):
            eventually(lambda number=number: len(rounds) >= number)
            with taking.lent(b"\1" * 32):
                pass
        eventually(lambda: len(rounds) >= 3)
    assert "going on with" not in caplog.text


def test_what_somebody_else_has_open_is_tried_again(buyer: Buyer) -> None:
    buyer.streams(at_home(buyer.world.home("buyers.example/r1")))
    waiting = buyer.paid_for(Closed)
    opened = Acquisition.open(waiting.folder)
    with buyer.taking_up() as taking:
        eventually(lambda: [line for line in taking.open if "is tried again: process" in line])
        opened.close()
        comes_to(waiting, Kept)
