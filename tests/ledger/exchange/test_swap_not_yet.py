"""A seller that has no answer yet is asked again, whatever it was asked for."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from ledger.exchange import swap_buyer, swap_parts
from ledger.exchange.messages import Reason, Reply, encode_refused
from ledger.exchange.swap_cipher import Part
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_messages import SwapOpening, parse_swap_request
from ledger.exchange.swap_payment import BoughtSwap, ReturnedSwap
from tests.ledger.chain.rules.exchange_world import UNITS
from tests.ledger.exchange.swap_world import CONTENT, SwapWorld


def name_of(request: bytes) -> object:
    """What a request asks for."""
    ask = parse_swap_request(request)
    return "sale" if isinstance(ask, SwapOpening) else (ask.part, ask.index)


class Reluctant:
    """Answers each question the second time only, or from the ``never``-th on not at all."""

    def __init__(self, world: SwapWorld, never: int = 1_000) -> None:
        self.world, self.never = world, never
        self.asked: Counter[object] = Counter()
        self.waited = 0

    def ask(self, request: bytes) -> Reply:
        name = name_of(request)
        self.asked[name] += 1
        if self.asked[name] % 2 or len(self.asked) >= self.never:
            return encode_refused(Reason.NOT_YET)
        return self.world.ask(request)

    def wait(self, height: int) -> None:
        self.waited += 1
        self.world.wait(height)


def test_every_question_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (swap_buyer, swap_parts):
        monkeypatch.setattr(module, "PAGE_UNITS", 2)
    world = SwapWorld(tmp_path)
    reluctant = Reluctant(world)
    assert isinstance(
        swap(world.begin(), reluctant, lambda height: world.counter.tend()), BoughtSwap
    )
    assert world.received() == CONTENT
    pages = [(Part.LEAVES, page) for page in range(-(-UNITS // 2))]
    units = [(Part.UNIT, index) for index in range(UNITS)]
    # No page twice for another that was not there yet.
    assert {name: reluctant.asked[name] for name in (*pages, *units)} == dict.fromkeys(
        (*pages, *units), 2
    )


@pytest.mark.parametrize("never", [1, 2, 3])
def test_who_never_answers_is_left_in_the_end(tmp_path: Path, never: int) -> None:
    """Asked for the sale, for leaves, for a unit: the grant ends, and nothing was paid."""
    world = SwapWorld(tmp_path)
    reluctant = Reluctant(world, never)
    assert isinstance(swap(world.begin(), reluctant, reluctant.wait), ReturnedSwap)
    assert reluctant.waited
    world.finish_seller()
    assert world.world.earned() == (0, 0)
