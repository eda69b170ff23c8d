"""The whole audit of a chain, in this process.

`ledger.chain.audit.isolated` runs it in a child process instead, which a damaged page
of ``data.mdb`` may kill; call this one only where that is not to be feared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Final

from ledger.chain.audit.acquisition_check import check_shared_grants
from ledger.chain.audit.block_walk import BlockWalk
from ledger.chain.audit.consent_check import check_consents
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.exchange_check import check_exchange
from ledger.chain.audit.fact_check import check_facts
from ledger.chain.audit.history_check import HistoryCheck
from ledger.chain.audit.home_facts import HomeFacts
from ledger.chain.audit.log_check import check_chain_log
from ledger.chain.audit.model_check import check_models
from ledger.chain.audit.money_check import check_money
from ledger.chain.audit.notice_check import check_notices
from ledger.chain.audit.request import ChainAuditRequest
from ledger.chain.audit.robot_check import HomeBefore, RobotCheck, look_at
from ledger.chain.audit.sharing_check import check_presentations, check_sharing
from ledger.chain.audit.state_check import (
    check_heights,
    check_replayed_state,
    check_unexplained_state,
)
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.header import Header
from ledger.chain.state.leaf import decode_leaf
from ledger.chain.state.store import Heights, heights, open_state
from ledger.errors import CorruptStoreError, LedgerError
from ledger.fsck.findings import MAX_FINDINGS, AuditTrail, Depth, FindingKind
from ledger.fsck.structure import audit_store, read_published
from ledger.log_reader import ORIGIN
from ledger.storage import ReadTransaction, Storage, Table
from ledger.storage.store_kind import StoreKind

_UNUSED: Final = (
    Table.RECORDS,
    Table.CONTENT,
    Table.CHUNKS,
    Table.COPIES,
    Table.PROGRESS,
    Table.PROVENANCE,
)
"""Tables of every store that only a robot's log has rows in."""


@dataclass(frozen=True, slots=True)
class ChainPast:
    """What an audit has read, for who wants to tell it: a chain and the homes beside it."""

    chronicle: Chronicle
    homes: tuple[HomeFacts, ...]
    newest: Header | None
    replayed_height: int


def audit_chain_in_process(
    request: ChainAuditRequest, trail: AuditTrail, counters: ChainCounters
) -> ChainPast | None:
    """Audit a chain and write down what is found. ``counters`` are those of ``trail``.

    Returns what was read, None of a chain that could not be. Raises FormatVersionError, and
    StorageError for what is not damage.
    """
    past: list[ChainPast] = []

    def audit(storage: Storage) -> None:
        # Before the chain: what a home says then, the chain has seen.
        homes = [look_at(home) for home in request.robots]
        # Before the snapshot: a writer publishes only what it has committed.
        with storage.read() as txn:
            published = read_published(request.published, txn.get(Table.META, ORIGIN), trail)
        with storage.read() as txn:
            found = _audit_snapshot(txn, request, trail, counters, published, homes)
            if found is not None:
                past.append(found)

    audit_store(request.log, StoreKind.CHAIN, request.depth, trail, audit)
    return past[0] if past else None


def _audit_snapshot(
    txn: ReadTransaction,
    request: ChainAuditRequest,
    trail: AuditTrail,
    counters: ChainCounters,
    published: bytes | None,
    homes: Sequence[HomeBefore],
) -> ChainPast | None:
    kept = _heights(txn, trail)
    history = HistoryCheck(txn, trail, kept)
    walk = BlockWalk(txn, trail, counters, history)
    check_chain_log(txn, trail, walk, published=published, pinned=request.pinned)
    replay, newest = walk.replay, walk.newest
    explained = replay is not None and replay.height == (newest.height if newest else 0)
    history.finish(explained)
    if replay is not None and explained:
        check_replayed_state(txn, trail, counters, replay.state)
        root = replay.state.root
    else:
        check_unexplained_state(txn, trail, counters)
        root = newest.state_root if newest else b""
    check_heights(trail, kept, newest, root)
    _check_attachments(txn, trail, walk.named_attachments, explained)
    for table in _UNUSED:
        for key, _ in islice(txn.scan(table), MAX_FINDINGS):
            subject = f"row {key.hex()} of {table.name}"
            trail.find(FindingKind.ROW_EXTRA, subject, "a chain has no such rows")
    check_money(_stored_items(txn), trail)
    check_consents(_stored_items(txn), trail, counters)
    if walk.chronicle is not None:
        # Rows that are not the replay's are named already.
        rows = replay.state.items() if replay is not None and explained else _stored_items(txn)
        _check_chronicle(walk.chronicle, rows, request, trail, counters, walk.replayed_height)
    robots = RobotCheck(lambda key: _get(txn, key), walk.chronicle, trail, counters)
    for home in homes:
        robots.check(home)
    check_shared_grants(robots.homes, walk.chronicle, trail)
    if walk.chronicle is None:
        return None
    return ChainPast(walk.chronicle, tuple(robots.homes), newest, walk.replayed_height)


def _check_chronicle(
    chronicle: Chronicle,
    rows: Iterable[tuple[bytes, bytes]],
    request: ChainAuditRequest,
    trail: AuditTrail,
    counters: ChainCounters,
    replayed_height: int,
) -> None:
    """Check what was done by itself, and against the rows of the state that came of it."""
    check_sharing(chronicle, trail, counters)
    check_exchange(chronicle, trail, counters)
    check_notices(chronicle, trail, counters)
    check_models(chronicle, trail, counters)
    deep = request.depth is Depth.DEEP
    check_presentations(chronicle, replayed_height, trail, counters, deep=deep)
    if chronicle.unbroken:
        check_facts(rows, chronicle, trail)
    else:
        trail.note("the state was not held against what was done: blocks of it are missing")


def _heights(txn: ReadTransaction, trail: AuditTrail) -> Heights | None:
    try:
        kept = heights(txn)
    except CorruptStoreError as error:
        trail.find(FindingKind.META_WRONG, "META state", error.message)
        return None
    if kept is None or not 0 <= kept.oldest <= kept.newest:
        trail.find(FindingKind.META_WRONG, "META state", "it says which heights no store can have")
        return None
    return kept


def _stored_items(txn: ReadTransaction) -> Iterator[tuple[bytes, bytes]]:
    for _, row in txn.scan(Table.STATE_LEAVES):
        try:
            yield decode_leaf(row)
        except CorruptStoreError:
            continue  # named as a leaf of the state


def _get(txn: ReadTransaction, key: bytes) -> bytes | None:
    try:
        return open_state(txn).get(key)
    except LedgerError:
        return None


def _check_attachments(
    txn: ReadTransaction, trail: AuditTrail, named: set[bytes], explained: bool
) -> None:
    for key, data in txn.scan(Table.ATTACHMENTS):
        if sha256(data).digest() != key:
            message = "its bytes do not hash to its name"
            trail.find(FindingKind.ATTACHMENT_ROW, f"attachment {key.hex()}", message)
        elif explained and key not in named:
            trail.note(f"attachment {key.hex()} is kept, and no transaction names it")
