"""Parts of an owned home that outlast its being lent.

A `HomeWriter` and what belongs to it are gone when the home is lent. Those who keep a
store or a log for long, as a witness does, keep these instead: each call goes to the
home as the owner has it open then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from ledger.memory.owner import MemoryOwner
from ledger.note import VerifierKey
from ledger.storage import ReadTransaction, WriteTransaction

T = TypeVar("T")


class LastingStorage:
    """The home's `ledger.storage.Storage`. Reading does not wait for commits; writing does."""

    def __init__(self, owner: MemoryOwner) -> None:
        self._owner = owner

    @contextmanager
    def read(self) -> Iterator[ReadTransaction]:
        """Open a snapshot for the length of a ``with`` block."""
        with self._owner.reader() as home, home.storage.read() as transaction:
            yield transaction

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """Run ``work`` in a transaction, durable when this returns."""
        return self._owner.commit(lambda home: home.storage.write(work))

    def close(self) -> None:
        """Nothing: the store is the owner's."""


class LastingCheckpoints:
    """The log's checkpoints, for whoever gathers cosignatures."""

    def __init__(self, owner: MemoryOwner) -> None:
        self._owner = owner

    def latest_checkpoint(self) -> bytes | None:
        """The stored note of the greatest size, or None."""
        with self._owner.reader() as home:
            return home.log.latest_checkpoint()

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        """The consistency proof between two sizes of the log."""
        with self._owner.reader() as home:
            return home.log.prove_consistency(old_size, size)

    def merge_cosignatures(
        self, size: int, lines: bytes, witness_keys: Sequence[VerifierKey]
    ) -> bytes:
        """Add a witness's lines to the stored checkpoint of ``size``; the note, durable."""
        return self._owner.merge_cosignatures(size, lines, witness_keys)
