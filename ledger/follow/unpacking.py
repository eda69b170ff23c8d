"""The compressed form of a file, unpacked and held against what was committed of it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from ledger.errors import RecordingError, VerificationError
from ledger.experience.growing_content import GrowingContent, ProgressMark
from ledger.experience.readers.byte_source import PIECE, DamageError, decompressed
from ledger.follow.steps import Steps, Turn
from ledger.follow.watched_file import WatchedFile

SUFFIXES: Final = {".zstd": "zstd", ".zst": "zstd", ".lz4": "lz4"}
"""What recorders put behind a file's name when they compress it, and what it is."""


def packed_forms(path: Path) -> tuple[Path, ...]:
    """Where the compressed form of ``path`` would be."""
    return tuple(path.with_name(path.name + suffix) for suffix in SUFFIXES)


def compare_packed(
    packed: Path, salt_key: bytes, mark: ProgressMark
) -> Generator[Turn, None, str | None]:
    """What shows that ``packed`` is not the compressed form of what ``mark`` was made of."""
    content = GrowingContent(salt_key)
    try:
        yield from unpack_in_steps(packed, content, mark.length)
    except (VerificationError, RecordingError) as error:
        return error.message
    except OSError as error:
        return f"{packed.name} cannot be read: {error.strerror}"
    return None if content.mark() == mark else f"{packed.name} does not hold what was committed"


def unpack_in_steps(packed: Path, content: GrowingContent, stop: int) -> Steps:
    """Hash up to ``stop`` bytes of what ``packed`` unpacks to.

    Raises `VerificationError` for what cannot be unpacked, OSError.
    """
    try:
        with _unpacked(packed) as stream:
            while content.length < stop:
                piece = stream.read(min(PIECE, stop - content.length))
                if not piece:
                    return
                content.update(piece)
                yield Turn.MORE
    except DamageError as error:
        raise VerificationError(f"{packed.name} cannot be unpacked: {error}") from error


@contextmanager
def _unpacked(packed: Path) -> Iterator[BinaryIO]:
    file = WatchedFile(packed)
    with closing(file), file.stream() as stream:
        yield decompressed(stream, SUFFIXES[packed.suffix])
