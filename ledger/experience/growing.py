"""Records that are committed while they are being written.

::

    begin_record      a note, the keys, a folder; nothing in the log yet
    commit_progress   a Progress entry: so many bytes, with these hashes     (any number)
    seal_record       the Experience; or
    abandon_record    nothing, or an Erasure where there was progress

Each is durable on return, and each step on the way can be cut short: what was begun
and not ended is settled by `settle_recording`, which `ledger.experience.recovery`
calls. A record that is merely open is left alone: `interrupted_records` lists it, and
whoever wrote it writes on, seals or abandons it.

Content is written by the caller: into `OpenRecord.folder`, or, for ``in_place``,
somewhere else by somebody else. ``progress`` of it is only worth something when the
bytes are on disk first (``fdatasync``).
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

from ledger.errors import (
    CorruptStoreError,
    KeyStoreError,
    LedgerError,
    NotFoundError,
    RefusedError,
    StorageError,
    VerificationError,
)
from ledger.experience.access import ExperienceReader, ExperienceWriter
from ledger.experience.entry import parse_entry
from ledger.experience.fields import RECORD_ID_SIZE
from ledger.experience.growing_content import ProgressMark
from ledger.experience.kinds import Erasure, Progress
from ledger.experience.pending import Abandoning, Open, PendingRecording, Sealing
from ledger.experience.private_folder import make_private_folder, remove_folder
from ledger.experience.record_keys import RecordKeys
from ledger.experience.records import ContentState, Presence, progress_row, state_row

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class OpenRecord:
    """A record that is being written. ``folder`` is there unless it is ``in_place``.

    ``source`` is the growing file of a record in place, where `begin_record` was told.
    """

    record_id: bytes
    salt_key: bytes = field(repr=False)
    folder: Path
    in_place: bool = False
    source: Path | None = None


@dataclass(frozen=True, slots=True)
class InterruptedRecord:
    """A record that is open in the home, and all its marks in the order of the log."""

    record: OpenRecord
    marks: tuple[ProgressMark, ...]


def begin_record(
    writer: ExperienceWriter, *, in_place: bool = False, source: Path | None = None
) -> OpenRecord:
    """Begin a record: from now on it has keys, and a folder to be written in.

    With ``in_place`` its content is written elsewhere; ``source``, an absolute path, is
    remembered for whoever starts again after a crash. Raises BehindError, `RefusedError`
    for a source of a record of our own, StorageError.
    """
    if source is not None and not (in_place and source.is_absolute()):
        raise RefusedError("a source is the absolute path of a file that is recorded in place")
    record_id = os.urandom(RECORD_ID_SIZE)
    writer.require_room_for(Erasure((record_id,)))
    keys = RecordKeys.generate(record_id, sealed=False)
    note = writer.pending.begin(PendingRecording(record_id, in_place, source))
    folder = writer.content.recording_folder(record_id)
    try:
        # After the note, or nobody would find them; before the folder: a note without
        # keys is of a record that never began.
        writer.keys.add([keys])
        if not in_place:
            make_private_folder(folder)
    except BaseException:
        remove_folder(folder)
        writer.keys.destroy([record_id])
        writer.pending.finish(note)
        raise
    return OpenRecord(record_id, keys.salt_key, folder, in_place, source)


def commit_progress(writer: ExperienceWriter, record_id: bytes, mark: ProgressMark) -> int:
    """Append a Progress entry, durable on return: its index.

    The same mark again appends nothing and returns the index it has. Raises
    `NotFoundError` for a record that is not being written, `MalformedError` for a mark
    that is none, `VerificationError` for one that shrinks or contradicts the last one,
    BehindError, StorageError.
    """
    _, work = writer.pending.recording(record_id)
    if not isinstance(work.step, Open):
        raise RefusedError(f"record {record_id.hex()} is being sealed or abandoned")
    entry = Progress(record_id, mark.leaf_count, mark.root, mark.length, mark.tail_hash)
    last = writer.tables.newest_progress(record_id)
    if last is not None:
        before = mark_at(writer, record_id, last)
        if mark == before:
            return last
        wrong = contradiction(before, mark)
        if wrong is not None:
            raise VerificationError(
                f"progress of record {record_id.hex()} {wrong} (entry {last})",
                hint="the content is not what was committed; keep it, and look at it",
            )
    indices = writer.append([entry], lambda at: [progress_row(record_id, at.start)])
    return indices.start


def contradiction(before: ProgressMark, after: ProgressMark) -> str | None:
    """What shows, without the content, that ``after`` is not ``before`` grown; None if nothing."""
    if after.length < before.length:
        return f"shrinks from {before.length} to {after.length} bytes"
    if after.leaf_count == before.leaf_count and after.root != before.root:
        return f"has another root over {after.leaf_count} chunks"
    if after.length == before.length and after.tail_hash != before.tail_hash:
        return f"has another tail at {after.length} bytes"
    return None


def interrupted_records(writer: ExperienceWriter) -> tuple[InterruptedRecord, ...]:
    """The records that are open: those being written, and those whose writer died.

    One whose keys cannot be read is left out, and logged as an error.
    """
    found = []
    for work in writer.pending.recordings():
        try:
            found.append(_interrupted(writer, work))
        except (KeyStoreError, NotFoundError) as error:
            _logger.error("record %s cannot be taken up: %s", work.record_id.hex(), error)
    return tuple(found)


def abandon_record(writer: ExperienceWriter, record_id: bytes, reason: str) -> None:
    """Give an open record up: its keys, its folder, its note.

    What lies elsewhere is not touched. Where there was progress, an Erasure entry says
    so. Raises `NotFoundError` for a record that is not open, BehindError, StorageError;
    after an error or a crash the rest is carried through by recovery.
    """
    note, work = writer.pending.recording(record_id)
    if isinstance(work.step, Sealing):
        raise RefusedError(f"record {record_id.hex()} is being sealed")
    writer.require_room_for(Erasure((record_id,), reason))
    work = replace(work, step=Abandoning(reason))
    writer.pending.replace(note, work)
    _carry_out_abandonment(writer, note, work)


def settle_recording(writer: ExperienceWriter, note: Path, work: PendingRecording) -> bool:
    """Settle what a crash cut short of an open record; whether the record is open no more.

    Raises KeyStoreError or BehindError where something is in the way.
    """
    record_id = work.record_id
    if is_sealed(writer, record_id) or _is_erased(writer, record_id):
        end_recording(writer, note, work)
        return True
    if isinstance(work.step, Abandoning):
        writer.require_room_for(Erasure((record_id,), work.step.reason))
        _carry_out_abandonment(writer, note, work)
        return True
    undo_sealing(writer, note, work)
    if not _has_begun(writer, record_id):
        remove_folder(writer.content.recording_folder(record_id))
        writer.pending.finish(note)
        return True
    if not work.in_place:
        make_private_folder(writer.content.recording_folder(record_id))
    return False


def undo_sealing(writer: ExperienceWriter, note: Path, work: PendingRecording) -> None:
    """Put content back where it was, if sealing had begun; the record is open again."""
    if isinstance(work.step, Sealing):
        if work.step.moved:
            writer.content.give_back(work.record_id, work.step.root)
        else:
            writer.content.remove(work.step.root)
        writer.pending.replace(note, replace(work, step=Open()))


def end_recording(writer: ExperienceWriter, note: Path, work: PendingRecording) -> None:
    """Clear away what a sealed record needs no more; to do it twice is harmless."""
    folder = writer.content.recording_folder(work.record_id)
    if folder.exists():
        remove_folder(folder)
    writer.pending.drop(note)


def is_sealed(reader: ExperienceReader, record_id: bytes) -> bool:
    """Whether the Experience of a record is in the log."""
    try:
        reader.log.record_index(record_id)
    except NotFoundError:
        return False
    return True


def marks_of(reader: ExperienceReader, record_id: bytes) -> list[tuple[int, ProgressMark]]:
    """Every mark of a record with the index of its entry, the oldest first.

    Raises `CorruptStoreError` for a row that leads elsewhere.
    """
    indices = reader.tables.progress(record_id)
    return [(index, mark_at(reader, record_id, index)) for index in indices]


def mark_at(reader: ExperienceReader, record_id: bytes, index: int) -> ProgressMark:
    """The mark that entry ``index`` holds. Raises `CorruptStoreError` if it is another's."""
    try:
        kind = parse_entry(reader.log.entry(index)).kind
    except (NotFoundError, StorageError):
        raise
    except LedgerError as error:
        raise CorruptStoreError(f"entry {index} is damaged", hint="audit the home") from error
    if not isinstance(kind, Progress) or kind.record_id != record_id:
        raise CorruptStoreError(
            f"entry {index} is no progress of record {record_id.hex()}", hint="audit the home"
        )
    return ProgressMark(kind.leaf_count, kind.root, kind.length, kind.tail_hash)


