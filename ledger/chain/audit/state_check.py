"""The stored state against the one that the rules led to, key by key and tile by tile."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.replayed_state import ReplayedState
from ledger.chain.header import Header
from ledger.chain.key_words import describe_key
from ledger.chain.state.check import check_state
from ledger.chain.state.leaf import decode_leaf
from ledger.chain.state.store import Heights
from ledger.chain.state.tile import EMPTY_TILE, tile_key
from ledger.errors import CorruptStoreError, LedgerError
from ledger.fsck.findings import MAX_FINDINGS, AuditTrail, FindingKind, Phase
from ledger.fsck.tile_diagnosis import differing_span
from ledger.storage import ReadTransaction, Table

_PROGRESS_EVERY = 10_000


def check_replayed_state(
    txn: ReadTransaction, trail: AuditTrail, counters: ChainCounters, state: ReplayedState
) -> None:
    """Compare every leaf and every tile of the newest state with the replayed one."""
    counters.state_keys = len(state.rows)
    _compare_leaves(txn, trail, state.rows)
    # A map that became empty has the tile of zero bytes, one that always was has none.
    expected = dict(state.tiles)
    top = tile_key(0, 0)
    stored = dict(txn.scan(Table.STATE_TILES))
    if expected.get(top) == EMPTY_TILE or stored.get(top) == EMPTY_TILE:
        expected.setdefault(top, EMPTY_TILE)
        stored.setdefault(top, EMPTY_TILE)
    differing = (
        key
        for key in sorted(expected.keys() | stored.keys())
        if expected.get(key) != stored.get(key)
    )
    for key in islice(differing, MAX_FINDINGS):
        ours, theirs = expected.get(key), stored.get(key)
        trail.find(
            FindingKind.STATE_TILE,
            f"tile {key.hex()} of the state",
            "it is not there" if theirs is None else "it is not that of its keys",
            span=differing_span(ours, theirs) if ours and theirs else None,
        )


def check_unexplained_state(
    txn: ReadTransaction, trail: AuditTrail, counters: ChainCounters
) -> None:
    """What can be said of a state that the rules do not lead to: that it agrees with itself."""
    counters.state_keys = txn.count(Table.STATE_LEAVES)
    try:
        check_state(txn)
    except LedgerError as error:
        trail.find(FindingKind.STATE_KEY, "the state", error.message)


def check_heights(
    trail: AuditTrail, kept: Heights | None, newest: Header | None, root: bytes
) -> None:
    """META's row of the state: the newest height, and the root that its header signs."""
    if kept is None:
        return
    height = newest.height if newest else 0
    if kept.newest != height:
        message = f"it says that the state is of height {kept.newest}; the newest block is {height}"
        trail.find(FindingKind.META_WRONG, "META state", message)
    elif kept.root != root:
        message = f"its root is not that of block {height}"
        trail.find(FindingKind.META_WRONG, "META state", message, height=height)


def _compare_leaves(
    txn: ReadTransaction, trail: AuditTrail, expected: Mapping[bytes, bytes]
) -> None:
    same, total = 0, len(expected)
    last = b""
    for number, (path, row) in enumerate(txn.scan(Table.STATE_LEAVES)):
        if number % _PROGRESS_EVERY == 0:
            trail.at(Phase.STATE, number, total)
        ours = expected.get(path)
        if ours != row:
            _wrong_leaf(trail, path, ours, row)
        elif path > last:  # a damaged page can show one row twice, and hide another
            same += 1
        last = path
    trail.at(Phase.STATE, total, total)
    # What a scan shows, a look-up need not find: they go through other pages.
    gone = (path for path in sorted(expected) if txn.get(Table.STATE_LEAVES, path) is None)
    named = 0
    for path in islice(gone, MAX_FINDINGS):
        _wrong_leaf(trail, path, expected[path], None)
        named += 1
    if same < total and not named and not trail.findings_total:
        trail.find(FindingKind.STORE_DAMAGED, "STATE_LEAVES", "its rows are not in order")


def _wrong_leaf(trail: AuditTrail, path: bytes, ours: bytes | None, stored: bytes | None) -> None:
    key = None
    for row in (ours, stored):
        if row is not None and key is None:
            try:
                key = decode_leaf(row)[0]
            except CorruptStoreError:
                continue
    if stored is None:
        message = "it is not there"
    elif ours is None:
        message = "no transaction wrote it"
    else:
        message = "its value is not the one that the rules gave it"
    trail.find(
        FindingKind.STATE_KEY,
        describe_key(key) if key is not None else f"leaf {path.hex()} of the state",
        message,
        span=differing_span(ours, stored) if ours and stored else None,
        key=key,
    )
