"""ENTRIES read in order, a tile of 256 at a time, with every hole and stray row named.

What comes out is aligned with the tree whatever the table holds: one item an
index, None where the row is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import islice

from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.merkle.tiles import TILE_WIDTH
from ledger.storage import ReadTransaction, Table

_U64 = struct.Struct(">Q")
_TILE_KEYS = struct.Struct(f">{TILE_WIDTH}Q")

META_SIZE = b"size"


def tree_size(txn: ReadTransaction, trail: AuditTrail) -> int:
    """Return how many leaves to rebuild, and name what contradicts it.

    META's size, the last key and the number of rows say the same in a sound log.
    Where they do not, an unbroken run of rows is believed first, and then the
    smaller of the other two: a damaged number must not make a tree of 2^60 leaves.
    """
    rows = txn.count(Table.ENTRIES)
    last = txn.last(Table.ENTRIES)
    after_last = 0
    if last is not None:
        after_last = _U64.unpack(last[0])[0] + 1 if len(last[0]) == _U64.size else rows
    stored = txn.get(Table.META, META_SIZE)
    if stored is None or len(stored) != _U64.size:
        trail.find(FindingKind.META_WRONG, "META size", "the size of the log is not readable")
        return rows
    (size,) = _U64.unpack(stored)
    if size == after_last == rows:
        return rows
    if size != after_last:
        trail.find(
            FindingKind.META_WRONG,
            "META size",
            f"it says {size} entries; the last one kept is number {after_last - 1}",
        )
    if after_last < size:
        trail.find(
            FindingKind.ENTRY_MISSING,
            f"entries {after_last} to {size - 1}",
            "the log was cut short: META counts them and they are not there",
            entry=after_last,
        )
    return rows if rows == after_last else min(size, after_last)


def entry_tiles(
    txn: ReadTransaction, trail: AuditTrail, start: int, size: int, *, begin: bool = False
) -> Iterator[tuple[int, list[bytes | None]]]:
    """Yield (first index, entries) for every tile of leaves [start, size), start at a tile.

    Rows beyond are named, unless the leaves are only the ``begin`` of a log.
    """
    rows = txn.scan(
        Table.ENTRIES, _U64.pack(start) if start else b"", _U64.pack(size) if begin else None
    )
    waiting: list[tuple[bytes, bytes]] = []
    for first in range(start, size, TILE_WIDTH):
        stop = min(first + TILE_WIDTH, size)
        batch = list(islice(rows, max(0, stop - first - len(waiting))))
        if waiting:
            batch = waiting + batch
            waiting = []
        entries: list[bytes | None]
        if b"".join([key for key, _ in batch]) == _keys(first, stop):
            entries = [value for _, value in batch]
        else:
            entries, waiting = _align(batch, first, stop, trail)
        yield first, entries
    _report_extra(waiting, rows, trail)


def _keys(first: int, stop: int) -> bytes:
    if stop - first == TILE_WIDTH:
        return _TILE_KEYS.pack(*range(first, stop))
    return struct.pack(f">{stop - first}Q", *range(first, stop))


def _align(
    batch: list[tuple[bytes, bytes]], first: int, stop: int, trail: AuditTrail
) -> tuple[list[bytes | None], list[tuple[bytes, bytes]]]:
    """Put rows at their index; return the entries and the rows that belong further on."""
    entries: list[bytes | None] = [None] * (stop - first)
    waiting = []
    for key, value in batch:
        index = _U64.unpack(key)[0] if len(key) == _U64.size else -1
        if first <= index < stop and entries[index - first] is None:
            entries[index - first] = value
        elif index >= stop:
            waiting.append((key, value))
        else:
            _report_row(key, trail)
    for index, entry in enumerate(entries, first):
        if entry is None:
            trail.find(
                FindingKind.ENTRY_MISSING, f"entry {index}", "the row is not there", entry=index
            )
    return entries, waiting


def _report_extra(
    waiting: list[tuple[bytes, bytes]], rows: Iterator[tuple[bytes, bytes]], trail: AuditTrail
) -> None:
    """Name rows after the last leaf, as many as a report can hold."""
    for key, _ in waiting:
        _report_row(key, trail)
    for key, _ in islice(rows, TILE_WIDTH):
        _report_row(key, trail)


def _report_row(key: bytes, trail: AuditTrail) -> None:
    index = _U64.unpack(key)[0] if len(key) == _U64.size else None
    trail.find(
        FindingKind.ENTRY_EXTRA,
        f"row {key.hex()} of ENTRIES",
        "it is no leaf of the tree",
        entry=index,
    )
