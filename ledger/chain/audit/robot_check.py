"""Robots' homes against the chain: what was anchored, offered and bought, from their entries.

A home that is named is read whole, and held against what the chain says of it; where homes
of sellers and of buyers are named, so are the two sides of each sale.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ledger.chain.audit.acquisition_check import check_acquisitions, check_trainings
from ledger.chain.audit.counters import ChainCounters
from ledger.chain.audit.home_facts import HomeFacts, HomeReading
from ledger.chain.audit.model_check import check_trained
from ledger.chain.audit.offer_check import check_offers
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.state_keys import anchor_key
from ledger.errors import LedgerError, MalformedError
from ledger.fsck.findings import AuditTrail, FindingKind
from ledger.log_reader import LogReader
from ledger.schema.canonical import parse_message
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.lmdb_pages import verify_pages

Get = Callable[[bytes], bytes | None]
"""The value of a key of the chain's state."""


@dataclass(frozen=True, slots=True)
class HomeBefore:
    """A home as it was before the chain was looked at: whatever it says the chain has seen.

    Its robot may go on meanwhile; entries that come later are left for another audit.
    """

    path: Path
    size: int
    problem: str = ""
    """Why it cannot be read."""


def look_at(home: Path) -> HomeBefore:
    """See whether a home can be read, and how long its log is."""
    log = home / "log"
    if not (log / "data.mdb").is_file():
        return HomeBefore(home, 0, "there is no robot's home")
    wrong = verify_pages(log)  # what is damaged could end this process
    if wrong:
        return HomeBefore(home, 0, f"its store is damaged: {wrong[0]}")
    try:
        storage = LmdbStorage.open_reader(log)
    except LedgerError as error:
        return HomeBefore(home, 0, f"its log cannot be read: {error.message}")
    try:
        return HomeBefore(home, LogReader(storage).size)
    except LedgerError as error:
        return HomeBefore(home, 0, f"its log cannot be read: {error.message}")
    finally:
        storage.close()


class RobotCheck:
    """Takes homes one by one. ``homes`` are those that could be read, as they are."""

    def __init__(
        self, get: Get, chronicle: Chronicle | None, trail: AuditTrail, counters: ChainCounters
    ) -> None:
        self._get = get
        self._chronicle = chronicle
        self._trail = trail
        self._counters = counters
        self.homes: list[HomeFacts] = []

    def check(self, before: HomeBefore) -> None:
        """Check that the robot's log begins with the leaves that were anchored, and all else."""
        home = before.path
        if before.problem:
            self._find(str(home), before.problem, home)
            return
        storage = LmdbStorage.open_reader(home / "log")
        try:
            self._check(HomeReading(home, storage, before.size))
        except LedgerError as error:
            self._find(str(home), f"its log cannot be read: {error.message}", home)
        finally:
            storage.close()

    def _check(self, reading: HomeReading) -> None:
        origin = reading.log.origin
        row = self._get(anchor_key(origin))
        if row is None:
            self._trail.note(f"no checkpoint of {origin} is anchored")
            facts = reading.facts()
        else:
            facts = self._compare(reading, self._anchor(origin, row, reading.path))
        self.homes.append(facts)
        if self._chronicle is not None:
            check_offers(reading, facts, self._chronicle, self._trail, self._counters)
            check_acquisitions(facts, self._chronicle, self._trail, self._counters)
            check_trainings(facts, self._trail, self._counters)
            check_trained(reading, facts, self._chronicle, self._trail)

    def _anchor(self, origin: str, row: bytes, home: Path) -> AnchorRecord | None:
        try:
            return parse_message(AnchorRecord, row, "anchor")
        except MalformedError as error:
            self._find(origin, f"its anchor cannot be read: {error.message}", home)
            return None

    def _compare(self, reading: HomeReading, anchor: AnchorRecord | None) -> HomeFacts:
        if anchor is None:
            return reading.facts()
        self._counters.robots += 1
        facts, home = reading.facts(anchor.size), reading.path
        if facts.size < anchor.size:
            message = f"{anchor.size} entries are anchored; the log has {facts.size}"
            self._find(facts.origin, message, home, anchor.height)
        elif facts.root_at[anchor.size] != anchor.root:
            message = f"its first {anchor.size} entries are not those that were anchored"
            self._find(facts.origin, message, home, anchor.height)
        return facts

    def _find(self, subject: str, message: str, home: Path, height: int | None = None) -> None:
        kind = FindingKind.ANCHOR_WRONG
        self._trail.find(kind, f"log {subject}", message, file=str(home), height=height)
