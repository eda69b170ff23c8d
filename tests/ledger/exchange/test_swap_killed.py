"""Kill either end of an atomic sale anywhere: it goes on, or money goes back where it was.

What each side may lose is the design's: a buyer never both its price and the content, unless
it stays away while it could complain; a seller its deposit, if it stays away while a price is
locked, and nothing else.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.codes import ResultCode
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.messages import Reply
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_payment import BoughtSwap, LateComplaintError, ReturnedSwap
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.schema.chain_pb2 import TransactionBody
from ledger.wallet.wallet import Wallet
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError, kill_at_call
from tests.ledger.chain.rules.exchange_world import DEPOSIT, PRICE, ExchangeWorld
from tests.ledger.exchange.swap_process import ServedChain, trade
from tests.ledger.exchange.swap_world import CONTENT, Shelf, SwapWorld, cheating, keep_key

# Python 3.12 warns of forks beside threads; the chain's answers come from one.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

ROYALTIES = 17 + 53
PAID = (PRICE - ROYALTIES, -PRICE)
CHEATED = (-DEPOSIT, DEPOSIT)
MOST_LIVES = 300


class Sold:
    """A sale whose ends live in children, one after the other, and whose chain lives here."""

    def __init__(self, root: Path, wrong: Sequence[int] = ()) -> None:
        self.root, self.wrong = root, wrong
        root.mkdir()
        if wrong:
            made = cheating(root, *wrong)
            self.served, self.shelf = ServedChain(made.world), made.shelf
        else:
            self.served, self.shelf = ServedChain(ExchangeWorld()), Shelf()
            keep_key(root / "seller", self.world.seller)
            keep_key(root / "buyer", self.world.buyer)

    @property
    def world(self) -> ExchangeWorld:
        return self.served.chain.world

    def live(self, end: socket.socket) -> None:
        """The child's whole life."""
        trade(self.root, end, self.world.grant, self.shelf)

    def examine(self) -> None:
        """After a death: no money is gone, and what was checked is here."""
        self.served.drain()
        seller, buyer = self.world.earned()
        assert (seller, buyer) in {(0, 0), (-DEPOSIT, 0), (-DEPOSIT, -PRICE), PAID, CHEATED}
        folder = self.root / "bought"
        if (folder / "purchase").exists():
            purchase = SwapPurchase.open(folder)
            opened, sale = purchase.opened.kept, purchase.sale
            purchase.close()
            assert sale is None or sale.key or not opened
            content = (folder / "opened" / "content").read_bytes()
            assert CONTENT.startswith(content[: opened << 18])

    def finish(self) -> None:
        """The next life is the last one, and leaves everything in order."""
        end = self.served.connect()
        ended = trade(self.root, end, self.world.grant, self.shelf)
        end.close()
        self.served.drain()
        if self.wrong:
            assert (ended, self.world.earned()) == ("ReturnedSwap", CHEATED)
        else:
            assert (ended, self.world.earned()) == ("BoughtSwap", PAID)
            assert (self.root / "bought" / "opened" / "content").read_bytes() == CONTENT


@pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine")
@pytest.mark.parametrize("wrong", [(), (1,)], ids=["honest", "cheat"])
def test_sigkill_at_changing_calls(tmp_path: Path, wrong: tuple[int, ...]) -> None:
    """From the first request to the settlement: every third write, sync and rename.

    An honest sale takes the first of three, a cheat's the second.
    """
    seen = 0
    for kth in range(1 + bool(wrong), 600, 3):
        sold = Sold(tmp_path / str(kth), wrong)
        end = sold.served.connect()
        try:
            status, seen = kill_at_call(partial(sold.live, end), kth)
        except TraceError as error:
            pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
        finally:
            end.close()
        sold.examine()
        sold.finish()
        shutil.rmtree(sold.root)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert kth > 30
            return
    pytest.fail(f"the sale made {seen} calls")


def test_sigkill_at_any_time(tmp_path: Path) -> None:
    """At moments of the time that a whole sale takes here, until several lives ended so."""
    chance, deaths = random.Random("swap"), 0
    whole_s = lived(Sold(tmp_path / "whole"), None)[1]
    sold = Sold(tmp_path / "0")
    for turn in range(MOST_LIVES):
        # Some sales are killed again and again, some end with the first life.
        status, _ = lived(sold, chance.uniform(0, whole_s))
        deaths += os.WIFSIGNALED(status)
        if turn % 3 == 2:
            sold.finish()
            if deaths >= 6:
                return
            sold = Sold(tmp_path / str(turn))
    pytest.fail(f"only {deaths} of {MOST_LIVES} lives were ended")


def lived(sold: Sold, kill_after_s: float | None) -> tuple[int, float]:
    """A sale in a process of its own; how that ended, and how long it lived."""
    end = sold.served.connect()
    start = time.monotonic()
    pid = os.fork()
    if not pid:
        try:
            sold.live(end)
        finally:
            os._exit(0)
    end.close()
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - start
    sold.examine()
    return status, seconds


# One side dies at one step, and the other goes on; it comes back at once, or much later


class KilledError(Exception):
    """Where a process of the test ends."""


