"""A note of work begun, so that a crash in the middle is found and finished.

Content, keys and the log cannot change in one step. Before the first of them
changes, ``HOME/incoming/<random hex>.pending`` says what is about to happen;
after the last it is removed. `ledger.experience.recovery` reads what is left:
an ingest that is not in the log is undone, a removal is carried through.

The note of a record that is being written (`ledger.experience.growing`) is there for
as long as that takes, under the record's id; only a step that was begun on it and not
ended is undone or carried through.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError
from ledger.experience.fields import HASH_SIZE, RECORD_ID_SIZE, require_bytes
from ledger.experience.kinds import Erasure, Pruning
from ledger.experience.private_folder import make_private_folder
from ledger.schema import store_pb2
from ledger.schema.canonical import parse_message, serialize_message
from ledger.storage.os_errors import storage_errors


@dataclass(frozen=True, slots=True)
class PendingIngest:
    """Keys and content of these records are coming; the roots are empty without content."""

    record_ids: tuple[bytes, ...]
    roots: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PendingRemoval:
    """What the coming entry says, and the stray hard links counted beforehand."""

    entry: Erasure | Pruning
    stray_links: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """The record is being written, or was when its writer died."""


@dataclass(frozen=True, slots=True)
class Sealing:
    """Its content is on its way to its place; ``moved``, out of its folder, or copied."""

    root: bytes
    moved: bool


@dataclass(frozen=True, slots=True)
class Abandoning:
    """Its content and keys go."""

    reason: str


RecordingStep: TypeAlias = Open | Sealing | Abandoning


@dataclass(frozen=True, slots=True)
class PendingRecording:
    """A record that is being written: in its own folder, or in place, at ``source``."""

    record_id: bytes
    in_place: bool = False
    source: Path | None = None
    step: RecordingStep = Open()

    def __post_init__(self) -> None:
        require_bytes(self.record_id, RECORD_ID_SIZE, "record id")


PendingWork: TypeAlias = PendingIngest | PendingRemoval | PendingRecording


class PendingNotes:
    """The notes of one home. Raises StorageError, CorruptStoreError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, work: PendingWork) -> Path:
        """Note what is about to happen, durable on return."""
        make_private_folder(self._folder)
        if isinstance(work, PendingRecording):
            path = self._recording_path(work.record_id)
        else:
            path = self._folder / f"{os.urandom(8).hex()}.pending"
        self.replace(path, work)
        return path

    def replace(self, note: Path, work: PendingWork) -> None:
        """Have a note say something else, durable on return."""
        with storage_errors(note):
            write_durably(note, _encode(work), mode=PRIVATE)

    def recording(self, record_id: bytes) -> tuple[Path, PendingRecording]:
        """The note of a record that is being written. Raises `NotFoundError` for none."""
        note = self._recording_path(record_id)
        work = self._read(note)
        if work is None:
            raise NotFoundError(f"record {record_id.hex()} is not being written")
        if not isinstance(work, PendingRecording) or work.record_id != record_id:
            raise CorruptStoreError(f"{note} is of something else", hint="audit the home")
        return note, work

    def recordings(self) -> Iterator[PendingRecording]:
        """The records that are being written."""
        return (work for _, work in self.left() if isinstance(work, PendingRecording))

    def finish(self, note: Path) -> None:
        """Remove a note: its work is done, or undone."""
        with storage_errors(note):
            note.unlink(missing_ok=True)
            sync_folder(self._folder)

    def drop(self, note: Path) -> None:
        """Remove a note without waiting for the disk; a power cut may bring it back."""
        with storage_errors(note):
            note.unlink(missing_ok=True)

    def left(self) -> Iterator[tuple[Path, PendingWork]]:
        """The notes that are there, with what they say; one finished meanwhile is left out."""
        with storage_errors(self._folder):
            notes = sorted(self._folder.glob("*.pending")) if self._folder.is_dir() else []
        for note in notes:
            work = self._read(note)
            if work is not None:
                yield note, work

    def _recording_path(self, record_id: bytes) -> Path:
        return self._folder / f"{record_id.hex()}.pending"

    def _read(self, note: Path) -> PendingWork | None:
        with storage_errors(note):
            try:
                encoded = note.read_bytes()
            except FileNotFoundError:
                return None
        return _decode(note, encoded)


def _encode(work: PendingWork) -> bytes:
    message = store_pb2.Pending()
    if isinstance(work, PendingIngest):
        message.ingest.CopyFrom(
            store_pb2.PendingIngest(record_id=work.record_ids, content_root=work.roots)
        )
    elif isinstance(work, PendingRecording):
        message.recording.CopyFrom(_recording_message(work))
    else:
        removal = store_pb2.PendingRemoval(
            record_id=work.entry.record_ids,
            reason=work.entry.reason,
            stray_links=work.stray_links,
        )
        erases = isinstance(work.entry, Erasure)
        (message.erasure if erases else message.pruning).CopyFrom(removal)
    return serialize_message(message, "pending work")


def _decode(note: Path, encoded: bytes) -> PendingWork:
    try:
        message = parse_message(store_pb2.Pending, encoded, "pending work")
        match message.WhichOneof("work"):
            case "ingest":
                ids, roots = tuple(message.ingest.record_id), tuple(message.ingest.content_root)
                if len(ids) != len(roots):
                    raise MalformedError("record ids and roots do not pair")
                return PendingIngest(ids, roots)
            case "erasure":
                return _removal(Erasure, message.erasure)
            case "pruning":
                return _removal(Pruning, message.pruning)
            case "recording":
                return _recording(message.recording)
            case _:
                raise MalformedError("it says nothing")
    except MalformedError as error:
        raise CorruptStoreError(
            f"{note} is damaged: {error.message}",
            hint="it tells of work that a crash cut short; audit the home, then remove it",
        ) from error


def _recording_message(work: PendingRecording) -> store_pb2.PendingRecording:
    message = store_pb2.PendingRecording(
        record_id=work.record_id,
        in_place=work.in_place,
        source=os.fsencode(work.source) if work.source else b"",
    )
    match work.step:
        case Sealing(root, moved):
            message.seal.CopyFrom(store_pb2.PendingSeal(content_root=root, moved=moved))
        case Abandoning(reason):
            message.abandonment.CopyFrom(store_pb2.PendingAbandonment(reason=reason))
        case Open():
            pass
    return message


def _recording(message: store_pb2.PendingRecording) -> PendingRecording:
    step: RecordingStep
    match message.WhichOneof("step"):
        case "seal":
            step = Sealing(message.seal.content_root, message.seal.moved)
            require_bytes(step.root, HASH_SIZE, "content root")
        case "abandonment":
            step = Abandoning(message.abandonment.reason)
        case _:
            step = Open()
    source = Path(os.fsdecode(message.source)) if message.source else None
    return PendingRecording(message.record_id, message.in_place, source, step)


def _removal(
    kind: type[Erasure] | type[Pruning], message: store_pb2.PendingRemoval
) -> PendingRemoval:
    entry = kind(tuple(message.record_id), message.reason)
    if len(entry.record_ids) != len(message.stray_links):
        raise MalformedError("record ids and links do not pair")
    return PendingRemoval(entry, tuple(message.stray_links))
