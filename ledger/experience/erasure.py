"""Erasing records: every key and every byte that this home can reach, and no pretence.

Destroyed: salt key, content key and commitment openings (`RecordKeyStore.destroy`),
the content under ``HOME/content``. Kept: the entry, the content root and the chunk
leaves, which without the salt key say nothing about the content.

What lies elsewhere is not ours to delete. It is named: the original that was
ingested, hard links, exports and offloads, each as long as something is at its
path. The record counts as *still readable* until nothing is. Plaintext in this
home is unlinked, not overwritten: where that must hold against somebody who reads
the raw disk, ingest sealed, so that destroying the key is enough. Backups and the
spare blocks of an SSD are beyond reach.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ledger.experience.access import ExperienceReader, ExperienceWriter, Record
from ledger.experience.copies import CopyKind
from ledger.experience.kinds import Erasure
from ledger.experience.pending import PendingRemoval
from ledger.experience.records import Presence
from ledger.experience.removal import groups, remove


@dataclass(frozen=True, slots=True)
class SurvivingFile:
    """A file outside the home that held plaintext of a record, and is there.

    ``altered`` when its size is not what was recorded: it may hold a part, or
    something else.
    """

    record_id: bytes
    path: Path
    kind: CopyKind
    altered: bool


@dataclass(frozen=True, slots=True)
class ErasureReport:
    """What an erasure did, and what it could not reach.

    ``entries`` maps each record to the index of its Erasure entry. ``stray_links``
    counts hard links to the plaintext that were made behind the home's back.
    """

    entries: dict[bytes, int]
    surviving: tuple[SurvivingFile, ...]
    stray_links: int

    @property
    def still_readable(self) -> bool:
        """Whether the content of one of the records can be read somewhere still."""
        return self.stray_links > 0 or any(not file.altered for file in self.surviving)


def erase(writer: ExperienceWriter, record_ids: Sequence[bytes], reason: str = "") -> ErasureReport:
    """Erase records, durably, and say what is left of them elsewhere.

    Records that are erased already are only looked for again. Raises
    `NotFoundError` for an unknown record, before anything is done; StorageError;
    `KeyStoreError` for a damaged key file. After an error or a crash the rest is
    carried through by `ledger.experience.recovery.recover`.
    """
    records = [writer.record(record_id) for record_id in record_ids]
    todo = {
        record.record_id: record
        for record in records
        if record.state.presence is not Presence.ERASED
    }
    for group in groups(list(todo)):
        strays = tuple(_stray_links(writer, todo[record_id]) for record_id in group)
        remove(writer, PendingRemoval(Erasure(group, reason), strays))
    return erasure_report(writer, record_ids)


def erasure_report(reader: ExperienceReader, record_ids: Sequence[bytes]) -> ErasureReport:
    """What is left, as of now, of records that were erased; others are passed over."""
    entries: dict[bytes, int] = {}
    surviving: list[SurvivingFile] = []
    strays = 0
    for record_id in sorted(set(record_ids)):
        record = reader.record(record_id)
        if record.state.presence is Presence.ERASED:
            entries[record_id] = record.state.removed_by
            surviving += _surviving(reader, record)
            strays += record.state.stray_links
    return ErasureReport(entries, tuple(surviving), strays)


def _surviving(reader: ExperienceReader, record: Record) -> list[SurvivingFile]:
    found: dict[Path, SurvivingFile] = {}
    for copy in reader.copies.of(record.record_id):
        if copy.sealed:  # ciphertext, and its key is gone
            continue
        for path, file in zip(copy.paths, record.experience.files, strict=True):
            size = _size(path) if file.size else None
            if size is not None:
                altered = size != file.size
                found[path] = SurvivingFile(record.record_id, path, copy.kind, altered)
    return list(found.values())


def _size(path: Path) -> int | None:
    """The size of what can be read at ``path``; None when nothing can, or cannot be said."""
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError:
        return -1  # it may be there: named rather than forgotten
    return status.st_size if stat.S_ISREG(status.st_mode) else -1


def _stray_links(writer: ExperienceWriter, record: Record) -> int:
    """Hard links to the stored plaintext beyond those whose paths are registered."""
    state = record.state
    if state.presence is not Presence.STORED or state.sealed:
        return state.stray_links
    elsewhere = {path for copy in writer.copies.of(record.record_id) for path in copy.paths}
    known = Counter(_inode(status) for status in map(_status, elsewhere) if status)
    stored = filter(None, map(_status, writer.content.paths(record.experience, sealed=False)))
    return sum(max(0, status.st_nlink - 1 - known[_inode(status)]) for status in stored)


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except OSError:
        return None


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
