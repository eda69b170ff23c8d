"""Anchors the robot's log, over the chain's socket or over a settlement node."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from quipu_interfaces.msg import ChainHead
from rclpy.node import Node

from ledger.chain.proven.port import ChainPort
from ledger.memory.anchor_status import AnchorState
from ledger.memory.anchoring.anchorer import Anchorer
from ledger.memory.anchoring.periodic import PeriodicAnchoring
from ledger.memory.owner import MemoryOwner
from quipu_nodes import chain_messages
from quipu_nodes.inbox import Inbox
from quipu_nodes.memory_settings import AnchorSettings
from quipu_nodes.messages import HEARING_QOS
from quipu_nodes.ros_chain import RosChain


class Anchoring:
    """Anchoring as a memory node does it, from construction on."""

    def __init__(self, node: Node, owner: MemoryOwner, settings: AnchorSettings) -> None:
        self._running = ExitStack()
        anchorer = Anchorer(owner, settings.trust, report_forks=settings.report_forks)
        socket = settings.socket
        if socket is not None:
            self._start(owner, anchorer, lambda: _over_socket(socket), settings.period_s)
            return
        anchoring = self._start(
            owner, anchorer, lambda: RosChain(node, settings.node), settings.period_s
        )

        def on_head(message: Any) -> None:
            """The chain is heard, so it can be reached: there is nothing to wait for."""
            heard = bytes(message.chain) == settings.trust.chain
            if heard and anchoring.status.state is AnchorState.UNREACHABLE:
                anchoring.wake()

        inbox = Inbox(node, "quipu-chain-heads", lambda: None)
        inbox.subscribe(ChainHead, chain_messages.HEAD, HEARING_QOS, on_head)
        inbox.start()
        self._running.callback(inbox.close)

    def close(self) -> None:
        """End it."""
        self._running.close()

    def _start(
        self, owner: MemoryOwner, anchorer: Anchorer, connect: Any, period_s: float
    ) -> PeriodicAnchoring:
        anchoring = PeriodicAnchoring(owner, anchorer, connect, period_s)
        self._running.callback(anchoring.close)
        return anchoring


def _over_socket(path: Path) -> ChainPort:
    # Not before it is needed: a chain's store and rules are slow to load.
    from ledger.chain.engines.client import ChainClient

    return ChainClient(path)
