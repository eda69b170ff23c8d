"""The storefront node: a fleet's selling end, towards whoever has a grant.

It is managed on the robots' DDS domain. Active, it sells on the exchange's domain, under a
participant of its own that offers one thing alone, ``/quipu/s<...>/fetch_chunk`` for each
account that offers, and to processes of its user at ``SALES/storefront.sock``. It watches the
chain, closes channels in time, and has what was earned paid out.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from ledger.chain.fleets import fleet_id
from ledger.errors import LedgerError, StorageError
from ledger.wallet.wallet import Wallet
from quipu_nodes import parameters
from quipu_nodes.chain_way import ChainWay
from quipu_nodes.exchange_parameters import STOREFRONT
from quipu_nodes.managed_node import Facts, ManagedNode
from quipu_nodes.selling import Selling, StorefrontSettings


class StorefrontNode(ManagedNode):
    """Sells what a fleet's robots offer."""

    subject = "storefront"

    def __init__(self, **node_kwargs: Any) -> None:
        super().__init__("storefront", STOREFRONT, **node_kwargs)
        self._configured: tuple[StorefrontSettings, ChainWay] | None = None
        self._running = ExitStack()
        self._selling: Selling | None = None

    def configure(self) -> None:
        """Find wallets and chain."""
        sales = parameters.required_path(self, "sales")
        way = ChainWay.of(self, sales)
        fleet = parameters.text(self, "fleet")
        settings = StorefrontSettings(
            wallets=tuple(Wallet.open(each) for each in parameters.paths(self, "wallets")),
            homes=parameters.paths(self, "homes"),
            folder=sales,
            domain=parameters.domain(self, "market.domain_id"),
            sponsor=fleet_id(way.trust.chain, fleet) if fleet else b"",
            least_challenge=parameters.whole(self, "market.least_challenge") or None,
        )
        self._configured = settings, way

    def activate(self) -> None:
        """Sell."""
        if self._configured is None:
            raise StorageError("the storefront is not configured")
        self._selling = Selling(*self._configured)
        self._running.callback(self._selling.close)

    def deactivate(self) -> None:
        """Sell no more; what is paid for is given when it is active again."""
        self._running.close()
        self._selling = None

    def release(self) -> None:
        """Let the chain go."""
        configured, self._configured = self._configured, None
        if configured is not None:
            configured[1].close()

    def diagnose(self) -> tuple[bytes, str, Facts]:
        """Whether it is open, and how many sales there are."""
        if self._configured is None:
            return DiagnosticStatus.OK, "not configured", {"state": "unconfigured"}
        selling = self._selling
        if selling is None:
            return DiagnosticStatus.OK, "not active", {"state": "inactive"}
        facts: dict[str, object] = {"state": "active", "fault": selling.failure}
        storefront = selling.storefront
        if storefront is None:
            words = selling.failure or "opening"
            return (
                (DiagnosticStatus.ERROR if selling.failure else DiagnosticStatus.OK),
                words,
                facts,
            )
        try:
            facts |= {"accounts": len(storefront.accounts), "sales": len(storefront.sales)}
        except LedgerError as error:
            return DiagnosticStatus.ERROR, str(error), {**facts, "fault": str(error)}
        return DiagnosticStatus.OK, "selling", facts
