"""Robots' logs against what the chain anchored of them: size and root, from their entries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.state_keys import anchor_key
from ledger.errors import LedgerError
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.log_reader import LogReader
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import leaf_hashes
from ledger.schema.canonical import parse_message
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.storage.lmdb import LmdbStorage, verify_pages

_HASHED_AT_ONCE = 4_096

Get = Callable[[bytes], bytes | None]
"""The value of a key of the chain's state."""


def check_robot(home: Path, get: Get, trail: AuditTrail, counters: ChainCounters) -> None:
    """Check that the robot's log begins with the leaves that were anchored."""
    log = home / "log"
    if not (log / "data.mdb").is_file():
        _find(trail, str(home), "there is no robot's home", home)
        return
    wrong = verify_pages(log)  # what is damaged could end this process
    if wrong:
        _find(trail, str(home), f"its store is damaged: {wrong[0]}", home)
        return
    storage = LmdbStorage.open_reader(log)
    try:
        reader = LogReader(storage)
        _compare(home, reader, get, trail, counters)
    except LedgerError as error:
        _find(trail, str(home), f"its log cannot be read: {error.message}", home)
    finally:
        storage.close()


def _compare(
    home: Path, log: LogReader, get: Get, trail: AuditTrail, counters: ChainCounters
) -> None:
    origin = log.origin
    row = get(anchor_key(origin))
    if row is None:
        trail.note(f"no checkpoint of {origin} is anchored")
        return
    anchor = parse_message(AnchorRecord, row, "anchor")
    counters.robots += 1
    if log.size < anchor.size:
        message = f"{anchor.size} entries are anchored; the log has {log.size}"
        _find(trail, origin, message, home, anchor.height)
        return
    if _root(log, anchor.size) != anchor.root:
        message = f"its first {anchor.size} entries are not those that were anchored"
        _find(trail, origin, message, home, anchor.height)


def _root(log: LogReader, size: int) -> bytes:
    """The root over the first leaves, hashed anew."""
    tree = CompactRange()
    waiting: list[bytes] = []
    for entry in log.entries(0, size):
        waiting.append(entry)
        if len(waiting) == _HASHED_AT_ONCE:
            tree = tree.extend(leaf_hashes(waiting))
            waiting.clear()
    return tree.extend(leaf_hashes(waiting)).root()


def _find(
    trail: AuditTrail, subject: str, message: str, home: Path, height: int | None = None
) -> None:
    trail.find(FindingKind.ANCHOR_WRONG, f"log {subject}", message, file=str(home), height=height)