def _interrupted(writer: ExperienceWriter, work: PendingRecording) -> InterruptedRecord:
    record_id = work.record_id
    record = OpenRecord(
        record_id,
        writer.keys.get(record_id).salt_key,
        writer.content.recording_folder(record_id),
        work.in_place,
        work.source,
    )
    return InterruptedRecord(record, tuple(mark for _, mark in marks_of(writer, record_id)))


def _has_begun(writer: ExperienceWriter, record_id: bytes) -> bool:
    """Whether `begin_record` got as far as keys; without them nobody was told of the record."""
    try:
        writer.keys.get(record_id)
    except NotFoundError:
        # Progress without keys: they were lost, and the audit says so.
        return writer.tables.newest_progress(record_id) is not None
    return True


def _carry_out_abandonment(writer: ExperienceWriter, note: Path, work: PendingRecording) -> None:
    record_id = work.record_id
    reason = work.step.reason if isinstance(work.step, Abandoning) else ""
    writer.keys.destroy([record_id])
    remove_folder(writer.content.recording_folder(record_id))
    if writer.tables.newest_progress(record_id) is not None and not _is_erased(writer, record_id):
        writer.append(
            [Erasure((record_id,), reason)],
            lambda at: [state_row(record_id, ContentState(Presence.ERASED, removed_by=at.start))],
        )
    writer.pending.finish(note)


def _is_erased(reader: ExperienceReader, record_id: bytes) -> bool:
    try:
        return reader.tables.state(record_id).presence is Presence.ERASED
    except NotFoundError:
        return False
