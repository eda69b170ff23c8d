"""Makes room on a robot while it works: old recordings are offloaded, then let go.

Each step is short, so that commits come between: one recording is copied and read back
at a time, and those that go are pruned in small groups.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Final

from ledger.errors import LedgerError, RefusedError
from ledger.experience.offload import offload
from ledger.experience.records import Presence
from ledger.experience.retention import RetentionPolicy, prune, select
from ledger.memory.owner import MemoryOwner

_LOG: Final = logging.getLogger(__name__)

_GROUP: Final = 64
_NS: Final = 10**9


@dataclass(frozen=True, slots=True)
class MaintenancePolicy:
    """What to do about recordings; nothing, unless something is said.

    ``offload_to`` is a folder that gets a verified copy of every recording kept here.
    A recording goes when it is older than ``keep_for_s`` seconds, larger than
    ``larger_than`` bytes, or, the oldest first, while all of them are more than
    ``keep_at_most`` bytes. What has no verified copy in reach stays, unless
    ``prune_unoffloaded``: then it is gone for good.
    """

    offload_to: Path | None = None
    keep_for_s: float | None = None
    larger_than: int | None = None
    keep_at_most: int | None = None
    prune_unoffloaded: bool = False

    @property
    def does_nothing(self) -> bool:
        """Whether there is nothing to do."""
        return self.offload_to is None and not self.prunes

    @property
    def prunes(self) -> bool:
        """Whether recordings may go."""
        limits = (self.keep_for_s, self.larger_than, self.keep_at_most)
        return any(limit is not None for limit in limits)

    def retention(self, now_ns: int) -> RetentionPolicy:
        """The limits as of ``now_ns`` (ns since 1970)."""
        before = None if self.keep_for_s is None else now_ns - round(self.keep_for_s * _NS)
        return RetentionPolicy(before, self.larger_than, self.keep_at_most)


@dataclass(frozen=True, slots=True)
class MaintenanceReport:
    """What one round did. ``refused`` recordings should go and have no copy in reach."""

    offloaded: int = 0
    pruned: int = 0
    refused: int = 0
    freed_bytes: int = 0
    error: str = ""


class Maintenance:
    """Rounds of maintenance of one home."""

    def __init__(self, owner: MemoryOwner, policy: MaintenancePolicy) -> None:
        self._owner = owner
        self._policy = policy
        self._copied: set[bytes] = set()

    def run(self, ended: Callable[[], bool] = lambda: False) -> MaintenanceReport:
        """Do what is to be done now, until ``ended``. Errors are in the report."""
        report = MaintenanceReport()
        try:
            if self._policy.offload_to is not None:
                for _ in self._offload(self._policy.offload_to):
                    report = replace(report, offloaded=report.offloaded + 1)
                    if ended():
                        return report
            if self._policy.prunes:
                for pruned, refused, freed in self._prune():
                    report = replace(
                        report,
                        pruned=report.pruned + pruned,
                        refused=report.refused + refused,
                        freed_bytes=report.freed_bytes + freed,
                    )
                    if ended():
                        return report
        except LedgerError as error:
            report = replace(report, error=str(error))
        return report

    def _offload(self, destination: Path) -> Iterator[bytes]:
        with self._owner.reader() as home:
            kept = {
                record_id
                for record_id, state in home.experiences.tables.states()
                if state.presence in (Presence.STORED, Presence.IN_PLACE)
            }
        self._copied &= kept
        for record_id in sorted(kept - self._copied):
            with self._owner.reader() as home:
                receipts = list(offload(home.experiences, [record_id], destination))
            self._copied.add(record_id)
            if any(receipt.copied for receipt in receipts):
                yield record_id

    def _prune(self) -> Iterator[tuple[int, int, int]]:
        with self._owner.reader() as home:
            going = select(home.experiences, self._policy.retention(time.time_ns()))
        ids = iter([record.record_id for record in going])
        while group := list(islice(ids, _GROUP)):
            with self._owner.writer() as home:
                try:
                    report = prune(
                        home.experiences,
                        group,
                        "retention",
                        force=self._policy.prune_unoffloaded,
                    )
                except RefusedError:
                    yield 0, len(group), 0
                    continue
            yield len(report.pruned), len(report.refused), report.freed_bytes


class PeriodicMaintenance:
    """A thread that runs a round every ``period_s`` seconds; ``report`` is the last one's."""

    def __init__(self, owner: MemoryOwner, policy: MaintenancePolicy, period_s: float) -> None:
        self.report = MaintenanceReport()
        self._maintenance = Maintenance(owner, policy)
        self._period_s = period_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quipu-maintenance", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it after the step that is under way."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._period_s):
            before = self.report
            try:
                self.report = self._maintenance.run(self._ended.is_set)
            except Exception as error:  # noqa: BLE001 - the next round may succeed
                _LOG.exception("maintenance failed")
                self.report = MaintenanceReport(error=str(error))
            if self.report.error and self.report.error != before.error:
                _LOG.warning("recordings could not be offloaded or pruned: %s", self.report.error)
