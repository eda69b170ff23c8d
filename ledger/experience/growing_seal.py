"""The end of a record that was committed while it was written: its Experience.

Each step is durable before the next:

1. what is said is checked: names, sizes on disk, room in the entry, and that every
   mark is a part of the whole;
2. the files are synced; those to be copied or encrypted are, into ``incoming/``;
3. the record's note says that it is being sealed, under which root;
4. its keys are kept with what is new in them (openings, a content key);
5. the content gets its place: by renaming the record's own folder, or what was copied;
6. the Experience, states, leaves and copies are written in one transaction;
7. what is left of the folder goes, and the note.

A crash before step 6 leads back to an open record, with its files where they were.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ledger.durable_file import sync_folder
from ledger.errors import RecordingError, RefusedError, VerificationError
from ledger.experience.access import ExperienceWriter
from ledger.experience.content_hashing import ContentDigest
from ledger.experience.content_store import StagedContent, StoreMode
from ledger.experience.copies import Copy, CopyKind
from ledger.experience.growing import (
    end_recording,
    is_sealed,
    marks_of,
    undo_sealing,
)
from ledger.experience.growing_content import ProgressMark
from ledger.experience.ingest import (
    SOME_ROOT,
    HiddenValue,
    IngestOptions,
    IngestReceipt,
    draft_experience,
    receipt_of,
    record_rows,
)
from ledger.experience.kinds import Experience
from ledger.experience.pending import Open, PendingRecording, Sealing
from ledger.experience.readers.recording import Recording, RecordingFile
from ledger.experience.record_keys import RecordKeys
from ledger.experience.records import ContentState, Presence
from ledger.merkle.compact_range import CompactRange
from ledger.storage.os_errors import storage_errors


def seal_record(
    writer: ExperienceWriter,
    record_id: bytes,
    recording: Recording,
    digest: ContentDigest,
    hidden: tuple[HiddenValue, ...] = (),
    options: IngestOptions | None = None,
) -> IngestReceipt:
    """Append the Experience of an open record; durable on return.

    ``recording.files`` are the content in order, the growing file first, so that all
    progress is of its beginning. They lie in the record's own folder, which becomes
    the content without being copied or read again (encrypted, with ``options.seal``,
    it is); or all of them elsewhere, and ``options.mode`` says what becomes of them.
    ``digest`` was computed while they were written.

    Raises, with the record open as before: `NotFoundError` if it is not open,
    `RecordingError` for files that are not what they are said to be,
    `VerificationError` for a digest that contradicts the record's progress,
    EntryTooLargeError, BehindError, `RefusedError`, StorageError.
    """
    options = options or IngestOptions()
    note, work = writer.pending.recording(record_id)
    if not isinstance(work.step, Open):
        raise RefusedError(f"record {record_id.hex()} is being sealed or abandoned")
    experience = draft_experience(recording, record_id, options, hidden, {})
    writer.require_room_for(experience(SOME_ROOT))
    openings = tuple(value.opening for value in hidden)
    keys = writer.keys.get(record_id).extended(sealed=options.seal, openings=openings)
    folder = writer.content.recording_folder(record_id)
    _check_files(recording, digest, folder, in_place=work.in_place)
    _check_marks(writer, record_id, digest)
    own = not work.in_place and any(_is_in(folder, file) for file in recording.files)
    try:
        staged = _staged(writer, recording, keys, digest, options, own=own)
        moved = own and staged.folder is None and digest.size > 0
        work = replace(work, step=Sealing(digest.root, moved))
        writer.pending.replace(note, work)
        writer.keys.amend(keys)
        if moved:
            writer.content.adopt(record_id, digest.root)
        else:
            writer.content.install(staged)
        index = _append(writer, experience(digest.root), staged)
    except BaseException:
        # The write may have been kept or not: what the log has decides.
        _settle_failure(writer, note, work)
        raise
    if digest.size == 0 and not openings:
        writer.keys.destroy([record_id])
    end_recording(writer, note, work)
    return receipt_of(index, experience(digest.root), staged.state)


def _append(writer: ExperienceWriter, experience: Experience, staged: StagedContent) -> int:
    return writer.append([experience], lambda at: record_rows(at.start, staged)).start


def _settle_failure(writer: ExperienceWriter, note: Path, work: PendingRecording) -> None:
    if is_sealed(writer, work.record_id):
        end_recording(writer, note, work)
    else:
        undo_sealing(writer, note, work)


def _staged(
    writer: ExperienceWriter,
    recording: Recording,
    keys: RecordKeys,
    digest: ContentDigest,
    options: IngestOptions,
    *,
    own: bool,
) -> StagedContent:
    """The content ready to be installed, or where it is to be moved from, or to stay."""
    in_place = not own and options.mode is StoreMode.IN_PLACE and not options.seal
    if digest.size and (in_place or (own and not options.seal)):
        _sync(recording.files, folders=in_place)
        presence = Presence.IN_PLACE if in_place else Presence.STORED
        paths = tuple(file.path.absolute() for file in recording.files)
        copies = (Copy(CopyKind.ORIGINAL, paths),) if in_place else ()
        return StagedContent(keys.record_id, digest, ContentState(presence), copies, None)
    mode = StoreMode.REFLINK_OR_COPY if own else options.mode
    staged = writer.content.stage(recording.files, keys, mode)
    if staged.digest != digest:
        writer.content.discard(staged)
        raise RecordingError(
            f"{recording.name!r} is not what it was while it was written",
            hint="something else wrote to it; its progress in the log says what it was",
        )
    return replace(staged, copies=()) if own else staged


def _check_files(
    recording: Recording, digest: ContentDigest, folder: Path, *, in_place: bool
) -> None:
    if recording.size != digest.size:
        raise RecordingError(
            f"{recording.name!r} has {recording.size} bytes, {digest.size} were hashed"
        )
    inside = [_is_in(folder, file) for file in recording.files]
    if any(inside) and (in_place or not all(inside)):
        raise RefusedError(
            "the files of a recording lie all in its own folder, or all elsewhere",
            hint=f"put all of them into {folder} under their names, or none",
        )
    for file in recording.files:
        with storage_errors(file.path):
            status = file.path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise RecordingError(f"{file.path} is not a regular file")
        if status.st_size != file.size:
            raise RecordingError(f"{file.path} has {status.st_size} bytes, not {file.size}")
    _refuse_strays(recording, folder)


def _refuse_strays(recording: Recording, folder: Path) -> None:
    """Refuse files in the record's folder that are no part of it: they would go with it."""
    listed = {file.path for file in recording.files}
    with storage_errors(folder):
        found = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
    for path in found:
        if path not in listed:
            raise RefusedError(
                f"{path} is no file of {recording.name!r}", hint="list it, or remove it first"
            )


