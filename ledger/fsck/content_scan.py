"""Every chunk of one content hashed again, going on where one is damaged.

`ledger.experience.content_store` stops at the first chunk that does not open; an
audit wants them all, and the file and bytes [start, end) that each lies in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ledger.errors import CorruptStoreError, VerificationError
from ledger.experience.content_hashing import ChunkSource, Progress, hash_content
from ledger.experience.content_root import CHUNK_SIZE, chunk_count, chunk_length
from ledger.experience.file_span import ReadSpan, SpanFile
from ledger.experience.sealing import SEALED_CHUNK_SIZE, TAG_SIZE, ChunkSealer, SealedSpan
from ledger.fsck.key_files import Secrets

_HINT = "bring it back from an offloaded copy"


@dataclass(frozen=True, slots=True)
class DamagedChunk:
    """A chunk that is not what was recorded, and the parts of files that it lies in."""

    index: int
    pieces: tuple[tuple[Path, int, int], ...]
    """(file, start, end) for each."""


@dataclass(frozen=True, slots=True)
class StoredContent:
    """Where some content lies: its files in order, or its one sealed file."""

    record_id: bytes
    size: int
    files: tuple[SpanFile, ...]
    sealed: bool

    @property
    def chunks(self) -> int:
        """How many chunks the content has."""
        return chunk_count(self.size)

    def pieces(self, index: int) -> tuple[tuple[Path, int, int], ...]:
        """The parts of files that hold chunk ``index``."""
        if self.sealed:
            start = index * SEALED_CHUNK_SIZE
            end = start + chunk_length(index, self.size) + TAG_SIZE
            return ((self.files[0].path, start, end),)
        start = index * CHUNK_SIZE
        return tuple(_overlaps(self.files, start, start + chunk_length(index, self.size)))


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found. ``located`` is False if something is damaged, nobody can say where."""

    damaged: tuple[DamagedChunk, ...]
    located: bool


def scan_content(
    content: StoredContent,
    secrets: Secrets,
    root: bytes,
    leaves: Sequence[bytes],
    progress: Progress | None = None,
) -> ScanResult:
    """Hash ``content`` and compare it with its root and, to name chunks, its leaves.

    Raises CorruptStoreError if a file is missing or has another size.
    """
    with ReadSpan(content.files, CorruptStoreError, _HINT) as span:
        source: ChunkSource = span
        if content.sealed:
            key = secrets.content_key or b""
            source = SealedSpan(
                span, ChunkSealer(content.record_id, key, content.chunks), content.size
            )
        tolerant = _Tolerant(source)
        digest = hash_content(tolerant, secrets.salt_key, progress=progress)
    if digest.root == root and not tolerant.unreadable:
        return ScanResult((), located=True)
    if len(leaves) != len(digest.leaves):
        return ScanResult((), located=False)
    damaged = {
        index
        for index, (found, kept) in enumerate(zip(digest.leaves, leaves, strict=True))
        if found != kept
    }
    damaged |= tolerant.unreadable
    chunks = tuple(DamagedChunk(index, content.pieces(index)) for index in sorted(damaged))
    return ScanResult(chunks, located=bool(chunks))


@dataclass(slots=True)
class _Tolerant:
    """Content in which chunks that cannot be read are noted and read as zeros."""

    source: ChunkSource
    unreadable: set[int] = field(default_factory=set)

    @property
    def size(self) -> int:
        return self.source.size

    def read_into(self, offset: int, view: memoryview) -> None:
        while view:
            chunk, view = view[:CHUNK_SIZE], view[CHUNK_SIZE:]
            try:
                self.source.read_into(offset, chunk)
            except (VerificationError, CorruptStoreError):
                self.unreadable.add(offset // CHUNK_SIZE)
                chunk[:] = bytes(len(chunk))
            offset += len(chunk)


def _overlaps(files: Sequence[SpanFile], start: int, end: int) -> Iterator[tuple[Path, int, int]]:
    """The parts of files that bytes [start, end) of the content lie in."""
    before = 0
    for file in files:
        first, last = max(start - before, 0), min(end - before, file.size)
        if first < last:
            yield file.path, first, last
        before += file.size
