"""Bringing a log that was restored from an old backup up to what it had published.

The missing entries come from an export (`quipu export-tiles`) that somebody kept: its
entry bundles, checked against the checkpoint that the robot itself had signed. The
recordings behind those entries, and their keys, were not in the backup: the audit
names them as missing until they are erased, which the log then says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from ledger.checkpoint import open_checkpoint
from ledger.errors import LedgerError, MalformedError, NotFoundError, RefusedError
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience
from ledger.experience.records import ContentState, Presence, Row, index_row, state_row
from ledger.home import HomeWriter
from ledger.merkle.entry_bundle import decode_entry_bundle
from ledger.merkle.tile_path import Tile
from ledger.merkle.tiles import TILE_WIDTH
from ledger.note import VerifierKey
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
    rows: list[Row] = []
    for index, entry in enumerate(entries, size):
        rows += _rows(index, entry)
    return home.log.catch_up(entries, note, rows)


def _rows(index: int, encoded: bytes) -> list[Row]:
    kind = parse_entry(encoded).kind
    if not isinstance(kind, Experience):
        return []
    presence = Presence.STORED if kind.content_size else Presence.EMPTY
    return [
        index_row(kind.record_id, index),
        state_row(kind.record_id, ContentState(presence)),
    ]


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
