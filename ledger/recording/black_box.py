"""The last messages in memory, for the moment when something goes wrong."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import Enum

from ledger.recording.message_queue import MESSAGE_OVERHEAD
from ledger.recording.segment import Message
from ledger.recording.settings import BlackBoxSettings


class TriggerOutcome(Enum):
    """What came of a trigger."""

    WRITTEN = "written"
    """What was kept is being written, and what follows."""
    RATE_LIMITED = "rate_limited"
    """Too soon after the last one: nothing is written."""
    RECORDING = "recording"
    """A segment is being recorded already; it holds what happens."""
    EMPTY = "empty"
    """No message is kept, or there is no black box."""


class BlackBox:
    """Messages of the last seconds, within a number of bytes. One thread at a time."""

    def __init__(
        self, settings: BlackBoxSettings, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._kept: deque[tuple[float, Message]] = deque()
        self._bytes = 0
        self._last_trigger: float | None = None

    @property
    def bytes(self) -> int:
        """Bytes in memory."""
        return self._bytes

    def add(self, now: float, message: Message) -> None:
        """Keep a message that came in about ``now``, by the monotonic clock."""
        self._kept.append((now, message))
        self._bytes += len(message[3]) + MESSAGE_OVERHEAD
        self._forget(now)

    def clear(self) -> None:
        """Forget everything."""
        self._kept.clear()
        self._bytes = 0

    def trigger(self) -> tuple[TriggerOutcome, list[Message]]:
        """Take out what is kept, unless that was done a short while ago."""
        now = self._clock()
        last = self._last_trigger
        if last is not None and now - last < self._settings.min_interval_s:
            return TriggerOutcome.RATE_LIMITED, []
        self._forget(now)
        messages = [message for _, message in self._kept]
        if not messages:
            return TriggerOutcome.EMPTY, []
        self._last_trigger = now
        self.clear()
        return TriggerOutcome.WRITTEN, messages

    def _forget(self, now: float) -> None:
        oldest, kept = now - self._settings.seconds, self._kept
        while kept and (kept[0][0] < oldest or self._bytes > self._settings.max_bytes):
            _, message = kept.popleft()
            self._bytes -= len(message[3]) + MESSAGE_OVERHEAD
