"""Rounds of anchoring at regular times, sooner when there is reason, later when there is none.

A chain that cannot be reached is tried again after half a second, then after one, two, up
to a minute, for as long as it takes: a robot that comes back after days anchors within that
minute, or at once when somebody hears the chain and says so (`PeriodicAnchoring.wake`).
"""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import Final

from ledger.chain.engines.service import EngineError
from ledger.chain.proven.port import ChainPort
from ledger.memory.anchor_status import AnchorState, AnchorStatus
from ledger.memory.anchoring.anchorer import Anchorer, Connect
from ledger.memory.owner import MemoryOwner
from ledger.memory.status import CheckpointStored, MemoryEvent

_LOG: Final = logging.getLogger(__name__)

FIRST_RETRY_S: Final = 0.5
LONGEST_RETRY_S: Final = 60.0
SHORTEST_S: Final = 0.5
"""Between two rounds, whoever asks for one."""

_RETRIED: Final = {
    AnchorState.UNREACHABLE,
    AnchorState.REFUSED,
    AnchorState.WAITING,
    AnchorState.FAILED,
    AnchorState.DISTRUSTED,
}
_SIGNATURE: Final = "\n\u2014 ".encode()


class PeriodicAnchoring:
    """A thread that anchors at once, and every ``period_s`` seconds."""

    def __init__(
        self, owner: MemoryOwner, anchorer: Anchorer, connect: Connect, period_s: float
    ) -> None:
        self._owner = owner
        self._anchorer = anchorer
        self._connect = connect
        self._period_s = period_s
        self._awake = threading.Event()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._port: ChainPort | None = None
        self._failures = 0
        self._status = anchorer.last
        owner.set_anchor(self._status)
        self._unsubscribe = owner.subscribe(self._on_event)
        self._thread = threading.Thread(target=self._run, name="quipu-anchor", daemon=True)
        self._thread.start()

    @property
    def status(self) -> AnchorStatus:
        """How the last round went."""
        return self._status

    def wake(self) -> None:
        """Have the next round now: the chain was heard, or evidence was found."""
        self._failures = 0
        self._awake.set()

    def close(self) -> None:
        """End it; a transaction that is under way may still be carried out."""
        self._unsubscribe()
        self._ended.set()
        self._awake.set()
        self._drop()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.is_set():
            began = time.monotonic()
            self._awake.clear()
            try:
                self._take(self._round())
            except Exception as error:  # noqa: BLE001 - the next round may succeed
                _LOG.exception("a round of anchoring failed")
                self._take(AnchorStatus(AnchorState.FAILED, detail=type(error).__name__))
            self._awake.wait(self._pause_s())
            self._ended.wait(max(0.0, began + SHORTEST_S - time.monotonic()))

    def _round(self) -> AnchorStatus:
        try:
            port = self._connected()
        except EngineError as error:
            last = self._anchorer.last
            return AnchorStatus(
                AnchorState.UNREACHABLE, last.size, last.height, last.time_ns, error.message
            )
        return self._anchorer.round(port)

    def _connected(self) -> ChainPort:
        with self._lock:
            if self._port is None:
                self._port = self._connect()
            port = self._port
        if self._ended.is_set():
            self._drop()
        return port

    def _drop(self) -> None:
        with self._lock:
            port, self._port = self._port, None
        if port is not None:
            port.close()

    def _take(self, status: AnchorStatus) -> None:
        before, self._status = self._status, status
        self._failures = self._failures + 1 if status.state in _RETRIED else 0
        self._owner.set_anchor(status)
        news = (status.state, status.detail) != (before.state, before.detail)
        if not news or self._ended.is_set():
            return
        words = f"{status.state.name.lower()}: {status.detail}".removesuffix(": ")
        if status.alarming:
            _LOG.error("nothing more of this log is anchored: %s", words)
        elif status.state in (AnchorState.REFUSED, AnchorState.FAILED):
            _LOG.warning("anchoring: %s", words)
        else:
            _LOG.info("anchoring: %s, %d leaves at block %d", words, status.size, status.height)

    def _pause_s(self) -> float:
        if not self._failures:
            return self._period_s
        doubled = FIRST_RETRY_S * 2.0 ** min(self._failures - 1, 16)
        # A fleet that lost its chain at one moment must not come back at one moment.
        spread = random.uniform(0.8, 1.2)  # noqa: S311
        return min(doubled, LONGEST_RETRY_S) * spread

    def _on_event(self, event: MemoryEvent) -> None:
        """What was missing may have come: the first checkpoint, or cosignatures."""
        if isinstance(event, CheckpointStored):
            state, signatures = self._status.state, event.note.count(_SIGNATURE)
            if state is AnchorState.WAITING or (
                state is AnchorState.UNWITNESSED and signatures > 1
            ):
                self._awake.set()
