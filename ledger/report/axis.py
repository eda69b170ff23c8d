"""A time axis: where its ticks stand, and what is written under them. Whole numbers only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ledger.report.words import moment

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400
_STEPS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(60 * each for each in (1, 2, 5, 10, 15, 30)),
    *(3_600 * each for each in (1, 2, 3, 6, 12)),
    *(_DAY * each for each in (1, 2, 7, 14, 30, 91, 182, 365, 730, 1_825, 3_650)),
)
"""Seconds between two ticks."""
_MOST: Final = 6
"""Ticks beside the first."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``first_ns`` to ``last_ns`` on pixels ``left`` to ``right``."""

    first_ns: int
    last_ns: int
    left: int
    right: int

    def at(self, time_ns: int) -> str:
        """The x of a time, in pixels with one decimal; in the middle where all is one moment."""
        span = self.last_ns - self.first_ns
        tenths = (self.right - self.left) * 10
        place = tenths * (time_ns - self.first_ns) // span if span > 0 else tenths // 2
        place = self.left * 10 + min(max(place, 0), tenths)
        return f"{place // 10}.{place % 10}"

    def ticks(self) -> Iterator[tuple[int, str]]:
        """Times that are whole in some unit, with the words for each."""
        span = max(1, (self.last_ns - self.first_ns) // _SECOND)
        step = next((each for each in _STEPS if span <= each * _MOST), -(-span // _MOST))
        first = -(-self.first_ns // (step * _SECOND)) * step
        for time_s in range(first, self.last_ns // _SECOND + 1, step):
            yield time_s * _SECOND, _words(time_s, step)


def _words(time_s: int, step: int) -> str:
    # "2026-11-30 07:05:09 UTC"
    whole = moment(time_s * _SECOND)
    if step >= _DAY:
        return whole[:10]
    return whole[11:19] if step < 60 else whole[11:16]
