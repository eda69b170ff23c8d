"""A note of work begun, so that a crash in the middle is found and finished.

Content, keys and the log cannot change in one step. Before the first of them
changes, ``HOME/incoming/<random hex>.pending`` says what is about to happen;
after the last it is removed. `ledger.experience.recovery` reads what is left:
an ingest that is not in the log is undone, a removal is carried through.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ledger.durable_file import PRIVATE, sync_folder, write_durably
from ledger.errors import CorruptStoreError, MalformedError
from ledger.experience.canonical import parse_message, serialize_message
from ledger.experience.kinds import Erasure, Pruning
from ledger.experience.private_folder import make_private_folder
from ledger.schema import store_pb2
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


PendingWork: TypeAlias = PendingIngest | PendingRemoval


class PendingNotes:
    """The notes of one home. Raises StorageError, CorruptStoreError."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def begin(self, work: PendingWork) -> Path:
        """Note what is about to happen, durable on return."""
        make_private_folder(self._folder)
        path = self._folder / f"{os.urandom(8).hex()}.pending"
        with storage_errors(path):
            write_durably(path, _encode(work), mode=PRIVATE)
        return path

    def finish(self, note: Path) -> None:
        """Remove a note: its work is done, or undone."""
        with storage_errors(note):
            note.unlink(missing_ok=True)
            sync_folder(self._folder)

    def left(self) -> Iterator[tuple[Path, PendingWork]]:
        """The notes that are there, with what they say; one finished meanwhile is left out."""
        with storage_errors(self._folder):
            notes = sorted(self._folder.glob("*.pending")) if self._folder.is_dir() else []
        for note in notes:
            with storage_errors(note):
                try:
                    encoded = note.read_bytes()
                except FileNotFoundError:
                    continue
            yield note, _decode(note, encoded)


def _encode(work: PendingWork) -> bytes:
    message = store_pb2.Pending()
    if isinstance(work, PendingIngest):
        message.ingest.CopyFrom(
            store_pb2.PendingIngest(record_id=work.record_ids, content_root=work.roots)
        )
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
            case _:
                raise MalformedError("it says nothing")
    except MalformedError as error:
        raise CorruptStoreError(
            f"{note} is damaged: {error.message}",
            hint="it tells of work that a crash cut short; audit the home, then remove it",
        ) from error


def _removal(
    kind: type[Erasure] | type[Pruning], message: store_pb2.PendingRemoval
) -> PendingRemoval:
    entry = kind(tuple(message.record_id), message.reason)
    if len(entry.record_ids) != len(message.stray_links):
        raise MalformedError("record ids and links do not pair")
    return PendingRemoval(entry, tuple(message.stray_links))
