"""The way of a node to a settlement chain: its trust file, and its engine's socket.

The engine need not run yet when a node is configured; who asks connects. What is known of the
chain is kept in a folder of the node's, so that it is never shown an older one, restarts or not.
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
from ledger.experience.private_folder import make_private_folder
from quipu_nodes import parameters
from quipu_nodes.parameters import ParameterError


class ChainWay:
    """One chain, every row proven; its light client lasts as long as ``folder`` does."""

    def __init__(self, trust: Trust, socket: Path, folder: Path) -> None:
        self.trust: Final = trust
        self._socket: Final = socket
        self._folder: Final = folder
        self._lock: Final = threading.Lock()
        self._client: ChainClient | None = None
        self._chain: ProvenChain | None = None

    @classmethod
    def of(cls, node: Node, folder: Path) -> ChainWay:
        """The way that ``chain.trust`` and ``chain.socket`` say. Raises `ParameterError`.

        ``folder``, which is made where it is not there, keeps what is known of the chain.
        """
        file = parameters.required_path(node, "chain.trust")
        socket = parameters.required_path(node, "chain.socket")
        try:
            return cls(read_trust(file), socket, folder)
        except LedgerError as error:
            raise ParameterError(f"parameter chain.trust: {error}") from None

    def chain(self) -> ProvenChain:
        """The chain. Raises `EngineError` and StorageError while its engine is not there.

        Raises CorruptStoreError for what was kept of it and does not verify.
        """
        with self._lock:
            if self._chain is None:
                make_private_folder(self._folder)
                client = ChainClient(self._socket)
                try:
                    self._chain = ProvenChain(client, self.trust, self._folder)
                except LedgerError:
                    client.close()
                    raise
                self._client = client
            return self._chain

    def close(self) -> None:
        """End the connection; whoever waits is told."""
        with self._lock:
            client, self._client, self._chain = self._client, None, None
        if client is not None:
            client.close()
