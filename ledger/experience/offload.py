"""Copies of content in another place, read back from there and checked before they count.

::

    DEST/<record id hex>/<name>     plain content, the files by their names
    DEST/<record id hex>/sealed     sealed content; useless without the home's keys

A copy is registered before its first byte is written, and marked as verified when
it has been rehashed from where it lies. Only a verified one lets content be pruned.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.durable_file import sync_folder
from ledger.errors import CorruptStoreError, RefusedError, StorageError, VerificationError
from ledger.experience.access import ExperienceReader, Record
from ledger.experience.content_check import find_damage
from ledger.experience.content_hashing import Progress
from ledger.experience.content_store import SEALED_NAME, STORED_HINT
from ledger.experience.copies import Copy, CopyKind
from ledger.experience.file_span import ReadSpan, SpanFile, WriteSpan
from ledger.experience.restore import (
    ContentPlace,
    find_content,
    is_there,
    make_folders,
    open_record,
    write_plain,
)
from ledger.experience.sealing import sealed_size
from ledger.storage.os_errors import storage_errors

_COPY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class OffloadReceipt:
    """One record's content, checked where it now lies. ``copied`` is False if it was there."""

    record_id: bytes
    paths: tuple[Path, ...]
    content_size: int
    sealed: bool
    copied: bool


def offload(
    reader: ExperienceReader,
    record_ids: Sequence[bytes],
    destination: Path,
    progress: Progress | None = None,
) -> Iterator[OffloadReceipt]:
    """Copy records' content to ``destination`` as the iterator is used up.

    Sealed content stays sealed. A record whose verified copy is there already is
    only looked at; a copy that was not finished is made again; records without
    content are passed over. ``progress`` is told the bytes of each copying and of
    each reading back. Raises `RefusedError` where something else is in the way,
    `ErasedError`, `VerificationError` for content that is not what was logged, here
    or as read back; StorageError.
    """
    for record_id in dict.fromkeys(record_ids):
        record = reader.record(record_id)
        place = find_content(reader, record)
        if place.paths:
            yield _offload(reader, record, place, destination, progress)


def offload_of(reader: ExperienceReader, record: Record) -> Copy | None:
    """A verified offloaded copy that is in reach, if there is one."""
    for copy in reader.copies.of(record.record_id):
        if copy.kind is CopyKind.OFFLOAD and copy.verified and is_there(record, copy):
            return copy
    return None


def _offload(
    reader: ExperienceReader,
    record: Record,
    place: ContentPlace,
    destination: Path,
    progress: Progress | None,
) -> OffloadReceipt:
    names = [SEALED_NAME] if place.sealed else [file.name for file in record.experience.files]
    with storage_errors(destination):
        target = destination.resolve() / record.record_id.hex()
    copy = Copy(CopyKind.OFFLOAD, tuple(target / name for name in names), sealed=place.sealed)
    known = [
        other
        for other in reader.copies.of(record.record_id)
        if other.kind is CopyKind.OFFLOAD and other.paths == copy.paths
    ]
    receipt = OffloadReceipt(
        record.record_id, copy.paths, record.experience.content_size, place.sealed, copied=False
    )
    if any(other.verified and is_there(record, other) for other in known):
        return receipt
    _clear_the_way(copy.paths, ours=bool(known))
    make_folders(target, names)
    registered = reader.copies.add(record.record_id, copy)
    if place.sealed:
        _copy_sealed(place.paths[0], copy.paths[0], record, progress)
    else:
        write_plain(reader, record, place, copy.paths, progress)
    with storage_errors(destination):
        sync_folder(target)
        sync_folder(target.parent)
    _read_back(reader, record, copy, progress)
    reader.copies.replace(registered, replace(copy, verified=True))
    return replace(receipt, copied=True)


def _clear_the_way(paths: Sequence[Path], *, ours: bool) -> None:
    """Remove what an unfinished offload of ours left; refuse what is somebody else's."""
    for path in paths:
        if path.is_symlink() or path.exists():
            if not ours:
                raise RefusedError(f"{path} is there already", hint="nothing is overwritten")
            with storage_errors(path):
                path.unlink()


def _copy_sealed(source: Path, target: Path, record: Record, progress: Progress | None) -> None:
    size = sealed_size(record.experience.content_size)
    with (
        ReadSpan([SpanFile(source, size)], CorruptStoreError, STORED_HINT) as sealed,
        WriteSpan([SpanFile(target, size)], RefusedError) as written,
    ):
        buffer = memoryview(bytearray(min(size, _COPY_BYTES)))
        for offset in range(0, size, _COPY_BYTES):
            piece = buffer[: min(_COPY_BYTES, size - offset)]
            sealed.read_into(offset, piece)
            written.write_from(offset, piece)
            if progress is not None:
                progress(len(piece))
        written.sync()


def _read_back(
    reader: ExperienceReader, record: Record, copy: Copy, progress: Progress | None
) -> None:
    if copy.sealed:
        sizes = [sealed_size(record.experience.content_size)]
    else:
        sizes = [file.size for file in record.experience.files]
    files = [SpanFile(path, size) for path, size in zip(copy.paths, sizes, strict=True)]
    with ReadSpan(files, StorageError, "check that disk, and offload again") as written:
        written.forget_cached()
    place = ContentPlace(copy.paths, copy.sealed, copy)
    with open_record(reader, record, place) as source:
        damage = find_damage(
            source,
            record.experience,
            reader.keys.get(record.record_id).salt_key,
            reader.tables.leaves(record.record_id),
            progress,
        )
    if damage:
        raise VerificationError(
            f"the copy of record {record.record_id.hex()} in {copy.paths[0].parent} is wrong"
            f" at {damage[0]}",
            hint="check that disk, and the home with an audit; then offload again",
        )
