"""The gateway node: a fleet's buying end, between its robots and the storefronts of others.

It stands on the robots' DDS domain. Configured, it knows the chain and the fleet's wallet;
active, it takes members' requests to storefronts, under another DDS participant for each
purchase (`relay`), and gives grants' one-time keys money out of the fleet's pool.

Services: ``~/fetch_chunk`` and ``~/fund_grant``. Whoever is on the domain may use both: what
goes through is sealed, and money goes to grants of the fleet's own members only, each once, within
the limits that the parameters set.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from quipu_interfaces.srv import FetchChunk, FundGrant

from ledger.chain.fleets import fleet_id
from ledger.errors import LedgerError, StorageError
from ledger.market.funding import PoolFunding
from ledger.market.funding_limits import FundingLimits
from ledger.wallet.wallet import Wallet
from quipu_nodes import funding_messages, parameters
from quipu_nodes.chain_way import ChainWay
from quipu_nodes.exchange_parameters import GATEWAY
from quipu_nodes.inbox import Inbox
from quipu_nodes.managed_node import Facts, ManagedNode
from quipu_nodes.parameters import ParameterError
from quipu_nodes.relay import Relay, RelaySettings


@dataclass(frozen=True, slots=True)
class _Configured:
    """What a configured gateway has."""

    way: ChainWay
    authority: Wallet
    fleet: bytes
    paid: Path
    limits: FundingLimits
    settings: RelaySettings


class GatewayNode(ManagedNode):
    """Buys for a fleet's members, as one of the fleet."""

    subject = "gateway"

    def __init__(self, **node_kwargs: Any) -> None:
        super().__init__("gateway", GATEWAY, **node_kwargs)
        self._configured: _Configured | None = None
        self._running = ExitStack()
        self._relay: Relay | None = None
        self._paid = 0
        self._fault = ""

    def configure(self) -> None:
        """Find the chain's keys and the fleet's wallet."""
        name = parameters.text(self, "fleet")
        if not name:
            raise ParameterError("parameter fleet names no fleet")
        paid = parameters.required_path(self, "paid")
        way = ChainWay.of(self, paid)
        self._configured = _Configured(
            way,
            Wallet.open(parameters.required_path(self, "authority")),
            fleet_id(way.trust.chain, name),
            paid,
            FundingLimits(
                most_price=parameters.whole(self, "market.most_price") or None,
                most_per_period=parameters.whole(self, "market.most_per_period") or None,
                period=parameters.whole(self, "market.period"),
            ),
            RelaySettings(
                domain=parameters.domain(self, "market.domain_id"),
                most=parameters.whole(self, "market.purchases"),
                idle_s=parameters.number(self, "market.idle_s"),
                answer_s=parameters.number(self, "market.answer_s"),
            ),
        )

    def activate(self) -> None:
        """Take requests, and pay."""
        configured = self._configured
        if configured is None:
            raise StorageError("the gateway is not configured")
        relay = self._relay = Relay(configured.settings)
        self._running.callback(relay.close)
        fetching = Inbox(self, "quipu-gateway", lambda: None, nap_s=0.0)
        fetching.serve_later(FetchChunk, "~/fetch_chunk", relay.take)
        fetching.start()
        self._running.callback(fetching.close)
        # A thread of its own: a payment waits for its block.
        funding = Inbox(self, "quipu-funding", lambda: None, nap_s=0.0)
        funding.serve(FundGrant, "~/fund_grant", self._on_fund)
        funding.start()
        self._running.callback(funding.close)

    def deactivate(self) -> None:
        """End all that."""
        self._relay = None
        self._running.close()

    def release(self) -> None:
        """Let the chain go."""
        configured, self._configured = self._configured, None
        if configured is not None:
            configured.way.close()

    def diagnose(self) -> tuple[bytes, str, Facts]:
        """What goes through, and whether money can be paid."""
        if self._configured is None:
            return DiagnosticStatus.OK, "not configured", {"state": "unconfigured"}
        relay = self._relay
        facts: dict[str, object] = {
            "state": "active" if relay else "inactive",
            "purchases": relay.open if relay else 0,
            "purchases_begun": relay.begun if relay else 0,
            "requests": relay.carried if relay else 0,
            "grants_funded": self._paid,
            "fault": self._fault,
        }
        if self._fault:
            return DiagnosticStatus.WARN, self._fault, facts
        return DiagnosticStatus.OK, "buying for the fleet" if relay else "not active", facts

    def _on_fund(self, request: Any, response: Any) -> Any:
        configured = self._configured
        try:
            if configured is None:
                raise StorageError("the gateway is not configured")
            chain = configured.way.chain()
            funding = PoolFunding(
                chain, configured.authority, configured.fleet, configured.paid, configured.limits
            )
        except LedgerError as error:
            self._fault = error.message
            return funding_messages.fail(response, error)
        answer = funding_messages.pay(funding, request, response)
        if answer.error_code == FundGrant.Response.UNAVAILABLE:
            self._fault = answer.error_msg
        else:
            self._fault = ""
            self._paid += answer.error_code == FundGrant.Response.NONE
        try:
            chain.keep()
        except LedgerError as error:  # what was paid is paid
            self._fault = error.message
        return answer