class Mortal:
    """A chain, or a way to the seller, at whose k-th use one side dies."""

    def __init__(self, inner: Any, count: list[int], after: bool) -> None:
        self.inner, self.count, self.after = inner, count, after

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def submit(self, transaction: bytes, attachments: Sequence[bytes] = ()) -> ResultCode:
        return ResultCode(self._use(self.inner.submit, transaction, attachments))

    def submit_all(self, wallet: Wallet, bodies: Sequence[TransactionBody]) -> list[ResultCode]:
        codes: list[ResultCode] = self._use(self.inner.submit_all, wallet, bodies)
        return codes

    def ask(self, request: bytes) -> Reply:
        reply: Reply = self._use(self.inner.ask, request)
        return reply

    def _use(self, call: Any, *arguments: Any) -> Any:
        self.count[0] -= 1
        if not self.count[0] and not self.after:
            raise KilledError
        done = call(*arguments)
        if not self.count[0]:
            raise KilledError
        return done


class Story:
    """A sale in which ``side`` dies at its ``kth`` step and stays away so many blocks."""

    def __init__(self, world: SwapWorld, side: str, kth: int, after: bool, away: int) -> None:
        self.world, self.side, self.away = world, side, away
        self.count = [kth]
        self.back: int | None = None
        self.ended: BoughtSwap | ReturnedSwap | LateComplaintError | None = None
        if side == "seller":
            world.seller_chain = Mortal(world.chain, self.count, after)
            world.restart_seller()
        else:
            world.buyer_chain = Mortal(world.chain, self.count, after)
        self.way = Mortal(world, self.count, after)

    @property
    def died(self) -> bool:
        return self.back is not None

    def is_away(self, side: str) -> bool:
        return side == self.side and self.back is not None and self.world.chain.height() < self.back

    def ask(self, request: bytes) -> Reply:
        """What the buyer's transport does."""
        if self.side == "buyer" and not self.died:
            return self.way.ask(request)
        if self.is_away("seller"):
            raise ConnectionError
        try:
            return self.way.ask(request) if not self.died else self.world.ask(request)
        except KilledError:
            self._die()
            raise ConnectionError from None

    def wait(self, height: int) -> None:
        self._tend()
        self.world.pass_blocks(height + 1 - self.world.chain.height())

    def tell(self) -> None:
        """Until nothing is left to be done."""
        end = self.world.begin()
        for _ in range(60):
            if self.ended is None and not self.is_away("buyer"):
                try:
                    self.ended = swap(end, self, self.wait)
                except KilledError:
                    self._die()
                    self.world.buyer_chain = self.world.chain
                    end = self.world.begin()
                except LateComplaintError as late:
                    self.ended = late
                except (ConnectionError, SellerRefusedError):
                    pass  # the seller is away, or sells under this grant no more
            self._tend()
            self.world.pass_blocks(1)
            if self.ended is not None and not self.is_away(self.side):
                for _ in range(self.away + 12):
                    self._tend()
                    self.world.pass_blocks(1)
                return

    def _tend(self) -> None:
        if self.is_away("seller"):
            return
        try:
            self.world.counter.tend()
        except KilledError:
            self._die()

    def _die(self) -> None:
        self.back = self.world.chain.height() + self.away
        if self.side == "seller":
            self.world.seller_chain = self.world.chain
            self.world.restart_seller()


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "reply lost"])
@pytest.mark.parametrize("wrong", [(), (2,)], ids=["honest", "cheat"])
@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_a_side_that_dies_at_a_step_and_is_back_at_once(
    tmp_path: Path, side: str, wrong: tuple[int, ...], after: bool
) -> None:
    for kth in range(1, 60):
        story = told(tmp_path / str(kth), side, kth, after, away=1, wrong=wrong)
        if not story.died:
            assert kth > (8 if side == "buyer" else 3)
            return
        earned = story.world.world.earned()
        if wrong:
            assert (type(story.ended), earned) == (ReturnedSwap, CHEATED), kth
        else:
            assert (type(story.ended), earned) == (BoughtSwap, PAID), kth
            assert story.world.received() == CONTENT
    pytest.fail("no story without a death")


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "reply lost"])
@pytest.mark.parametrize("wrong", [(), (2,)], ids=["honest", "cheat"])
@pytest.mark.parametrize("side", ["buyer", "seller"])
def test_a_side_that_dies_and_stays_away_loses_what_the_design_says(
    tmp_path: Path, side: str, wrong: tuple[int, ...], after: bool
) -> None:
    seen = set()
    for kth in range(1, 60):
        story = told(tmp_path / str(kth), side, kth, after, away=45, wrong=wrong)
        if not story.died:
            break
        ended, earned = type(story.ended), story.world.world.earned()
        seen.add((ended, earned))
        if ended is BoughtSwap:
            assert not wrong
            assert earned == PAID
            assert story.world.received() == CONTENT
    nothing, bought = (ReturnedSwap, (0, 0)), (BoughtSwap, PAID)
    if side == "seller":
        # Away with a price locked: the deposit, to the buyer. A cheat loses it anyway.
        allowed = {nothing, (ReturnedSwap, CHEATED)} | (set() if wrong else {bought})
    elif wrong:
        # The buyer's one risk: it was not there to complain.
        allowed = {nothing, (ReturnedSwap, CHEATED), (LateComplaintError, PAID)}
    else:
        allowed = {nothing, bought}
    assert nothing in seen
    # What a buyer does last that can be lost is the lock.
    assert len(seen) > 1 or (side, after) == ("buyer", False)
    assert seen <= allowed


def told(root: Path, side: str, kth: int, after: bool, away: int, wrong: Sequence[int]) -> Story:
    root.mkdir()
    world = cheating(root, *wrong) if wrong else SwapWorld(root)
    story = Story(world, side, kth, after, away)
    story.tell()
    assert story.ended is not None
    world.leave()
    return story
