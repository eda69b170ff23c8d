"""Hashing content in one pass, on every core, in little memory.

Threads take runs of chunks in order, read each into a buffer of their own and
hash it; reading and hashing let other threads run. A *sink* is handed every
chunk with its leaf while it is in the buffer, so that copying, sealing or
checking content costs no second reading.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias

from ledger.experience.content_root import (
    CHUNK_SIZE,
    chunk_count,
    chunk_leaf,
    chunk_salt,
    content_root_of_leaves,
)
from ledger.experience.disclosure import SALT_SIZE
from ledger.experience.fields import require_bytes

RUN_CHUNKS: Final = 2
"""Chunks a thread takes at a time: 512 KiB stays in a core's own cache."""

MAX_WORKERS: Final = 8

Progress: TypeAlias = Callable[[int], None]
"""Told how many more bytes are done; called by one thread at a time."""

Sink: TypeAlias = Callable[[int, memoryview, bytes], None]
"""Handed chunk index, chunk and leaf, from any thread; the chunk is only lent."""


class ChunkSource(Protocol):
    """Content that can be read by offset, from several threads at once."""

    @property
    def size(self) -> int:
        """Bytes of content."""
        ...

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fill ``view`` with whole chunks, from a chunk's ``offset`` on."""
        ...


@dataclass(frozen=True, slots=True)
class ContentDigest:
    """The root of some content with the chunk leaves below it."""

    root: bytes
    size: int
    leaves: tuple[bytes, ...] = field(repr=False)


def hash_content(
    source: ChunkSource,
    salt_key: bytes,
    *,
    workers: int | None = None,
    progress: Progress | None = None,
    sink: Sink | None = None,
) -> ContentDigest:
    """Hash content by the equations of `ledger.experience.content_root`.

    ``workers`` threads share the work, by default one a core that this process may
    use. Raises what the source, the sink and ``progress`` raise, after every
    thread has stopped.
    """
    require_bytes(salt_key, SALT_SIZE, "salt key")
    count = chunk_count(source.size)
    runs = -(-count // RUN_CHUNKS)
    threads = min(workers or usable_cores(), MAX_WORKERS, runs)
    work = _Work(source, salt_key, progress, sink, [b""] * count)
    if threads <= 1:
        work.run()
    else:
        with ThreadPoolExecutor(threads, thread_name_prefix="hash-content") as pool:
            try:
                for done in [pool.submit(work.run) for _ in range(threads)]:
                    done.result()
            except BaseException:
                work.stop()
                raise
    leaves = tuple(work.leaves)
    return ContentDigest(root=content_root_of_leaves(leaves), size=source.size, leaves=leaves)


def usable_cores() -> int:
    """The cores that this process may run on."""
    return len(os.sched_getaffinity(0))


@dataclass(slots=True)
class _Work:
    source: ChunkSource
    salt_key: bytes = field(repr=False)
    progress: Progress | None
    sink: Sink | None
    leaves: list[bytes]
    _next: int = 0
    _take_lock: threading.Lock = field(default_factory=threading.Lock)
    _progress_lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Hash runs of chunks until none is left, or somebody failed."""
        buffer = memoryview(bytearray(min(RUN_CHUNKS * CHUNK_SIZE, max(self.source.size, 1))))
        try:
            while (first := self._take()) is not None:
                self._hash_run(first, buffer)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Hand out no more work."""
        with self._take_lock:
            self._next = len(self.leaves)

    def _take(self) -> int | None:
        with self._take_lock:
            first = self._next
            if first >= len(self.leaves):
                return None
            self._next = first + RUN_CHUNKS
            return first

    def _hash_run(self, first: int, buffer: memoryview) -> None:
        offset = first * CHUNK_SIZE
        run = buffer[: min(RUN_CHUNKS * CHUNK_SIZE, self.source.size - offset)]
        self.source.read_into(offset, run)
        for index in range(first, first + chunk_count(len(run))):
            start = (index - first) * CHUNK_SIZE
            chunk = run[start : start + CHUNK_SIZE]
            leaf = chunk_leaf(chunk_salt(self.salt_key, index), chunk)
            self.leaves[index] = leaf
            if self.sink is not None:
                self.sink(index, chunk, leaf)
        if self.progress is not None:
            with self._progress_lock:
                self.progress(len(run))
