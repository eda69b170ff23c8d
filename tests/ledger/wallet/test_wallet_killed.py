"""Kill two ends of a channel anywhere: neither forgets what it showed, nor pays twice."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from ledger.wallet.payer import PayWordOffer
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError, kill_at_call
from tests.ledger.wallet.channel_writer import DEPOSIT, PAYMENT, left, pay, take_up

# Python 3.12 warns of forks beside threads; other tests may have left some waiting.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

MODES = {"vouchers": None, "links": PayWordOffer(unit=PAYMENT, count=2_000)}


def heard(said: int) -> dict[str, int]:
    """The highest total that was sent, and served; what follows the last newline was not."""
    data = b""
    while part := os.read(said, 1 << 16):
        data += part
    totals = {"sent": 0, "served": 0}
    for line in data.split(b"\n")[:-1]:
        word, total = line.decode().split(" ")
        totals[word] = int(total)
    return totals


def examine(root: Path, totals: dict[str, int]) -> tuple[int, int]:
    """Hold what the ends left behind to what they had shown."""
    paid, earned = left(root)
    assert totals["sent"] <= paid <= totals["sent"] + PAYMENT, "the payer forgot, or overspent"
    assert earned >= totals["served"], "the payee forgot what it served for"
    assert earned <= paid <= DEPOSIT
    return paid, earned


def resume(root: Path, offer: PayWordOffer | None) -> None:
    """The payment under way comes again, and is counted once."""
    payer, payee = take_up(root, offer)
    before, claim = payee.earned, payer.newest()
    if claim is not None:
        assert payee.accept(claim, 1).amount == payer.paid - before
    assert payee.earned == payer.paid
    assert payee.accept(payer.pay(PAYMENT), 1).amount == PAYMENT
    payer.release()
    payee.release()


@pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine")
@pytest.mark.parametrize("mode", MODES)
def test_sigkill_at_every_changing_call(tmp_path: Path, mode: str) -> None:
    """From no wallets over two payments: every write, sync and rename in turn."""
    offer = MODES[mode]
    for kth in range(1, 200):
        root = tmp_path / str(kth)
        root.mkdir()
        reader, writer = os.pipe()
        try:
            status, seen = kill_at_call(
                lambda root=root, writer=writer: pay(root, offer, writer, 2),  # type: ignore[misc]
                kth,
            )
        except TraceError as error:
            pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
        finally:
            os.close(writer)
        totals = heard(reader)
        os.close(reader)
        paid, earned = examine(root, totals)
        resume(root, offer)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert (paid, earned) == (2 * PAYMENT, 2 * PAYMENT)
            assert kth > 40
            return
    pytest.fail(f"two payments made {seen} calls")


@pytest.mark.parametrize("mode", MODES)
def test_sigkill_at_any_time(tmp_path: Path, mode: str) -> None:
    chance, deaths, paid = random.Random(mode), 0, 0
    totals = {"sent": 0, "served": 0}
    for _ in range(12):
        reader, writer = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(reader)
            try:
                pay(tmp_path, MODES[mode], writer, 10_000)
            finally:
                os._exit(0)
        os.close(writer)
        time.sleep(chance.uniform(0.005, 0.03))
        os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        deaths += os.WIFSIGNALED(status)
        new = heard(reader)
        os.close(reader)
        totals = {word: max(totals[word], new[word]) for word in totals}
        # A payment that had not left is one that was made: it comes again below.
        paid, _ = examine(tmp_path, totals)
        if paid > DEPOSIT - 20 * PAYMENT:
            break
        resume(tmp_path, MODES[mode])
        now = left(tmp_path)[0]
        totals = {"sent": now, "served": now}
    assert deaths > 1
    assert paid > 0
