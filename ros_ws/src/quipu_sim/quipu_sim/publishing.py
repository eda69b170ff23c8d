"""The simulation's channels as ROS publishers, of messages that are serialised already.

Paced, a publisher keeps what the contract says, or two seconds if that is more: so long
may a message that got lost be sent again. Unpaced, it keeps everything until all
reliable subscribers have it; the middleware holds some thousands of messages a topic, and
beyond that the simulation waits. So it runs as fast as it is heard. A subscriber that was
killed holds it up until the middleware notices, some 20 s; whoever does not answer for
`PATIENCE` loses messages, and they are counted.
"""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from rclpy.duration import Duration
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from quipu_sim.contract import Durability, Quality, Reliability, Scope
from quipu_sim.streams import Channel

KEPT: Final = 2.0  # s of messages that a publisher keeps at least
PATIENCE: Final = 30.0  # s that an unpaced simulation waits for one message to be taken

_RELIABILITY = {
    Reliability.RELIABLE: ReliabilityPolicy.RELIABLE,
    Reliability.BEST_EFFORT: ReliabilityPolicy.BEST_EFFORT,
}
_DURABILITY = {
    Durability.VOLATILE: DurabilityPolicy.VOLATILE,
    Durability.TRANSIENT_LOCAL: DurabilityPolicy.TRANSIENT_LOCAL,
}


def message_type(name: str) -> Any:
    """The class of a message type, say ``nav_msgs/msg/Odometry``.

    Raises `ImportError` when its package is not installed.
    """
    package, _, kind = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), kind)


def profile(quality: Quality, *, least: int = 0, keep_all: bool = False) -> QoSProfile:
    """A quality of the contract as ROS has it, with room for ``least`` messages or for all."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_ALL if keep_all else HistoryPolicy.KEEP_LAST,
        depth=max(least, quality.depth),
        reliability=_RELIABILITY[quality.reliability],
        durability=_DURABILITY[quality.durability],
    )


class Publishers:
    """A publisher for each channel; `send` is what a simulation wants."""

    def __init__(
        self,
        node: Any,
        channels: Sequence[Channel],
        *,
        paced: bool,
        clock_limit: float,
        stopping: Callable[[], bool],
    ) -> None:
        """Make them; at most ``clock_limit`` messages a second of the wall go to /clock."""
        self._channels = channels
        self._publishers = [
            node.create_publisher(
                message_type(channel.topic.type),
                channel.name,
                profile(
                    channel.topic.quality,
                    least=math.ceil(KEPT * channel.topic.rate),
                    keep_all=not paced and channel.topic.quality.durability is Durability.VOLATILE,
                ),
            )
            for channel in channels
        ]
        names = [channel.name for channel in channels]
        self._clock = names.index("/clock")
        self._clock_pause = 1.0 / clock_limit
        self._clock_due = 0.0
        self._stopping = stopping
        self._sent = [0] * len(channels)
        self.unsent = 0

    @property
    def sent(self) -> dict[str, int]:
        """How many messages went to each topic."""
        return {
            channel.name: sent for channel, sent in zip(self._channels, self._sent, strict=True)
        }

    def send(self, channel: int, data: bytes | bytearray) -> None:
        """Publish a serialised message."""
        if channel == self._clock and not self._clock_is_due():
            return
        message = bytes(data)
        try:
            self._publishers[channel].publish(message)
        except rclpy_implementation.RCLError:
            if not self._insist(channel, message):
                self.unsent += 1
                return
        self._sent[channel] += 1

    def missing_readers(self, wanted: int) -> list[str]:
        """The robots' topics with fewer than ``wanted`` subscribers."""
        return [
            channel.name
            for channel, publisher in zip(self._channels, self._publishers, strict=True)
            if channel.topic.of is not Scope.WORLD and publisher.get_subscription_count() < wanted
        ]

    def heard(self, robot: str) -> bool:
        """Whether all reliable subscribers have what was sent on a robot's topics."""
        return all(
            publisher.wait_for_all_acked(Duration(seconds=0))
            for channel, publisher in zip(self._channels, self._publishers, strict=True)
            if channel.robot == robot
        )

    def flush(self, seconds: float) -> bool:
        """Wait until all reliable subscribers have everything; whether they have."""
        end = time.monotonic() + seconds
        return all(
            publisher.wait_for_all_acked(Duration(seconds=max(0.0, end - time.monotonic())))
            for publisher in self._publishers
        )

    def _clock_is_due(self) -> bool:
        now = time.monotonic()
        if now < self._clock_due:
            return False
        # Due times keep their pace, so that a late message does not make the next one late.
        self._clock_due = max(self._clock_due + self._clock_pause, now - self._clock_pause)
        return True

    def _insist(self, channel: int, data: bytes) -> bool:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and not self._stopping():
            try:
                # It waits by itself for a while.
                self._publishers[channel].publish(data)
            except rclpy_implementation.RCLError:
                continue
            return True
        return False
