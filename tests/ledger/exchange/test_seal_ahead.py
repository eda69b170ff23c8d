"""What is sealed before it is asked for: the same bytes as ever, and none that may not leave."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.exchange.buyer import FetchingUnit, HeldUnit, PaidUnit
from ledger.exchange.counter import Counter
from ledger.exchange.messages import Reply, UnitReply, parse_reply
from ledger.exchange.transport import buy
from ledger.experience.erasure import erase
from tests.ledger.exchange.stream_world import StreamWorld
from tests.ledger.exchange.test_home_units import HomeWorld, sale
from tests.ledger.experience.experience_home import TestHome

__all__ = ["sale"]


class Resting:
    """A transport whose seller seals ahead after each reply."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.asked: list[tuple[bytes, Reply]] = []

    def ask(self, request: bytes) -> Reply:
        reply = self.counter.answer(request)
        self.asked.append((request, reply))
        self.counter.seal_ahead()
        return reply


@pytest.fixture
def world(tmp_path: Path) -> StreamWorld:
    """A stream that was not begun."""
    return StreamWorld(tmp_path)


def test_what_is_bought_is_the_same_and_so_is_each_reply(world: StreamWorld) -> None:
    world.begin()
    resting = Resting(world.counter)
    buy(world.bought, world.alice, world.payer, resting)
    assert world.received() == world.content
    for request, reply in resting.asked[1:]:  # the opening tells what is paid meanwhile
        assert world.counter.answer(request) == reply
    world.close()


def test_units_are_sealed_ahead_for_the_next_reply_alone(
    world: StreamWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is of use at all: a reply reads no content that was sealed ahead."""
    opening = world.begin()
    resting = Resting(world.counter)
    fetching = opening.receive(resting.ask(opening.request()))
    assert isinstance(fetching, FetchingUnit)
    held = fetching.receive(resting.ask(fetching.request()))
    assert isinstance(held, HeldUnit)
    units, read = world.units, []
    assert units is not None
    unit = units.unit
    monkeypatch.setattr(units, "unit", lambda index: read.append(index) or unit(index))
    request = held.pay().request()
    first = world.counter.answer(request)
    assert read == []
    assert world.counter.answer(request) == first
    assert read == [1]
    world.close()


def test_what_was_sealed_ahead_does_not_leave_once_it_is_erased(
    sale: tuple[HomeWorld, TestHome],
) -> None:
    world, home = sale
    opening = world.begin()
    resting = Resting(world.counter)
    fetching = opening.receive(resting.ask(opening.request()))
    assert isinstance(fetching, FetchingUnit)
    held = fetching.receive(resting.ask(fetching.request()))
    assert isinstance(held, HeldUnit)
    (record_id,) = [record_id for record_id, _ in home.writer.tables.states()]
    erase(home.writer, [record_id])
    paid = held.pay()
    assert isinstance(paid, PaidUnit)
    reply = parse_reply(world.counter.answer(paid.request()))
    # The secret of what was paid is given; of the next unit nothing.
    assert isinstance(reply, UnitReply)
    assert len(reply.secret) == 32
    assert (reply.sealed, reply.path) == (b"", ())
