"""Follow mode of the memory node: bags that another recorder writes are committed too."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from ledger.follow.catalogue import HomeCatalogue
from ledger.follow.events import Alarm, Event, Noted, Sealed
from ledger.follow.follower import Follower
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink

_LOG: Final = logging.getLogger(__name__)


class Following:
    """A thread that follows ``directories``; ``alarm`` is told what does not hold any more.

    Raises `LockedError` where another process follows one of them.
    """

    def __init__(
        self,
        owner: MemoryOwner,
        directories: Sequence[Path],
        alarm: Callable[[Alarm], None],
    ) -> None:
        self.alarms = 0
        self.sealed = 0
        self._alarm = alarm
        self._ended = threading.Event()
        self._sink = OwnerSink(owner)
        self._follower = Follower(
            self._sink,
            directories,
            HomeCatalogue(owner.reader),
            listener=self._on_event,
            avoid=owner.root,
        )
        self._thread = threading.Thread(target=self._run, name="quipu-follow", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Commit what was read, and end."""
        self._ended.set()
        self._thread.join()
        self._sink.close()

    def _run(self) -> None:
        try:
            self._follower.run(self._ended)
        except Exception:  # noqa: BLE001 - a thread has nobody else to tell
            _LOG.exception("following ended")
        finally:
            self._follower.close()

    def _on_event(self, event: Event) -> None:
        match event:
            case Alarm():
                self.alarms += 1
                _LOG.error("%s: %s: %s", event.kind.value, event.path, event.detail)
                self._alarm(event)
            case Sealed():
                self.sealed += 1
                _LOG.info("sealed %s: entry %d", event.path, event.receipt.index)
            case Noted():
                _LOG.info("%s: %s: %s", event.kind.value, event.path, event.detail)
