"""The original recording back, byte for byte, checked against the log on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.durable_file import sync_folder
from ledger.errors import ErasedError, NotFoundError, ReadOnlyError, RefusedError
from ledger.experience.access import ExperienceReader, Record
from ledger.experience.content_check import chunk_check, require_root
from ledger.experience.content_hashing import ChunkSource, Progress, hash_content
from ledger.experience.content_root import CHUNK_SIZE
from ledger.experience.content_store import open_content
from ledger.experience.copies import Copy, CopyKind
from ledger.experience.file_span import SpanFile, WriteSpan
from ledger.experience.records import Presence
from ledger.experience.sealing import sealed_size
from ledger.storage.os_errors import storage_errors

_PREFERRED = (CopyKind.OFFLOAD, CopyKind.ORIGINAL, CopyKind.HARD_LINK, CopyKind.EXPORT)


@dataclass(frozen=True, slots=True)
class ContentPlace:
    """The files that hold a record's content; ``copy`` is None for the home's own."""

    paths: tuple[Path, ...]
    sealed: bool
    copy: Copy | None


@dataclass(frozen=True, slots=True)
class RestoredRecording:
    """The files written, and where their bytes came from.

    ``registered`` is False where the home could not be written: a later erasure
    will then not know of this copy.
    """

    paths: tuple[Path, ...]
    place: ContentPlace
    registered: bool


def find_content(reader: ExperienceReader, record: Record) -> ContentPlace:
    """Where the content of a record is: in the home, else at a known copy that is there.

    Raises `ErasedError` when it was erased, or pruned and no copy is in reach, and
    `NotFoundError` when what was left in place is gone.
    """
    state, experience = record.state, record.experience
    name = f"content of record {record.record_id.hex()}"
    if state.presence is Presence.ERASED:
        raise ErasedError(f"{name} was erased by entry {state.removed_by}")
    if state.presence is Presence.EMPTY:
        return ContentPlace((), sealed=False, copy=None)
    if state.presence is Presence.STORED:
        paths = reader.content.paths(experience, sealed=state.sealed)
        return ContentPlace(paths, state.sealed, None)
    copies = sorted(reader.copies.of(record.record_id), key=lambda c: _PREFERRED.index(c.kind))
    for copy in copies:
        if is_there(record, copy):
            return ContentPlace(copy.paths, copy.sealed, copy)
    known = next((copy.paths[0].parent for copy in copies if copy.paths), None)
    hint = f"it was last known at {known}; make that reachable" if known else None
    if state.presence is Presence.PRUNED:
        raise ErasedError(f"{name} was pruned by entry {state.removed_by}", hint=hint)
    raise NotFoundError(f"{name} was left in place and is not there any more", hint=hint)


def is_there(record: Record, copy: Copy) -> bool:
    """Whether every file of a copy is at its path with its size."""
    if copy.sealed:
        sizes = [sealed_size(record.experience.content_size)]
    else:
        sizes = [file.size for file in record.experience.files]
    if len(sizes) != len(copy.paths):
        return False
    try:
        return all(
            path.is_file() and path.stat().st_size == size
            for path, size in zip(copy.paths, sizes, strict=True)
        )
    except OSError:
        return False


@contextmanager
def open_record(
    reader: ExperienceReader, record: Record, place: ContentPlace | None = None
) -> Iterator[ChunkSource]:
    """The content of a record for reading; it is not checked against the log here.

    Raises what `find_content` raises, and `CorruptStoreError`.
    """
    place = place or find_content(reader, record)
    if record.experience.content_size == 0:
        raise NotFoundError(f"record {record.record_id.hex()} has no content of its own")
    keys = reader.keys.get(record.record_id)
    with open_content(record.experience, place.paths, keys, sealed=place.sealed) as source:
        yield source


def restore(
    reader: ExperienceReader, record_id: bytes, folder: Path, progress: Progress | None = None
) -> RestoredRecording:
    """Write a record's files into ``folder`` under their original names.

    Every chunk is checked before it is written; what was written is removed again
    when one is wrong. The copy is registered as an export before its first byte.
    Raises `RefusedError` where a file is already, `ErasedError`, `NotFoundError`,
    `VerificationError` naming the chunk and its bytes, StorageError.
    """
    record = reader.record(record_id)
    if not record.experience.files:
        raise NotFoundError(
            f"record {record_id.hex()} has no content of its own: it points into other records",
            hint="restore those",
        )
    place = find_content(reader, record)
    targets = make_folders(folder, [file.name for file in record.experience.files])
    for target in targets:
        if target.is_symlink() or target.exists():
            raise RefusedError(f"{target} is there already", hint="nothing is overwritten")
    registered = True
    if record.experience.content_size:
        try:
            reader.copies.add(record_id, Copy(CopyKind.EXPORT, targets))
        except ReadOnlyError:
            registered = False
    write_plain(reader, record, place, targets, progress)
    return RestoredRecording(targets, place, registered)


def write_plain(
    reader: ExperienceReader,
    record: Record,
    place: ContentPlace,
    targets: Sequence[Path],
    progress: Progress | None,
) -> None:
    """Write a record's content into new files, checked and synced; on failure none is left."""
    experience = record.experience
    files = [
        SpanFile(path, file.size) for path, file in zip(targets, experience.files, strict=True)
    ]
    with WriteSpan(files, RefusedError) as written:
        if experience.content_size:
            check = chunk_check(experience, reader.tables.leaves(record.record_id))

            def sink(index: int, chunk: memoryview, leaf: bytes) -> None:
                check(index, chunk, leaf)
                written.write_from(index * CHUNK_SIZE, chunk)

            salt_key = reader.keys.get(record.record_id).salt_key
            with open_record(reader, record, place) as source:
                digest = hash_content(source, salt_key, progress=progress, sink=sink)
            require_root(digest.root, experience)
        written.sync()
    for parent in {target.parent for target in targets}:
        with storage_errors(parent):
            sync_folder(parent)


def make_folders(folder: Path, names: Sequence[str]) -> tuple[Path, ...]:
    """Make the folders that ``names`` need under ``folder``; the absolute paths of the files.

    Raises `RefusedError` where a link or a file stands in a folder's place.
    """
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        root = folder.resolve()
        for name in names:
            parent = root
            for part in name.split("/")[:-1]:
                parent = parent / part
                if parent.is_symlink() or (parent.exists() and not parent.is_dir()):
                    raise RefusedError(f"{parent} is there already and is not a folder")
                parent.mkdir(exist_ok=True)
    return tuple(root / name for name in names)
