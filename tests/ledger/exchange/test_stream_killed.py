"""Kill both ends of a stream anywhere: nobody loses more than one chunk, and all goes on."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.exchange.messages import Reply
from ledger.exchange.purchase import Purchase
from ledger.exchange.transport import buy
from ledger.wallet.payer import PayerOpen, PayWordOffer
from ledger.wallet.wallet import Wallet
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError, kill_at_call
from tests.ledger.exchange.stream_process import CONTENT, PRICE, UNITS, Ends, left, prepare, trade
from tests.ledger.exchange.stream_world import StreamWorld

# Python 3.12 warns of forks beside threads; other tests may have left some waiting.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

MOST_LIVES = 300
MODES = {"vouchers": None, "links": PayWordOffer(unit=PRICE, count=UNITS)}


def heard(said: int) -> dict[str, int]:
    data = b""
    while part := os.read(said, 1 << 16):
        data += part
    most = {"paid": 0, "given": 0, "kept": 0}
    for line in data.split(b"\n")[:-1]:
        word, number = line.decode().split(" ")
        most[word] = max(most[word], int(number))
    return most


def examine(root: Path, most: dict[str, int]) -> None:
    """Hold what is on disk to what was said before the end."""
    paid, earned, kept = left(root)
    assert earned >= most["given"], "the seller gave what it has not earned"
    assert paid >= most["paid"], "the buyer forgot a payment"
    assert kept >= most["kept"], "the buyer forgot a unit it had checked"
    assert earned <= paid <= kept + 1 <= UNITS + 1, "more than one chunk is at risk"


def finish(root: Path, offer: PayWordOffer | None) -> None:
    reader, writer = os.pipe()
    try:
        trade(root, offer, writer)
    finally:
        os.close(writer)
    examine(root, heard(reader))
    os.close(reader)
    assert left(root) == (UNITS, UNITS, UNITS), "something was paid twice, or not at all"
    assert (root / "bought" / "content").read_bytes() == CONTENT


@pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine")
@pytest.mark.parametrize("mode", MODES)
def test_sigkill_at_changing_calls(tmp_path: Path, mode: str) -> None:
    """From the first request to the last unit: every third write, sync and rename.

    One mode of payment takes the first of three, the other the second.
    """
    offer, first = MODES[mode], 1 + (mode == "links")
    prepare(tmp_path / "begun", offer)
    for kth in range(first, 400, 3):
        root = tmp_path / str(kth)
        shutil.copytree(tmp_path / "begun", root)
        reader, writer = os.pipe()
        try:
            status, seen = kill_at_call(
                lambda root=root, writer=writer: trade(root, offer, writer),  # type: ignore[misc]
                kth,
            )
        except TraceError as error:
            pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
        finally:
            os.close(writer)
        most = heard(reader)
        os.close(reader)
        examine(root, most)
        finish(root, offer)
        shutil.rmtree(root)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert kth > 30
            return
    pytest.fail(f"the sale made {seen} calls")


def test_sigkill_at_any_time(tmp_path: Path) -> None:
    """At moments of the time that a whole sale takes here, until several lives ended so."""
    chance, deaths = random.Random("stream"), 0
    whole_s = lived(tmp_path / "whole", None)[1]
    for turn in range(MOST_LIVES):
        # Some sales are killed again and again, some end with the first life.
        root = tmp_path / str(turn // 3)
        status, _ = lived(root, chance.uniform(0, whole_s))
        deaths += os.WIFSIGNALED(status)
        if turn % 3 == 2:
            finish(root, None)
            if deaths >= 6:
                return
    pytest.fail(f"only {deaths} of {MOST_LIVES} lives were ended")


def lived(root: Path, kill_after_s: float | None) -> tuple[int, float]:
    """Trade in a process of its own; how that ended, and how long it lived."""
    root.mkdir(exist_ok=True)
    reader, writer = os.pipe()
    start = time.monotonic()
    pid = os.fork()
    if not pid:
        os.close(reader)
        try:
            trade(root, None, writer)
        finally:
            os._exit(0)
    os.close(writer)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    seconds = time.monotonic() - start
    examine(root, heard(reader))
    os.close(reader)
    return status, seconds


class KilledError(Exception):
    """Where a process of the test ends."""


class Deadly:
    """A transport on which the k-th request, or its reply, is the last of one side."""

    def __init__(self, world: StreamWorld, kth: int, after: bool) -> None:
        self.world, self.kth, self.after = world, kth, after

    def ask(self, request: bytes) -> Reply:
        self.kth -= 1
        if not self.kth and not self.after:
            raise KilledError
        reply = self.world.ask(request)
        if not self.kth:
            raise KilledError
        return reply


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "reply lost"])
@pytest.mark.parametrize("side", ["buyer", "seller", "both"])
def test_either_end_dies_at_every_step(world: StreamWorld, side: str, after: bool) -> None:
    """At the opening, and at each of the six requests of a sale of five units."""
    world.begin()
    for kth in (1, 2, 2, 2, 3, 2, 2):
        with suppress(KilledError):
            buy(world.bought, world.alice, world.payer, Deadly(world, kth, after))
        assert world.earned <= world.paid <= (world.bought.kept + 1) * PRICE
        if side != "buyer":
            world.restart_seller()
        if side != "seller":
            world.begin()
    buy(world.bought, world.alice, world.payer, world.transport)
    assert world.received() == world.content
    assert world.paid == world.earned == 5 * PRICE


# A power cut takes what was not synced


@pytest.fixture
def cut(tmp_path: Path) -> Iterator[Path]:
    """A sale of which two units are through, and what the disk had before."""
    root = tmp_path / "now"
    root.mkdir()
    ends = Ends(root, None)
    before = tmp_path / "before"

    class TwoUnitsError(Exception):
        pass

    def told(kept: int) -> None:
        if kept == 2:
            raise TwoUnitsError

    class Wire:
        def ask(self, request: bytes) -> Reply:
            reply = ends.counter.answer(request)
            if not before.exists():
                shutil.copytree(root, before)
            return reply

    with pytest.raises(TwoUnitsError):
        buy(ends.purchase, ends.buyer, ends.payer, Wire(), told)
    ends.close()
    yield root
    finish(root, None)


@pytest.mark.parametrize("lost", ["buyer", "seller", "bought"])
def test_a_side_whose_last_writes_are_gone_goes_on(cut: Path, lost: str) -> None:
    """The other side shows what was paid, and gives again what is paid; nothing is paid twice."""
    shutil.rmtree(cut / lost)
    shutil.copytree(cut.parent / "before" / lost, cut / lost)


def test_units_whose_chunks_did_not_reach_the_disk_come_again(cut: Path) -> None:
    content = cut / "bought" / "content"
    data = bytearray(content.read_bytes())
    data[300_000] ^= 1  # of unit 1
    content.write_bytes(data)
    purchase = Purchase.open(cut / "bought")
    assert purchase.kept == 1
    purchase.close()


def test_a_torn_row_is_asked_for_again(cut: Path) -> None:
    units = cut / "bought" / "units"
    units.write_bytes(units.read_bytes()[:-5])
    purchase = Purchase.open(cut / "bought")
    assert purchase.kept == 1
    purchase.close()


def test_the_payer_that_resumes_pays_for_no_unit_twice(cut: Path) -> None:
    wallet = Wallet.open(cut / "buyer")
    payer = wallet.payer(wallet.channels()[0][0])
    assert isinstance(payer, PayerOpen)
    assert payer.paid == 2 * PRICE
    payer.release()
