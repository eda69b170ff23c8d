"""Checkpoints that arrive by themselves, each followed until something can be said of it.

What a witness hears may come from anybody, at any time, and before the place that
could prove it answers. So a checkpoint is kept if its log signed it, and is brought to
the follower with growing pauses until it ends in an outcome that stands. Where its
proofs are said to be is not believed either: every place that was named is tried.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, TypeVar

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import LedgerError, StorageError
from ledger.note import SignedNote
from ledger.witnessing.follower import Follower, Older, Outcome, Refusal, Refused
from ledger.witnessing.proof_source import ProofSource

T = TypeVar("T")

MAX_WAITING: Final = 4
"""Checkpoints of one log that may wait; of more the newest count."""

MAX_PLACES: Final = 4
"""Places that are tried for one checkpoint; of more those named last."""

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 60.0
_OLD_PAUSE_S: Final = 16.0
"""With so long a pause an old checkpoint that nobody could prove is left alone."""

_SETTLED: Final = 32
_MAY_CHANGE: Final = {Refusal.NO_PROOF, Refusal.WRONG_PROOF, Refusal.BUSY}


@dataclass(slots=True)
class _Waiting:
    note: bytes
    places: OrderedDict[str, None] = field(default_factory=OrderedDict)
    pause_s: float = FIRST_PAUSE_S
    not_before_s: float = 0.0


@dataclass(slots=True)
class _Log:
    """What is known of one log's checkpoints, by their texts."""

    waiting: OrderedDict[str, _Waiting] = field(default_factory=OrderedDict)
    settled: OrderedDict[str, None] = field(default_factory=OrderedDict)


class Watch:
    """Brings checkpoints to ``follower``; ``source_at`` finds the proofs at a named place.

    `offer` may be called from any thread, `work` from one.
    """

    def __init__(
        self,
        follower: Follower,
        source_at: Callable[[str], ProofSource],
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._follower = follower
        self._source_at = source_at
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._logs: dict[str, _Log] = {}
        self.failure = ""
        """Why this witness's own store could not be used at the last try; empty if it could."""

    @property
    def waiting(self) -> int:
        """How many checkpoints wait for an outcome."""
        with self._lock:
            return sum(len(log.waiting) for log in self._logs.values())

    def offer(self, note: bytes, place: str) -> bool:
        """Take a checkpoint in whose proofs are said to be at ``place``.

        False for one that is no checkpoint of a followed log, or was dealt with before.
        """
        try:
            text = SignedNote.parse(note).text
            origin = Checkpoint.parse(text).origin
            keys = self._follower.keys_of(origin)
            with self._lock:
                log = self._logs.get(origin)
                if not keys or (log is not None and text in log.settled):
                    return False
            open_checkpoint(note, keys)
        except LedgerError:
            return False
        with self._lock:
            log = self._logs.setdefault(origin, _Log())
            waiting = log.waiting.setdefault(text, _Waiting(bytes(note)))
            log.waiting.move_to_end(text)
            if place not in waiting.places:
                waiting.not_before_s = 0.0  # there may be an answer now
            waiting.places[place] = None
            waiting.places.move_to_end(place)
            _keep_newest(waiting.places, MAX_PLACES)
            _keep_newest(log.waiting, MAX_WAITING)
        return True

    def work(self) -> Iterator[Outcome]:
        """Follow every checkpoint that is due; the outcomes that stand."""
        now = self._monotonic()
        with self._lock:
            due = [
                (log, text, waiting)
                for log in self._logs.values()
                for text, waiting in log.waiting.items()
                if waiting.not_before_s <= now
            ]
        for log, text, waiting in due:
            outcome = self._follow(waiting)
            with self._lock:
                if outcome is None:
                    waiting.not_before_s = self._monotonic() + waiting.pause_s
                    waiting.pause_s = min(2 * waiting.pause_s, LONGEST_PAUSE_S)
                else:
                    log.waiting.pop(text, None)
                    log.settled[text] = None
                    _keep_newest(log.settled, _SETTLED)
            if outcome is not None:
                yield outcome

    def wait_s(self) -> float | None:
        """Seconds until something is due; None while nothing waits."""
        with self._lock:
            times = [w.not_before_s for log in self._logs.values() for w in log.waiting.values()]
        return max(0.0, min(times) - self._monotonic()) if times else None

    def _follow(self, waiting: _Waiting) -> Outcome | None:
        with self._lock:
            places = tuple(reversed(waiting.places))
        older: Older | None = None
        for place in places:
            try:
                outcome = self._follower.receive(waiting.note, self._source_at(place))
                self.failure = ""
            except StorageError as error:
                self.failure = error.message
                return None
            if isinstance(outcome, Older) and not outcome.proven:
                older = outcome  # or the other side of a fork, which some place can prove
            elif not isinstance(outcome, Refused) or outcome.refusal not in _MAY_CHANGE:
                return outcome
        return older if waiting.pause_s >= _OLD_PAUSE_S else None


def _keep_newest(items: OrderedDict[str, T], most: int) -> None:
    while len(items) > most:
        items.popitem(last=False)
