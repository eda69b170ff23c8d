"""The robot's memory, for the other nodes of its process.

They outlive a memory node's being cleaned up and configured again; each call goes to
the home as the memory node has it open then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from ledger.errors import StorageError
from ledger.experience.content_hashing import ContentDigest
from ledger.experience.growing import InterruptedRecord, OpenRecord
from ledger.experience.growing_content import ProgressMark
from ledger.experience.ingest import HiddenValue, IngestOptions, IngestReceipt
from ledger.experience.readers.recording import Recording
from ledger.memory.lasting import LastingStorage
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.storage import ReadTransaction, WriteTransaction

T = TypeVar("T")


class MemoryAccess:
    """Who has the owner of the home, if anybody."""

    def __init__(self) -> None:
        self._owner: MemoryOwner | None = None

    @property
    def owner(self) -> MemoryOwner:
        """The owner. Raises `StorageError` while the memory node is not configured."""
        owner = self._owner
        if owner is None:
            raise StorageError("the memory node is not configured", hint="configure it")
        return owner

    def give(self, owner: MemoryOwner | None) -> None:
        """Say who owns the home from now on."""
        self._owner = owner


class MemoryStorage:
    """The home's `ledger.storage.Storage`."""

    def __init__(self, access: MemoryAccess) -> None:
        self._access = access

    @contextmanager
    def read(self) -> Iterator[ReadTransaction]:
        """Open a snapshot for the length of a ``with`` block."""
        with LastingStorage(self._access.owner).read() as transaction:
            yield transaction

    def write(self, work: Callable[[WriteTransaction], T]) -> T:
        """Run ``work`` in a transaction, durable when this returns."""
        return LastingStorage(self._access.owner).write(work)

    def close(self) -> None:
        """Nothing: the store is the memory node's."""


class MemorySink:
    """A `ledger.memory.sink.RecordSink` into the home."""

    def __init__(self, access: MemoryAccess) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._into: tuple[MemoryOwner, OwnerSink] | None = None

    def begin(self, *, in_place: bool = False, source: Path | None = None) -> OpenRecord:
        """See `RecordSink.begin`."""
        return self._sink.begin(in_place=in_place, source=source)

    def progress(self, record_id: bytes, mark: ProgressMark) -> int:
        """See `RecordSink.progress`."""
        return self._sink.progress(record_id, mark)

    def seal(
        self,
        record_id: bytes,
        recording: Recording,
        digest: ContentDigest,
        hidden: tuple[HiddenValue, ...] = (),
        options: IngestOptions | None = None,
    ) -> IngestReceipt:
        """See `RecordSink.seal`."""
        return self._sink.seal(record_id, recording, digest, hidden, options)

    def interrupted(self, *, in_place: bool = False) -> tuple[InterruptedRecord, ...]:
        """See `RecordSink.interrupted`."""
        return self._sink.interrupted(in_place=in_place)

    def abandon(self, record_id: bytes, reason: str) -> None:
        """See `RecordSink.abandon`."""
        self._sink.abandon(record_id, reason)

    def missing(self, record_id: bytes, reason: str) -> int:
        """See `RecordSink.missing`."""
        return self._sink.missing(record_id, reason)

    def leaf_hash(self, index: int) -> bytes:
        """See `RecordSink.leaf_hash`."""
        return self._sink.leaf_hash(index)

    def close(self) -> None:
        """See `RecordSink.close`."""
        with self._lock:
            if self._into is not None:
                self._into[1].close()
                self._into = None

    @property
    def _sink(self) -> OwnerSink:
        owner = self._access.owner
        with self._lock:
            if self._into is None or self._into[0] is not owner:
                self._into = owner, OwnerSink(owner)
            return self._into[1]
