"""Cosignatures that arrive by themselves, put under one's own checkpoints in batches.

The counterpart of `ledger.witnessing.watching`, at the log: witnesses send what they
have signed, to whom it may concern. One durable write takes in all that came for one
checkpoint.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

from ledger.errors import MalformedError, NotFoundError, RefusedError, VerificationError
from ledger.note import MAX_NOTE_SIZE, VerifierKey
from ledger.witnessing.gathering import CheckpointStore

MAX_SIZES: Final = 16
"""Checkpoints for which cosignatures may wait; of more the newest to arrive count."""

MAX_LINES: Final = 64
_REMEMBERED: Final = 256
_LARGEST: Final = 1 << 63
_WRONG: Final = (MalformedError, VerificationError, RefusedError)


class Collector:
    """Collects for the log ``origin``; lines of other keys than ``witness_keys`` are nothing.

    `offer` may be called from any thread, `flush` from one.
    """

    def __init__(
        self, origin: str, store: CheckpointStore, witness_keys: Sequence[VerifierKey]
    ) -> None:
        self._origin = origin
        self._store = store
        self._keys = tuple(witness_keys)
        self._lock = threading.Lock()
        self._waiting: OrderedDict[int, dict[bytes, None]] = OrderedDict()
        self._done: OrderedDict[tuple[int, bytes], None] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many cosignatures wait."""
        with self._lock:
            return sum(map(len, self._waiting.values()))

    def offer(self, origin: str, size: int, lines: bytes) -> bool:
        """Take in signature lines under a checkpoint; False for another's, or known ones."""
        if origin != self._origin or not 0 <= size < _LARGEST or len(lines) > MAX_NOTE_SIZE:
            return False
        with self._lock:
            if (size, lines) in self._done:
                return False
            of_size = self._waiting.setdefault(size, {})
            if len(of_size) >= MAX_LINES:
                return False
            of_size[bytes(lines)] = None
            while len(self._waiting) > MAX_SIZES:
                self._waiting.popitem(last=False)
        return True

    def flush(self) -> Iterator[bytes]:
        """Put what waits under the stored checkpoints; the notes that came of it.

        Raises StorageError; what was not written then waits on.
        """
        with self._lock:
            sizes = list(self._waiting)
        for size in sizes:
            with self._lock:
                lines = list(self._waiting.get(size, ()))
            note = self._merge(size, lines)
            with self._lock:
                left = self._waiting.get(size, {})
                for each in lines:
                    left.pop(each, None)
                    self._done[size, each] = None
                if not left:
                    self._waiting.pop(size, None)
                while len(self._done) > _REMEMBERED:
                    self._done.popitem(last=False)
            if note is not None:
                yield note

    def _merge(self, size: int, lines: Sequence[bytes]) -> bytes | None:
        try:
            return self._store.merge_cosignatures(size, b"".join(lines), self._keys)
        except NotFoundError:
            return None  # not a checkpoint of ours, or one that was invented
        except _WRONG:
            pass  # one among them, perhaps; so each by itself
        note = None
        for each in lines:
            with suppress(*_WRONG):
                note = self._store.merge_cosignatures(size, each, self._keys)
        return note