def _is_in(folder: Path, file: RecordingFile) -> bool:
    return file.path == folder / file.name


def _check_marks(writer: ExperienceWriter, record_id: bytes, digest: ContentDigest) -> None:
    """Refuse a digest that the record's progress is no beginning of."""
    marks = marks_of(writer, record_id)
    for position, wrong in contradictions([mark for _, mark in marks], digest.leaves, digest.size):
        raise VerificationError(
            f"record {record_id.hex()} cannot be sealed: {wrong} (entry {marks[position][0]})",
            hint="the content is not what was committed; keep it, and look at it",
        )


def contradictions(
    marks: Sequence[ProgressMark], leaves: Sequence[bytes], size: int
) -> Iterator[tuple[int, str]]:
    """Each of ``marks`` that is no beginning of a content: its position, and what is wrong.

    Tails are not looked at: that takes the content's bytes.
    """
    parts = CompactRange()
    for position, mark in enumerate(marks):
        if mark.length > size:
            yield position, f"{mark.length} bytes were committed, and it has {size}"
        elif mark.leaf_count < parts.size:
            yield position, f"progress shrinks to {mark.length} bytes"
        else:
            parts = parts.extend(leaves[parts.size : mark.leaf_count])
            if parts.root() != mark.root:
                yield position, f"its first {mark.leaf_count} chunks are not what was committed"


def _sync(files: Sequence[RecordingFile], *, folders: bool) -> None:
    for folder in {file.path.parent for file in files} if folders else ():
        with storage_errors(folder):
            sync_folder(folder)
    for file in files:
        with storage_errors(file.path):
            descriptor = os.open(file.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
