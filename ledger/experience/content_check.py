"""Checking stored content against what was logged, chunk by chunk, and naming what is wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.errors import VerificationError
from ledger.experience.content_hashing import ChunkSource, Progress, hash_content
from ledger.experience.content_root import CHUNK_SIZE, chunk_length, content_root_of_leaves
from ledger.experience.kinds import Experience


@dataclass(frozen=True, slots=True)
class FileRange:
    """Bytes [start, end) of one file of a recording."""

    name: str
    start: int
    end: int

    def __str__(self) -> str:
        return f"{self.name} bytes {self.start} to {self.end - 1}"


@dataclass(frozen=True, slots=True)
class DamagedChunk:
    """A chunk that is not what was logged, and the file bytes that it is made of."""

    index: int
    files: tuple[FileRange, ...]

    def __str__(self) -> str:
        return f"chunk {self.index} ({', '.join(map(str, self.files))})"


def locate_chunk(experience: Experience, index: int) -> tuple[FileRange, ...]:
    """The file bytes that chunk ``index`` is made of. Raises `NotFoundError` for none."""
    start = index * CHUNK_SIZE
    return locate_bytes(experience, start, start + chunk_length(index, experience.content_size))


def locate_bytes(experience: Experience, start: int, end: int) -> tuple[FileRange, ...]:
    """The file bytes that bytes [start, end) of the content are."""
    ranges = []
    offset = 0
    for file in experience.files:
        first, last = max(start, offset), min(end, offset + file.size)
        if first < last:
            ranges.append(FileRange(file.name, first - offset, last - offset))
        offset += file.size
    return tuple(ranges)


def find_damage(
    source: ChunkSource,
    experience: Experience,
    salt_key: bytes,
    leaves: Sequence[bytes],
    progress: Progress | None = None,
) -> tuple[DamagedChunk, ...]:
    """Every chunk of ``source`` that is not the one that was logged; none when all is well.

    ``leaves`` are the kept chunk leaves. Where they do not lead to the entry's root
    they are of no use: then the content as a whole is checked against the root.
    Raises `VerificationError` if that fails, and what the source raises.
    """
    tolerant = _TolerantSource(source)
    digest = hash_content(tolerant, salt_key, progress=progress)
    if digest.root == experience.content_root and not tolerant.unreadable:
        return ()
    if not _leads_to_root(leaves, experience):
        raise VerificationError(
            f"content of record {experience.record_id.hex()} is not what was logged, and its"
            " chunk hashes are damaged, so that the place cannot be named",
            hint="bring it back from an offloaded copy",
        )
    wrong = {
        index
        for index, (found, logged) in enumerate(zip(digest.leaves, leaves, strict=True))
        if found != logged
    }
    return tuple(
        DamagedChunk(index, locate_chunk(experience, index))
        for index in sorted(wrong | tolerant.unreadable)
    )


def chunk_check(
    experience: Experience, leaves: Sequence[bytes]
) -> Callable[[int, memoryview, bytes], None]:
    """A sink that raises `VerificationError` at the first chunk that is not the logged one.

    Where the kept leaves do not lead to the entry's root it lets everything pass: the
    caller compares the root at the end in any case.
    """
    usable = _leads_to_root(leaves, experience)

    def check(index: int, _chunk: memoryview, leaf: bytes) -> None:
        if usable and leaf != leaves[index]:
            raise VerificationError(
                f"{DamagedChunk(index, locate_chunk(experience, index))} of record"
                f" {experience.record_id.hex()} is not what was logged",
                hint="bring it back from an offloaded copy",
            )

    return check


def require_root(root: bytes, experience: Experience) -> None:
    """Refuse content whose root is not the one in the entry. Raises `VerificationError`."""
    if root != experience.content_root:
        raise VerificationError(
            f"content of record {experience.record_id.hex()} is not what was logged"
        )


def _leads_to_root(leaves: Sequence[bytes], experience: Experience) -> bool:
    return content_root_of_leaves(leaves) == experience.content_root


class _TolerantSource:
    """A source whose sealed chunks may fail to open: those are remembered and left zero."""

    def __init__(self, source: ChunkSource) -> None:
        self._source = source
        self._lock = threading.Lock()
        self.unreadable: set[int] = set()

    @property
    def size(self) -> int:
        return self._source.size

    def read_into(self, offset: int, view: memoryview) -> None:
        try:
            self._source.read_into(offset, view)
        except VerificationError:
            for start in range(0, len(view), CHUNK_SIZE):
                self._read_chunk(offset + start, view[start : start + CHUNK_SIZE])

    def _read_chunk(self, offset: int, view: memoryview) -> None:
        try:
            self._source.read_into(offset, view)
        except VerificationError:
            view[:] = bytes(len(view))
            with self._lock:
                self.unreadable.add(offset // CHUNK_SIZE)
