"""Follows a chain block by block on a thread of its own, and through its failures."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from ledger.chain.engines.service import BlockEvents, ChainService
from ledger.errors import LedgerError
from quipu_nodes.settlement_access import SettlementAccess

_LOG: Final = logging.getLogger(__name__)

_WAIT_S: Final = 0.5
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


class ChainFollowing:
    """Calls ``on_head`` with where the chain stands, and ``on_block`` with each block from
    then on. A chain that fails is reached again, with back-off; ``failure`` says why not."""

    def __init__(
        self,
        access: SettlementAccess,
        on_head: Callable[[ChainService], None],
        on_block: Callable[[BlockEvents], None],
    ) -> None:
        self._access = access
        self._on_head = on_head
        self._on_block = on_block
        self._ended = threading.Event()
        self._next = 0
        self.failure = ""
        self._thread = threading.Thread(target=self._run, name="quipu-chain-events", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it; a block that is being told of is."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = 0.0
        while not self._ended.wait(pause_s):
            try:
                if self.failure:
                    self._access.renew()
                self._follow()
                pause_s = 0.0
            except LedgerError as error:
                if str(error) != self.failure and not self._ended.is_set():
                    _LOG.error("the chain cannot be reached: %s", error)
                self.failure = str(error)
                pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - the chain goes on, so must we
                _LOG.exception("a block could not be told of")
                self.failure, pause_s = type(error).__name__, _FIRST_PAUSE_S

    def _follow(self) -> None:
        service = self._access.service()
        if not self._next or self.failure:
            self._next = self._next or service.info().height + 1
            self._on_head(service)
        if self.failure:
            _LOG.info("the chain is reached again")
            self.failure = ""
        while not self._ended.is_set():
            found = service.events(self._next, _WAIT_S)
            for block in found:
                self._next = block.height + 1
                self._on_block(block)
            if found:
                self._on_head(service)
