"""The settlement node: a fleet's chain on the DDS domain.

With ``home`` it is the chain's engine, and serves its socket too; with ``socket`` it leads
to an engine in another process. Configured, it has the chain; active, it answers and tells
of blocks.

Services: ``~/submit_transaction`` and ``~/query_state``. Whoever is on the domain may use
both: a transaction counts for who signed it, an answer for what proves it.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticStatus
from quipu_interfaces.msg import ChainBlock, ChainHead
from quipu_interfaces.srv import QueryState, SubmitTransaction

from ledger.chain.engines.service import BlockEvents, ChainService
from ledger.chain.engines.settings import EngineSettings
from ledger.errors import LedgerError, StorageError
from quipu_nodes import chain_messages as messages
from quipu_nodes import parameters
from quipu_nodes.chain_following import ChainFollowing
from quipu_nodes.inbox import Inbox
from quipu_nodes.managed_node import Facts, ManagedNode
from quipu_nodes.parameters import SETTLEMENT, ParameterError
from quipu_nodes.settlement_access import Gateway, HostedEngine, SettlementAccess

_NS: Final = 1_000_000_000


class SettlementNode(ManagedNode):
    """Offers one chain."""

    subject = "settlement"

    def __init__(self, **node_kwargs: Any) -> None:
        super().__init__("settlement", SETTLEMENT, **node_kwargs)
        self._access: SettlementAccess | None = None
        self._running = ExitStack()
        self._following: ChainFollowing | None = None
        self._place = ""

    def configure(self) -> None:
        """Open the chain, or find the way to it."""
        home, socket = parameters.path(self, "home"), parameters.path(self, "socket")
        if (home is None) == (socket is None):
            raise ParameterError("one of the parameters home and socket must be said")
        if home is not None:
            self._access = HostedEngine(home, self._settings())
            info = self._access.service().info()
            self.get_logger().info(
                f"is the engine of {info.origin}, chain {info.chain.hex()}, at block {info.height}"
            )
        else:
            self._access = Gateway(socket or Path())
        self._place = str(home or socket)

    def activate(self) -> None:
        """Answer, and tell of blocks."""
        access = self._access
        if access is None:
            raise StorageError("there is no chain")
        name = str(self.get_fully_qualified_name())
        heads = self.create_publisher(ChainHead, messages.HEAD, messages.HEAD_QOS)
        blocks = self.create_publisher(ChainBlock, messages.BLOCKS, messages.BLOCK_QOS)
        for publisher in (heads, blocks):
            self._running.callback(self.destroy_publisher, publisher)

        def tell_head(service: ChainService) -> None:
            info, signed = service.info(), service.signed_header()
            now = self.time.now()
            heads.publish(messages.head_message(info.chain, info.height, signed, name, now))

        def tell_block(block: BlockEvents) -> None:
            if block.encoded:
                blocks.publish(messages.block_message(block, self.time.now()))

        def on_submit(request: Any, response: Any) -> Any:
            try:
                messages.submit(access.service(), request, response)
            except LedgerError as error:
                messages.failed(error, response)
            return response

        def on_query(request: Any, response: Any) -> Any:
            try:
                messages.query(access.service(), request, response)
            except LedgerError as error:
                messages.failed(error, response)
            return response

        self._following = ChainFollowing(access, tell_head, tell_block)
        self._running.callback(self._following.close)
        inbox = Inbox(self, "quipu-settlement", lambda: None)
        inbox.serve(SubmitTransaction, "~/submit_transaction", on_submit)
        inbox.serve(QueryState, "~/query_state", on_query)
        inbox.start()
        self._running.callback(inbox.close)

    def deactivate(self) -> None:
        """End all that."""
        self._following = None
        self._running.close()

    def release(self) -> None:
        """Give the chain up; what waits is committed, as far as there is time."""
        access, self._access = self._access, None
        if access is not None:
            access.close()

    def diagnose(self) -> tuple[bytes, str, Facts]:
        """Where the chain stands, and whether it goes on."""
        access, following = self._access, self._following
        if access is None:
            return DiagnosticStatus.OK, "not configured", {"state": "unconfigured"}
        facts: dict[str, object] = {
            "state": "active" if following else "inactive",
            "engine": "gateway" if isinstance(access, Gateway) else "embedded",
            "place": self._place,
            "fault": following.failure if following else "",
        }
        if access.waiting is not None:
            facts["waiting"] = access.waiting
        if following and following.failure:
            return DiagnosticStatus.ERROR, following.failure, facts
        if isinstance(access, HostedEngine) or following:
            try:
                info = access.service().info()
            except LedgerError as error:
                facts["fault"] = str(error)
                return DiagnosticStatus.ERROR, str(error), facts
            facts |= {
                "chain": info.chain.hex(),
                "height": info.height,
                "log_size": info.log_size,
                "last_block_age_s": f"{max(0.0, (time.time_ns() - info.time_ns) / _NS):.1f}",
            }
        return DiagnosticStatus.OK, "settling" if following else "not active", facts

    def _settings(self) -> EngineSettings:
        return EngineSettings(
            block_period_s=parameters.number(self, "block_period_s"),
            empty_block_period_s=parameters.number(self, "empty_block_period_s") or None,
        )
