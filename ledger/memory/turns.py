"""Turns at writing: one thread at a time, served in the order in which they came.

A bare `threading.Lock` lets a thread that releases it take it again before those who
wait; a recorder that commits in a loop would keep a command waiting for ever.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ledger.errors import LedgerError, StorageError


class Turns:
    """Hands out turns. ``refusal`` says why, to those who gave up waiting."""

    def __init__(self, refusal: Callable[[], LedgerError]) -> None:
        self._refusal = refusal
        self._changed = threading.Condition(threading.Lock())
        self._waiting: deque[object] = deque()
        self._holder: int | None = None
        self._until_s: float | None = None
        self._closed = False

    @property
    def waiting(self) -> int:
        """How many threads wait."""
        return len(self._waiting)

    def set_patience(self, seconds: float | None) -> None:
        """Nobody waits beyond ``seconds`` from now, those who wait already included.

        With None everybody waits for ever, as at first.
        """
        with self._changed:
            self._until_s = None if seconds is None else time.monotonic() + seconds
            self._changed.notify_all()

    def close(self) -> None:
        """Hand out no more turns; those who wait are refused."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait_until_free(self) -> None:
        """Wait until nobody has a turn, to be called after `close`."""
        with self._changed:
            while self._holder is not None:
                self._changed.wait()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """A turn, for the length of the block.

        Raises what ``refusal`` says after the patience that was set or after `close`,
        and StorageError for a thread that has its turn already.
        """
        self._take()
        try:
            yield
        finally:
            with self._changed:
                self._holder = None
                self._changed.notify_all()

    def _take(self) -> None:
        me, ticket = threading.get_ident(), object()
        with self._changed:
            if self._holder == me:
                raise StorageError(
                    "a thread that writes the home asked to write it once more",
                    hint="leave the first block before entering the second",
                )
            self._waiting.append(ticket)
            try:
                while self._holder is not None or self._waiting[0] is not ticket:
                    left = self._left()
                    if self._closed or left <= 0:
                        raise self._refusal()
                    self._changed.wait(None if left == float("inf") else left)
                if self._closed:
                    raise self._refusal()
                self._holder = me
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def _left(self) -> float:
        return float("inf") if self._until_s is None else self._until_s - time.monotonic()
