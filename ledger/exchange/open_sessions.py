"""The sessions that a seller has open, few under each grant.

A session costs its buyer a signature and nothing else. So whoever opens many forgets its own:
a grant has the `MAX_OF_GRANT` that were used last, and another's buyer keeps what it has.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from ledger.exchange.session import Session

MAX_OF_GRANT: Final = 2
"""Kept under a grant: a buyer's own, and the one of its life before that it may go on with."""
MAX_SESSIONS: Final = 1_024
"""Kept at a time, half a megabyte of them: those of 512 grants at the least."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """What was agreed, and about what."""

    grant: bytes
    session: Session
    sale: bytes = b""
    """The id of an atomic sale; nothing for a stream."""


class OpenSessions:
    """In memory alone: whoever was forgotten, or asks after a restart, opens the same again.

    Any thread may ask.
    """

    def __init__(self) -> None:
        self._lock: Final = threading.Lock()
        self._open: Final[OrderedDict[bytes, OpenSession]] = OrderedDict()
        """By id; the one that was used last is last."""
        self._of_grant: Final[dict[bytes, list[bytes]]] = {}
        """Ids under each grant, in the same order."""

    def keep(self, opened: OpenSession) -> None:
        """Know a session; what is too many under its grant, or at all, is forgotten."""
        name = opened.session.session
        with self._lock:
            if name in self._open:
                self._drop(name)
            self._open[name] = opened
            names = self._of_grant.setdefault(opened.grant, [])
            names.append(name)
            if len(names) > MAX_OF_GRANT:
                self._drop(names[0])
            if len(self._open) > MAX_SESSIONS:
                self._drop(next(iter(self._open)))

    def find(self, name: bytes) -> OpenSession | None:
        """The session of an id, which was used just now; None for one that is not open."""
        with self._lock:
            found = self._open.get(name)
            if found is not None:
                self._open.move_to_end(name)
                names = self._of_grant[found.grant]
                names.remove(name)
                names.append(name)
            return found

    def knows(self, name: bytes) -> bool:
        """Whether a session of this id is open."""
        with self._lock:
            return name in self._open

    def forget(self, grant: bytes) -> None:
        """Forget those under a grant, with their keys."""
        with self._lock:
            for name in tuple(self._of_grant.get(grant, ())):
                self._drop(name)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._open.clear()
            self._of_grant.clear()

    def _drop(self, name: bytes) -> None:
        grant = self._open.pop(name).grant
        names = self._of_grant[grant]
        names.remove(name)
        if not names:
            del self._of_grant[grant]
