"""Who is inside a store, so that its map can be moved when nobody is.

Resizing LMDB's map ends every transaction of the process. A thread that must
resize waits here until the others have left, and keeps new ones out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.errors import StorageError


class Turnstile:
    """Counts the transactions of each thread of one process."""

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.Lock())
        self._inside: dict[int, int] = {}
        self._resizing = 0
        self._writer = threading.Lock()
        self._writer_thread = 0

    def enter(self) -> None:
        """Begin to read; waits while another thread resizes."""
        me = threading.get_ident()
        with self._changed:
            while self._resizing and me not in self._inside and self._writer_thread != me:
                self._changed.wait()
            self._inside[me] = self._inside.get(me, 0) + 1

    def leave(self) -> None:
        """End a read begun by this thread."""
        me = threading.get_ident()
        with self._changed:
            depth = self._inside[me] - 1
            if depth:
                self._inside[me] = depth
            else:
                del self._inside[me]
                if self._resizing:
                    self._changed.notify_all()

    def start_writing(self) -> None:
        """Become the one thread that writes. Raises StorageError inside a transaction."""
        me = threading.get_ident()
        if me in self._inside or self._writer_thread == me:
            raise StorageError("a thread cannot write inside a transaction of its own")
        self._writer.acquire()
        self._writer_thread = me

    def stop_writing(self) -> None:
        """Let another thread write."""
        self._writer_thread = 0
        self._writer.release()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other thread has a transaction, and keep them out."""
        me = threading.get_ident()
        with self._changed:
            mine = self._inside.pop(me, 0)
            if mine > 1:
                self._inside[me] = mine
                raise StorageError(
                    "the map grew under a thread that is already reading",
                    hint="close the outer snapshot and open it again",
                )
            self._resizing += 1
            self._changed.notify_all()
            while self._inside:
                self._changed.wait()
            try:
                yield
            finally:
                self._resizing -= 1
                if mine:
                    self._inside[me] = mine
                self._changed.notify_all()
