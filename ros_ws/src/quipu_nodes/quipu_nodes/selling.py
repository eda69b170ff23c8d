"""Opens a fleet's storefront, and keeps it open: on the exchange's DDS domain, and at a socket.

The chain's engine may start later than this does, and end, so it is tried again with pauses
that grow; ``failure`` says why it is not open now.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.errors import LedgerError
from ledger.exchange.socket_server import SocketServer
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.market.storefront_places import announced
from ledger.market.till import SellingSettings
from ledger.wallet.wallet import Wallet
from quipu_nodes.chain_way import ChainWay
from quipu_nodes.fetch_service import FetchService
from quipu_nodes.participant import Participant

_LOG: Final = logging.getLogger(__name__)

NAME: Final = "storefront"
"""Of the node on the exchange's domain."""

_LOOK_S: Final = 5.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class StorefrontSettings:
    """Who sells what, and where."""

    wallets: tuple[Wallet, ...]
    homes: tuple[Path, ...]
    folder: Path
    domain: int | None
    """ROS_DOMAIN_ID of the exchange; None is the environment's."""
    sponsor: bytes
    """Id of the fleet that pays fees for its robots' accounts; or nothing."""
    least_challenge: int | None = None
    """Of channels, in blocks; None for the usual (`ledger.market.challenge`)."""


class Selling:
    """A thread that keeps a storefront open, from its making until `close`."""

    def __init__(self, settings: StorefrontSettings, way: ChainWay) -> None:
        self._settings: Final = settings
        self._way: Final = way
        self._ended: Final = threading.Event()
        self.storefront: Storefront | None = None
        """While it is open."""
        self.failure = ""
        self._thread: Final = threading.Thread(target=self._run, name="quipu-selling", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sell no more; what was sold is on disk."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        pause_s = 0.0
        while not self._ended.wait(pause_s):
            try:
                self._sell()
                pause_s = 0.0
            except LedgerError as error:
                if error.message != self.failure:
                    _LOG.error("the storefront is not open: %s", error)
                self.failure = error.message
                pause_s = min(max(2 * pause_s, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)
            except Exception as error:  # noqa: BLE001 - it is tried again, and must be heard of
                _LOG.exception("the storefront failed")
                self.failure, pause_s = type(error).__name__, _LONGEST_PAUSE_S

    def _sell(self) -> None:
        settings = self._settings
        with ExitStack() as held:
            homes = held.enter_context(SellingHomes(settings.homes))
            storefront = held.enter_context(
                Storefront(
                    settings.folder,
                    self._way.chain(),
                    settings.wallets,
                    homes,
                    SellingSettings(settings.least_challenge, settings.sponsor),
                )
            )
            participant = Participant(settings.domain, NAME)
            held.callback(participant.close)
            service = FetchService(
                participant, storefront.accounts, storefront.answer, storefront.seal_ahead
            )
            held.callback(service.close)
            socket = held.enter_context(SocketServer(settings.folder, storefront.answer))
            for account in storefront.accounts:
                held.enter_context(announced(account, socket.path))
            held.enter_context(storefront.watching())
            self.storefront, self.failure = storefront, ""
            held.callback(self._shut)
            _LOG.info("sells for %d accounts", len(storefront.accounts))
            while not self._ended.wait(_LOOK_S):
                service.offer(storefront.accounts)  # a home may have come, or a key

    def _shut(self) -> None:
        self.storefront = None
