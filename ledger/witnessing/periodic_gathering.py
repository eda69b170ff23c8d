"""Asks the witnesses of a policy at regular times, until each has cosigned."""

from __future__ import annotations

import logging
import threading
from typing import Final

from ledger.errors import LedgerError, NotFoundError
from ledger.witnessing.gathering import Gatherer, GatherReport

_LOG: Final = logging.getLogger(__name__)


class PeriodicGathering:
    """A thread that gathers every ``period_s`` seconds; ``report`` is the last round's."""

    def __init__(self, gatherer: Gatherer, period_s: float) -> None:
        self.report: GatherReport | None = None
        self._gatherer = gatherer
        self._period_s = period_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="quipu-gather", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it after the round that is under way."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        said = ""
        while not self._ended.wait(self._period_s):
            try:
                self.report = self._gatherer.gather()
                said = ""
            except NotFoundError:
                pass  # no checkpoint yet
            except LedgerError as error:
                if str(error) != said and not self._ended.is_set():
                    _LOG.warning("no cosignatures: %s", error)
                said = str(error)
            except Exception:  # noqa: BLE001 - the next round may succeed
                _LOG.exception("no cosignatures")
