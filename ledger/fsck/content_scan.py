"""Every chunk of one content hashed again, and where on disk the damaged ones lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import VerificationError
from ledger.experience.content_check import find_damage, locate_chunk
from ledger.experience.content_hashing import Progress
from ledger.experience.content_root import chunk_length
from ledger.experience.content_store import open_content
from ledger.experience.kinds import Experience
from ledger.experience.record_keys import RecordKeys
from ledger.experience.sealing import SEALED_CHUNK_SIZE, TAG_SIZE


@dataclass(frozen=True, slots=True)
class DamagedPiece:
    """Bytes [start, end) of a file: a damaged chunk's, or its part of them.

    A chunk that lies in ``files_of_chunk`` files may be damaged in any of them.
    """

    chunk: int
    path: Path
    start: int
    end: int
    files_of_chunk: int


@dataclass(frozen=True, slots=True)
class ScanResult:
    """What a scan found. ``located`` is False if something is damaged, nobody can say where."""

    damaged: tuple[DamagedPiece, ...]
    chunks_damaged: int
    located: bool


def scan_content(
    experience: Experience,
    paths: Sequence[Path],
    keys: RecordKeys,
    leaves: Sequence[bytes],
    *,
    sealed: bool,
    progress: Progress | None = None,
) -> ScanResult:
    """Hash the content in ``paths`` and compare it with the entry's root and its leaves.

    Raises CorruptStoreError for a file that cannot be read or has another size.
    """
    with open_content(experience, paths, keys, sealed=sealed) as source:
        try:
            damaged = find_damage(source, experience, keys.salt_key, leaves, progress)
        except VerificationError:
            return ScanResult((), 0, located=False)
    pieces = [
        piece for chunk in damaged for piece in _pieces(experience, paths, chunk.index, sealed)
    ]
    return ScanResult(tuple(pieces), len(damaged), located=True)


def _pieces(
    experience: Experience, paths: Sequence[Path], index: int, sealed: bool
) -> Iterator[DamagedPiece]:
    if sealed:
        start = index * SEALED_CHUNK_SIZE
        end = start + chunk_length(index, experience.content_size) + TAG_SIZE
        yield DamagedPiece(index, paths[0], start, end, 1)
        return
    places = dict(zip((file.name for file in experience.files), paths, strict=True))
    ranges = locate_chunk(experience, index)
    for part in ranges:
        yield DamagedPiece(index, places[part.name], part.start, part.end, len(ranges))
