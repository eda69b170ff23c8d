"""Comparing speeds on a machine that is never quite quiet.

Who is compared takes turns, A B A B, so that a busy neighbour slows both. A ratio is
the median of the ratios of the turns, at least `MIN_ROUNDS` of them; it does not care for
one bad turn. Every turn starts with Python's garbage collected, and none runs without
the collector.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from time import perf_counter

MIN_ROUNDS = 3


def seconds_of(work: Callable[[], object]) -> float:
    """How long ``work`` takes, in seconds of wall time."""
    gc.collect()
    start = perf_counter()
    work()
    return perf_counter() - start


def take_turns(
    rounds: int, one_round: Callable[[int], Mapping[str, float]]
) -> dict[str, list[float]]:
    """Run ``one_round``, which lets every side have its turn; what each side took, in order."""
    taken: dict[str, list[float]] = {}
    for number in range(rounds):
        for name, seconds in one_round(number).items():
            taken.setdefault(name, []).append(seconds)
    return taken


def add_up(turns: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The seconds of many short turns, added up side by side."""
    total: dict[str, float] = {}
    for turn in turns:
        for name, seconds in turn.items():
            total[name] = total.get(name, 0.0) + seconds
    return total


def ratios(above: Sequence[float], below: Sequence[float]) -> list[float]:
    """One ratio a turn."""
    return [a / b for a, b in zip(above, below, strict=True)]


def mid(values: Sequence[float]) -> float:
    """The median."""
    return float(median(values))
