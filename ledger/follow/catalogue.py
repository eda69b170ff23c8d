"""What the home knows of files that were committed before: so that none is twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from ledger.errors import LedgerError
from ledger.experience.content_check import find_damage
from ledger.experience.content_hashing import ChunkSource
from ledger.experience.copies import CopyKind
from ledger.experience.file_span import ReadSpan, SpanFile
from ledger.experience.kinds import Experience
from ledger.experience.records import Presence
from ledger.home import HomeReader

_AT_INGEST: Final = (CopyKind.ORIGINAL, CopyKind.HARD_LINK)
"""What a recording's own files are registered as when it comes."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file that is content of record ``record_id``; ``size`` as it was sealed.

    ``presence`` is where the home has that content now.
    """

    path: Path
    size: int
    record_id: bytes
    presence: Presence


@dataclass(frozen=True, slots=True)
class KnownContent:
    """What it takes to check the content of a record."""

    experience: Experience
    salt_key: bytes = field(repr=False)
    leaves: tuple[bytes, ...] = field(repr=False)
    paths: tuple[Path, ...]

    def first_difference(self) -> str | None:
        """Read the files where they were recorded, and say what is wrong; None if nothing.

        Raises `LedgerError` where one cannot be read.
        """
        sizes = [file.size for file in self.experience.files]
        files = [SpanFile(path, size) for path, size in zip(self.paths, sizes, strict=True)]
        with ReadSpan(files) as source:
            return self.first_difference_in(source)

    def first_difference_in(self, source: ChunkSource) -> str | None:
        """Like `first_difference`, for bytes from elsewhere."""
        damage = find_damage(source, self.experience, self.salt_key, self.leaves)
        return f"{damage[0]} is not what was sealed" if damage else None


class Catalogue(Protocol):
    """The committed files of a home. Raises `LedgerError` where it cannot be read."""

    def known_under(self, directories: Sequence[Path]) -> list[KnownFile]:
        """The files below ``directories`` that are in the log, each with its newest record."""
        ...

    def content(self, record_id: bytes) -> KnownContent:
        """What it takes to check a record. Raises `NotFoundError`."""
        ...


class HomeCatalogue:
    """The `Catalogue` of a home; ``reader`` opens it to read, for a short time."""

    def __init__(self, reader: Callable[[], AbstractContextManager[HomeReader]]) -> None:
        self._reader = reader

    def known_under(self, directories: Sequence[Path]) -> list[KnownFile]:
        """See `Catalogue.known_under`."""
        found: dict[Path, tuple[int, KnownFile]] = {}
        with self._reader() as home:
            experiences = home.experiences
            for record_id, copy in experiences.copies.of_ingest():
                if not _any_under(copy.paths, directories):
                    continue
                try:
                    record = experiences.record(record_id)
                except LedgerError:  # the audit's to name
                    continue
                presence = record.state.presence
                for path, file in zip(copy.paths, record.experience.files, strict=True):
                    if path not in found or found[path][0] < record.index:
                        known = KnownFile(path, file.size, record_id, presence)
                        found[path] = (record.index, known)
        return [known for _, known in found.values() if _any_under([known.path], directories)]

    def content(self, record_id: bytes) -> KnownContent:
        """See `Catalogue.content`."""
        with self._reader() as home:
            experiences = home.experiences
            record = experiences.record(record_id)
            originals = [
                copy.paths for copy in experiences.copies.of(record_id) if copy.kind in _AT_INGEST
            ]
            return KnownContent(
                record.experience,
                experiences.keys.get(record_id).salt_key,
                tuple(experiences.tables.leaves(record_id)),
                originals[0] if originals else (),
            )


def _any_under(paths: Sequence[Path], directories: Sequence[Path]) -> bool:
    return any(folder in path.parents for path in paths for folder in directories)
