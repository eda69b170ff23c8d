"""Keeps simulated time to the time of the wall."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LONGEST_LAG: Final = 0.25  # s that are made up for; what is late beyond stays late


class Pacer:
    """Waits at the end of each tick until the next is due."""

    def __init__(
        self,
        period: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Begin now; ``period`` in seconds."""
        self._period = period
        self._clock = clock
        self._sleep = sleep
        self._due = clock() + period
        self.lost = 0.0
        """Seconds that the simulation fell behind for good."""

    def wait(self) -> None:
        """Return when the next tick is due, at once when it is late."""
        lag = self._clock() - self._due
        if lag < 0:
            self._sleep(-lag)
        elif lag > LONGEST_LAG:
            self._due += lag
            self.lost += lag
        self._due += self._period
