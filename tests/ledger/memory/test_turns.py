"""Turns: one thread at a time, in the order in which they asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from ledger.errors import LedgerError, LockedError, StorageError
from ledger.memory.turns import Turns


def refusal() -> LedgerError:
    return LockedError("others have it")


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_first_come_first_served() -> None:
    turns = Turns(refusal)
    served: list[int] = []

    def take(number: int) -> None:
        with turns.taken():
            served.append(number)

    threads = []
    with turns.taken():
        for number in range(20):
            thread = threading.Thread(target=take, args=(number,))
            thread.start()
            threads.append(thread)
            wait_for(lambda number=number: turns.waiting == number + 1)  # type: ignore[misc]
    for thread in threads:
        thread.join(60)
    assert served == list(range(20))
    assert turns.waiting == 0


def test_one_at_a_time_and_nobody_starves() -> None:
    turns = Turns(refusal)
    inside = 0
    most = 0
    counts = [0] * 4
    stop = threading.Event()
    start = threading.Barrier(4)

    def work(number: int) -> None:
        nonlocal inside, most
        start.wait(60)
        while not stop.is_set():
            with turns.taken():
                inside += 1
                most = max(most, inside)
                counts[number] += 1
                inside -= 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: min(counts) >= 20)
    stop.set()
    for thread in threads:
        thread.join(60)
    assert most == 1


def test_not_twice_in_one_thread() -> None:
    turns = Turns(refusal)
    with turns.taken(), pytest.raises(StorageError, match="once more"), turns.taken():
        pass
    with turns.taken():
        pass


def test_patience_that_is_set_ends_waits_that_have_begun() -> None:
    turns = Turns(refusal)
    refused = threading.Event()

    def take() -> None:
        with pytest.raises(LockedError), turns.taken():
            pass
        refused.set()

    with turns.taken():
        thread = threading.Thread(target=take)
        thread.start()
        wait_for(lambda: turns.waiting == 1)
        assert not refused.wait(0.05)
        turns.set_patience(0.0)
        assert refused.wait(60)
        thread.join(60)
    with turns.taken():  # nobody is in the way: no patience is needed
        pass


def test_closing_refuses_those_who_wait_and_those_who_come() -> None:
    turns = Turns(refusal)
    errors: list[LedgerError] = []

    def take() -> None:
        try:
            with turns.taken():
                pass
        except LedgerError as error:
            errors.append(error)

    with turns.taken():
        thread = threading.Thread(target=take)
        thread.start()
        wait_for(lambda: turns.waiting == 1)
        turns.close()
        thread.join(60)
    take()
    assert [type(error) for error in errors] == [LockedError, LockedError]
    turns.wait_until_free()
