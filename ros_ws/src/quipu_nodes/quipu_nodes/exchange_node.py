"""The exchange node: a robot that buys what other fleets offer, without saying who it is.

Configured, it has the robot's credential and the way to the chain; active, it carries out
goals, one at a time: `ledger.market` with the fleet's gateway for its way to sellers and to
money. In the robot's own process what was bought goes into the robot's memory. Purchases whose
price is locked it brings to their end beside that, by itself (`quipu_nodes.taking_up`).

Action: ``~/acquire_experience``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus

from ledger.credentials.issuer_home import read_gaps
from ledger.credentials.member_file import MemberFile
from ledger.errors import LedgerError, NotFoundError, StorageError
from ledger.exchange.grant import Grant
from ledger.home import HomeWriter, open_home_to_write
from ledger.market.shelf import Shelf
from ledger.market.tools import Cancelled, Home, Told, Tools
from quipu_nodes import parameters
from quipu_nodes.acquire_server import AcquireServer, Goal
from quipu_nodes.acquiring import End, Outcome, carry_out
from quipu_nodes.chain_way import ChainWay
from quipu_nodes.exchange_parameters import EXCHANGE
from quipu_nodes.funding_messages import GatewayFunding
from quipu_nodes.managed_node import Facts, ManagedNode
from quipu_nodes.memory_access import MemoryAccess
from quipu_nodes.parameters import ParameterError
from quipu_nodes.ros_seller import RosSeller
from quipu_nodes.taking_up import TakingUp


@dataclass(frozen=True, slots=True)
class _Configured:
    """What a configured exchange node has."""

    way: ChainWay
    member: MemberFile
    gaps: Path
    purchases: Path
    gateway: str
    home: Home | None
    seal: bool
    patience_s: float


class ExchangeNode(ManagedNode):
    """Buys for one robot. ``memory`` is the robot's, where it is in this process."""

    subject = "exchange"

    def __init__(self, memory: MemoryAccess | None = None, **node_kwargs: Any) -> None:
        super().__init__("exchange", EXCHANGE, **node_kwargs)
        self._memory = memory
        self._configured: _Configured | None = None
        self._server: AcquireServer | None = None
        self._taking_up: TakingUp | None = None

    def configure(self) -> None:
        """Find credential and chain."""
        gateway = parameters.text(self, "gateway")
        if not gateway.startswith("/"):
            raise ParameterError(f"parameter gateway: {gateway!r} is not /NODE")
        member = MemberFile(parameters.required_path(self, "member"))
        purchases = parameters.required_path(self, "purchases")
        self._configured = _Configured(
            way=ChainWay.of(self, purchases),
            member=member,
            gaps=parameters.path(self, "gaps") or member.gaps,
            purchases=purchases,
            gateway=gateway,
            home=self._home(),
            seal=parameters.truth(self, "seal"),
            patience_s=parameters.number(self, "patience_s"),
        )

    def activate(self) -> None:
        """Take goals, and take up what needs none."""
        configured = self._configured
        if configured is None:
            raise StorageError("the exchange node is not configured")
        shelf = Shelf(configured.purchases, configured.way.trust.chain)
        self._taking_up = TakingUp(
            shelf, partial(self._tools, configured), has_home=configured.home is not None
        )
        self._server = AcquireServer(self, self._acquire)

    def deactivate(self) -> None:
        """Stop between two chunks."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        taking_up, self._taking_up = self._taking_up, None
        if taking_up is not None:
            taking_up.close()

    def release(self) -> None:
        """Let the chain go."""
        configured, self._configured = self._configured, None
        if configured is not None:
            configured.way.close()

    def diagnose(self) -> tuple[bytes, str, Facts]:
        """What is being bought, how the last goal ended, and what is gone on with besides."""
        server, taking_up = self._server, self._taking_up
        if self._configured is None:
            return DiagnosticStatus.OK, "not configured", {"state": "unconfigured"}
        facts: dict[str, object] = {"state": "active" if server else "inactive"}
        if server is None:
            return DiagnosticStatus.OK, "not active", facts
        progress, last = server.progress, server.last
        if server.is_busy and progress is not None:
            facts |= {
                "stage": progress.stage.name.lower(),
                "chunks": f"{progress.kept} of {progress.units}",
                "paid": progress.paid,
            }
        if last is not None:
            facts["last"] = last.end.name.lower()
            facts["fault"] = last.words
        besides = taking_up.open if taking_up is not None else ()
        facts["besides"] = len(besides)
        if besides:
            return DiagnosticStatus.WARN, "; ".join(besides), facts
        if last is not None and last.end is End.FAILED and not server.is_busy:
            return DiagnosticStatus.WARN, last.words, facts
        return DiagnosticStatus.OK, "buying" if server.is_busy else "ready", facts

    def _home(self) -> Home | None:
        memory, root = self._memory, parameters.path(self, "home")
        if memory is not None:
            return lambda: memory.owner.writer()
        return _one_at_a_time(root) if root is not None else None

    def _acquire(self, goal: Goal, told: Told, cancelled: Cancelled) -> Outcome:
        configured, taking_up = self._configured, self._taking_up
        if configured is None or taking_up is None:
            return Outcome(End.BUSY, "not active")
        with taking_up.lent(goal.wish.offer) as ended, ExitStack() as held:
            if ended is not None:
                return ended
            try:
                tools = self._tools(configured, goal.stopped, held)
            except LedgerError as error:
                return Outcome(End.UNREACHABLE, str(error))
            shelf = Shelf(configured.purchases, tools.chain.chain)
            return carry_out(shelf, tools, goal.wish, told, cancelled, again=goal.again)

    def _tools(self, configured: _Configured, stopped: threading.Event, held: ExitStack) -> Tools:
        funding = GatewayFunding(self, configured.gateway)
        held.callback(funding.close)

        def way(grant: Grant) -> RosSeller:
            seller = RosSeller(
                self,
                f"{configured.gateway}/fetch_chunk",
                grant.seller,
                configured.patience_s,
                stopped,
            )
            held.callback(seller.close)
            return seller

        return Tools(
            chain=configured.way.chain(),
            member=configured.member,
            gaps=_gaps(configured.gaps),
            funding=funding,
            way=way,
            home=configured.home,
            seal=configured.seal,
        )


def _one_at_a_time(root: Path) -> Home:
    """A home of this process's own: who comes second waits."""
    lock = threading.Lock()

    @contextmanager
    def opened() -> Iterator[HomeWriter]:
        with lock, open_home_to_write(root) as home:
            yield home

    return opened


def _gaps(path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        try:
            letter = path.read_bytes()
        except OSError as error:
            raise NotFoundError(
                f"the revocation gaps {path} cannot be read: {error.strerror}",
                hint="get the newest from the fleet's authority",
            ) from error
        read_gaps(letter)
        return letter

    return read
