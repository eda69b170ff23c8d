"""Signs a log at regular times, for as long as it grows."""

from __future__ import annotations

import logging
import threading
from typing import Final

from ledger.errors import LedgerError
from ledger.memory.owner import MemoryOwner

_LOG: Final = logging.getLogger(__name__)


class PeriodicCheckpoints:
    """A thread that has the log signed at once, and every ``period_s`` seconds if it grew."""

    def __init__(self, owner: MemoryOwner, period_s: float) -> None:
        self._owner = owner
        self._period_s = period_s
        self._ended = threading.Event()
        self._said = ""
        self._thread = threading.Thread(target=self._run, name="quipu-checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; a checkpoint that is being made is made."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                sign_if_grown(self._owner)
                self._said = ""
            except LedgerError as error:
                # Once, not every few seconds; the owner's status says it all the time.
                if str(error) != self._said and not self._ended.is_set():
                    _LOG.warning("no checkpoint: %s", error)
                self._said = str(error)
            except Exception:  # noqa: BLE001 - the next one may succeed
                _LOG.exception("no checkpoint")
            self._ended.wait(self._period_s)


def sign_if_grown(owner: MemoryOwner) -> bool:
    """Have the log signed if it holds what no checkpoint covers; whether it was.

    Raises what `MemoryOwner.checkpoint` raises.
    """
    status = owner.status()
    if status.checkpoint_time_ns and not status.uncheckpointed:
        return False
    owner.checkpoint()
    return True
