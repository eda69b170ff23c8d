"""The chain that a settlement node offers: its engine in this process, or the way to one.

An engine that has stopped, on a full disk say, is opened anew by `renew`; a gateway whose
engine ends connects again when it is asked.
"""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Protocol

from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.server import serve_chain
from ledger.chain.engines.service import ChainService, EngineClosedError, EngineStoppedError
from ledger.chain.engines.settings import EngineSettings
from ledger.errors import LedgerError


class SettlementAccess(Protocol):
    """A chain at work, as far as it can be reached now."""

    def service(self) -> ChainService:
        """The chain. Raises `EngineError` and `StorageError` while it cannot be reached."""
        ...

    @property
    def waiting(self) -> int | None:
        """Transactions that wait for a block; None where that is not known."""
        ...

    def renew(self) -> None:
        """Try to reach it again, after it failed. Raises as `service` does."""
        ...

    def close(self) -> None:
        """End; what waits is committed, as far as there is time."""
        ...


class HostedEngine:
    """The chain's one engine, in this process, served over ``HOME/chain.sock`` too.

    Raises as `EmbeddedEngine.open`.
    """

    def __init__(self, home: Path, settings: EngineSettings) -> None:
        self._home = home
        self._settings = settings
        self._lock = threading.Lock()
        self._running = ExitStack()
        self._engine: EmbeddedEngine | None = None
        self._failure: LedgerError | None = None
        self._closed = False
        self._open()

    def service(self) -> ChainService:
        """See `SettlementAccess.service`."""
        engine = self._engine
        if engine is None:
            raise self._failure or EngineStoppedError("the engine is being started again")
        return engine

    @property
    def waiting(self) -> int | None:
        """See `SettlementAccess.waiting`."""
        engine = self._engine
        return engine.waiting if engine else None

    def renew(self) -> None:
        """See `SettlementAccess.renew`."""
        with self._lock:
            if self._closed:
                raise EngineClosedError("the settlement node is closed")
            self._engine = None
            try:
                self._running.close()
                self._open()
            except LedgerError as error:
                self._failure = error
                raise

    def close(self) -> None:
        """See `SettlementAccess.close`."""
        with self._lock:
            self._closed = True
            self._engine = None
            self._running.close()

    def _open(self) -> None:
        self._running = ExitStack()
        self._engine = self._running.enter_context(serve_chain(self._home, self._settings))
        self._failure = None


class Gateway:
    """The way to an engine in another process; it need not run yet."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._lock = threading.Lock()
        self._client: ChainClient | None = None
        self._closed = False

    def service(self) -> ChainService:
        """See `SettlementAccess.service`."""
        with self._lock:
            if self._closed:
                raise EngineClosedError("the settlement node is closed")
            if self._client is None:
                self._client = ChainClient(self._socket)
            return self._client

    @property
    def waiting(self) -> int | None:
        """See `SettlementAccess.waiting`."""
        return None

    def renew(self) -> None:
        """See `SettlementAccess.renew`: the next call connects again."""
        self.service().info()

    def close(self) -> None:
        """See `SettlementAccess.close`."""
        with self._lock:
            self._closed = True
            client, self._client = self._client, None
        if client is not None:
            client.close()
