"""The way of a node to a settlement chain: its trust file, and its engine's socket.

The engine need not run yet when a node is configured; who asks connects.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

from rclpy.node import Node

from ledger.chain.engines.client import ChainClient
from ledger.chain.light.trust import Trust
from ledger.chain.light.trust_file import read_trust
from ledger.chain.proven.chain import ProvenChain
from ledger.errors import LedgerError
from quipu_nodes import parameters
from quipu_nodes.parameters import ParameterError


class ChainWay:
    """One chain, every row proven; its light client lasts as long as this does."""

    def __init__(self, trust: Trust, socket: Path) -> None:
        self.trust: Final = trust
        self._socket: Final = socket
        self._lock: Final = threading.Lock()
        self._client: ChainClient | None = None
        self._chain: ProvenChain | None = None

    @classmethod
    def of(cls, node: Node) -> ChainWay:
        """The way that ``chain.trust`` and ``chain.socket`` say. Raises `ParameterError`."""
        file = parameters.required_path(node, "chain.trust")
        socket = parameters.required_path(node, "chain.socket")
        try:
            return cls(read_trust(file), socket)
        except LedgerError as error:
            raise ParameterError(f"parameter chain.trust: {error}") from None

    def chain(self) -> ProvenChain:
        """The chain. Raises `EngineError` and StorageError while its engine is not there."""
        with self._lock:
            if self._chain is None:
                self._client = ChainClient(self._socket)
                self._chain = ProvenChain(self._client, self.trust)
            return self._chain

    def close(self) -> None:
        """End the connection; whoever waits is told."""
        with self._lock:
            client, self._client, self._chain = self._client, None, None
        if client is not None:
            client.close()
