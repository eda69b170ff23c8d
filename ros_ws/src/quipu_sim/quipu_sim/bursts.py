"""Messages held back for a moment, and then let go robot by robot.

A simulation that runs ten times as fast as the wall sends a message every few dozen
microseconds, to another robot's recorder each time: most of the work is then in waking
subscribers up. Several messages to each, one after the other, take a third of it off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from quipu_sim.streams import Channel

PERIOD: Final = 0.1  # s of simulated time


class Bursts:
    """`send` is what a simulation wants; `release` lets go of everything, in order.

    What belongs to the world comes first, so that nobody hears of a time that has not
    come; of several times, only the newest is told.
    """

    def __init__(self, channels: Sequence[Channel], send: Callable[[int, bytes], None]) -> None:
        self._send = send
        robots = dict.fromkeys(["", *(channel.robot for channel in channels)])
        held: dict[str, list[tuple[int, bytes]]] = {robot: [] for robot in robots}
        self._held = list(held.values())
        self._of_channel = [held[channel.robot] for channel in channels]
        self._clock = [channel.name for channel in channels].index("/clock")
        self._time: bytes | None = None

    def send(self, channel: int, data: bytearray) -> None:
        """Keep a copy of a message."""
        if channel == self._clock:
            self._time = bytes(data)
        else:
            self._of_channel[channel].append((channel, bytes(data)))

    def release(self) -> None:
        """Send everything that is held back."""
        if self._time is not None:
            self._send(self._clock, self._time)
            self._time = None
        for held in self._held:
            for channel, data in held:
                self._send(channel, data)
            held.clear()
