"""Reading from a socket until a moment, not for a while: bytes that drip in do not extend it."""

from __future__ import annotations

import io
import socket
import time
from typing import Any


class DeadlineReader(io.RawIOBase):
    """The receiving side of a socket.

    Reads raise ``TimeoutError`` past the deadline, and ``OverflowError`` once more than
    ``budget`` bytes were asked for; both are set by `allow`.
    """

    def __init__(self, connection: socket.socket) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = 0.0
        self._budget = 0

    def allow(self, seconds: float, budget: int) -> None:
        """Allow ``budget`` further bytes within ``seconds`` from now."""
        self._deadline = time.monotonic() + seconds
        self._budget = budget

    @property
    def seconds_left(self) -> float:
        """Until the deadline; raises ``TimeoutError`` when there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("out of time")
        return left

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        if self._budget <= 0:
            raise OverflowError("more bytes than allowed")
        self._connection.settimeout(self.seconds_left)
        view = memoryview(buffer)[: self._budget]
        received = self._connection.recv_into(view)
        self._budget -= received
        return received
