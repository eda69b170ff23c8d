"""Bringing a log that was restored from an old backup up to what it had published.

The missing entries come from an export (`quipu export-tiles`) that somebody kept: its
entry bundles, checked against the checkpoint that the robot itself had signed. The
recordings behind those entries, and their keys, were not in the backup: the audit
names them as missing until they are erased, which the log then says.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ledger.checkpoint import open_checkpoint
from ledger.ed25519 import PublicKey
from ledger.errors import (
    LedgerError,
    MalformedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import (
    Acquisition,
    Erasure,
    Experience,
    KeyRetirement,
    KeyRotation,
    Kind,
    Progress,
    Pruning,
    Training,
)
from ledger.experience.private_folder import remove_folder
from ledger.experience.records import (
    ContentState,
    Presence,
    Row,
    index_row,
    progress_row,
    provenance_rows,
    state_row,
)
from ledger.home import HomeWriter
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.entry_bundle import decode_entry_bundle
from ledger.merkle.hashing import leaf_hashes
from ledger.merkle.tile_path import Tile
from ledger.merkle.tiles import TILE_WIDTH
from ledger.note import KeyKind, VerifierKey
from ledger.storage.os_errors import storage_errors

CHECKPOINT_NAME: Final = "checkpoint"


def read_exported_entries(folder: Path, start: int, size: int) -> list[bytes]:
    """Entries ``start`` to ``size`` - 1 of the tlog-tiles export in ``folder``.

    Raises `NotFoundError` for a missing bundle, `MalformedError` for a damaged one.
    """
    entries: list[bytes] = []
    for index in range(start // TILE_WIDTH, -(-size // TILE_WIDTH)):
        first = index * TILE_WIDTH
        bundle = _read_bundle(folder, index, min(TILE_WIDTH, size - first))
        entries += bundle[max(0, start - first) : size - first]
    return entries


def catch_up(home: HomeWriter, folder: Path, keys: tuple[VerifierKey, ...] = ()) -> range:
    """Append what the log lacks, from the export in ``folder``; the new indices.

    Nothing is kept unless the entries lead to the root that the log's own key signed.
    Raises `VerificationError`, `ForkError`, `RefusedError`, `MalformedError`.
    """
    path = folder / CHECKPOINT_NAME
    with storage_errors(path):
        note = path.read_bytes()
    target = open_checkpoint(note, (*home.log.known_keys(), *keys)).checkpoint
    size = home.log.size
    if target.origin != home.log.origin or target.size <= size:
        raise RefusedError(
            f"the export is of {target.origin} at {target.size} entries, "
            f"the log {home.log.origin} has {size}"
        )
    entries = read_exported_entries(folder, size, target.size)
    # Before anything is destroyed on the word of these entries, they must be the log's.
    grown = CompactRange.from_reader(size, home.log).extend(leaf_hashes(entries))
    if grown.root() != target.root:
        raise VerificationError(f"the entries in {folder} do not lead to its checkpoint")
    aftermath = _Aftermath(home)
    for index, entry in enumerate(entries, size):
        aftermath.follow(index, parse_entry(entry).kind)
    aftermath.destroy_erased()
    return home.log.catch_up(entries, note, aftermath.rows())


class _Aftermath:
    """What the entries mean for the tables, keys and content of the restored home."""

    def __init__(self, home: HomeWriter) -> None:
        self._home = home
        self._places: dict[bytes, int] = {}
        self._states: dict[bytes, ContentState] = {}
        self._erased: list[bytes] = []
        self._progress: list[Row] = []
        self._provenance: list[Row] = []
        self._vkeys = list(home.vkeys)

    def follow(self, index: int, kind: Kind) -> None:
        match kind:
            case Experience():
                self._places[kind.record_id] = index
                presence = Presence.STORED if kind.content_size else Presence.EMPTY
                self._states[kind.record_id] = ContentState(presence)
            case Erasure(record_ids=record_ids):
                self._remove(record_ids, ContentState(Presence.ERASED, removed_by=index))
                self._erased += record_ids
            case Pruning(record_ids=record_ids):
                self._remove(record_ids, ContentState(Presence.PRUNED, removed_by=index))
            case Progress(record_id=record_id):
                self._progress.append(progress_row(record_id, index))
            case Acquisition() | Training():
                self._provenance += provenance_rows(kind, index)
            case KeyRotation(new_key=key):
                self._vkeys.append(self._vkey(key))
            case KeyRetirement(retired_key=key):
                self._vkeys.remove(self._vkey(key))

    def destroy_erased(self) -> None:
        """The backup may hold what was erased after it was made: it goes again, first."""
        experiences = self._home.experiences
        experiences.keys.destroy(self._erased)
        for record_id in self._erased:
            remove_folder(experiences.content.recording_folder(record_id))
            if record_id in self._places:
                continue
            try:
                root = experiences.record(record_id).experience.content_root
            except NotFoundError:  # given up while it was written: that folder was all
                continue
            experiences.content.remove(root)

    def rows(self) -> list[Row]:
        rows = [index_row(record_id, index) for record_id, index in self._places.items()]
        rows += [state_row(record_id, state) for record_id, state in self._states.items()]
        return [*rows, *self._progress, *self._provenance, *self._home.log.vkey_rows(self._vkeys)]

    def _remove(self, record_ids: Sequence[bytes], state: ContentState) -> None:
        for record_id in record_ids:
            self._states[record_id] = state

    def _vkey(self, key: bytes) -> VerifierKey:
        return VerifierKey(self._home.log.origin, KeyKind.ED25519, PublicKey(key))


def _read_bundle(folder: Path, index: int, width: int) -> list[bytes]:
    """A bundle of at least ``width`` entries: the full one, or the widest partial one."""
    tile = Tile(0, index)
    candidates = [(folder / tile.entries_path, TILE_WIDTH)]
    partial = folder / f"{tile.entries_path}.p"
    if partial.is_dir():
        names = [path.name for path in partial.iterdir()]
        widths = sorted((int(name) for name in names if name.isdecimal()), reverse=True)
        candidates += [(partial / str(each), each) for each in widths if each >= width]
    for path, there in candidates:
        if path.is_file():
            with storage_errors(path):
                data = path.read_bytes()
            try:
                return decode_entry_bundle(data, there)
            except LedgerError as error:
                raise MalformedError(f"{path} is damaged: {error.message}") from error
    raise NotFoundError(f"{folder} lacks the bundle of entries {index * TILE_WIDTH} and up")
