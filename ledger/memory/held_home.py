"""A home as its owner has it open: to write, or only to read while it is lent.

LMDB can be open once in a process, and a store must not be closed under a thread
that reads it. So a change waits until nobody reads, and keeps new readers out for as
long as it takes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from ledger.errors import LedgerError, StorageError
from ledger.home import HomeReader, HomeWriter, open_home, open_home_to_write
from ledger.note import VerifierKey


class HeldHome:
    """One home, opened one way at a time. Changes are for one thread, readings for any."""

    def __init__(self, root: Path, keys: Sequence[VerifierKey] = ()) -> None:
        self._root = root
        self._keys = tuple(keys)
        self._changed = threading.Condition(threading.Lock())
        self._reading: dict[int, int] = {}
        self._changing = False
        self._open = ExitStack()
        self._home: HomeReader | None = None
        self._writer: HomeWriter | None = None

    @property
    def writer(self) -> HomeWriter | None:
        """The home, if it is open to write."""
        return self._writer

    def open_to_write(self) -> HomeWriter:
        """Open it as the log's writer, by the restart rule.

        Raises what `ledger.home.open_home_to_write` raises; then it is open to read, if
        it can be.
        """
        with self._alone():
            self._close()
            try:
                self._writer = self._open.enter_context(open_home_to_write(self._root, self._keys))
            except LedgerError:
                self._try_to_read()
                raise
            self._home = self._writer
            return self._writer

    def open_to_read(self) -> None:
        """Give the writer's lock back, and go on reading. Raises nothing."""
        with self._alone():
            self._close()
            self._try_to_read()

    def close(self) -> None:
        """Close it; a second call does nothing."""
        with self._alone():
            self._close()

    @contextmanager
    def reading(self) -> Iterator[HomeReader]:
        """The home to read from, which stays open for the length of the block.

        Raises StorageError when it is closed, or could not be opened.
        """
        me = threading.get_ident()
        with self._changed:
            while self._changing and me not in self._reading:
                self._changed.wait()
            home = self._home
            if home is None:
                raise StorageError(f"{self._root} is not open", hint="look at the owner's status")
            self._reading[me] = self._reading.get(me, 0) + 1
        try:
            yield home
        finally:
            with self._changed:
                self._reading[me] -= 1
                if not self._reading[me]:
                    del self._reading[me]
                    self._changed.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._changed:
            if threading.get_ident() in self._reading:
                raise StorageError("a thread cannot close a home that it reads")
            while self._changing:
                self._changed.wait()
            self._changing = True
            while self._reading:
                self._changed.wait()
        try:
            yield
        finally:
            with self._changed:
                self._changing = False
                self._changed.notify_all()

    def _try_to_read(self) -> None:
        try:
            self._home = self._open.enter_context(open_home(self._root))
        except LedgerError:
            self._home = None  # what is wrong shows when it is opened to write

    def _close(self) -> None:
        self._home = self._writer = None
        self._open.close()
