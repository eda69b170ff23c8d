"""The queue between who receives messages and who writes them: bounded in bytes, never silent.

A message that finds no room is refused and counted. Orders travel in the same queue, so
that they take effect between the right two messages; they always find room.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Final, TypeAlias

from ledger.recording.segment import Message

Order: TypeAlias = Callable[[], None]

MESSAGE_OVERHEAD: Final = 200
"""Bytes that a queued message takes beside its own."""

_URGENT_BYTES: Final = 4 << 20
_URGENT_SHARE: Final = 4


class MessageQueue:
    """Any thread puts, one takes. What was taken keeps its room until it is released."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._urgent = min(_URGENT_BYTES, max_bytes // _URGENT_SHARE)
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._items: deque[Message | Order] = deque()
        self._put_bytes = 0
        self._released_bytes = 0
        self._taken_bytes = 0
        self._idle = True
        self._received = 0
        self._refused: dict[int, int] = {}
        self.closing = False
        """Whether no more orders are taken."""

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait, with those taken and not released."""
        return self._put_bytes - self._released_bytes

    @property
    def received(self) -> int:
        """Messages put in so far, refused ones left out."""
        return self._received

    def refused(self) -> dict[int, int]:
        """Messages that found no room, by channel."""
        with self._lock:
            return dict(self._refused)

    def put(self, message: Message) -> bool:
        """Add a message; False where there is no room: it is counted and gone.

        A message longer than the whole queue may go in when nothing else waits.
        """
        size = len(message[3]) + MESSAGE_OVERHEAD
        with self._lock:
            waiting = self._put_bytes - self._released_bytes
            if waiting + size > self._max_bytes and waiting:
                channel = message[0]
                self._refused[channel] = self._refused.get(channel, 0) + 1
                return False
            self._put_bytes += size
            self._received += 1
            self._items.append(message)
        if (self._idle or waiting > self._urgent) and not self._wake.is_set():
            self._wake.set()
        return True

    def order(self, order: Order) -> None:
        """Add an order behind the messages so far; who takes is woken."""
        with self._lock:
            self._items.append(order)
        self._wake.set()

    def wait(self, seconds: float, *, idle: bool) -> None:
        """Wait until there is much to do, or an order; ``idle``: until there is anything."""
        self._idle = idle
        if not (idle and self._items):
            self._wake.wait(seconds)
        self._wake.clear()

    def take(self) -> deque[Message | Order]:
        """Everything that waits; messages keep their room until `release`."""
        with self._lock:
            items, self._items = self._items, deque()
            self._taken_bytes = self._put_bytes
        return items

    def release(self) -> None:
        """What was taken last is done."""
        self._released_bytes = self._taken_bytes
