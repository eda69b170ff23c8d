"""The way to a seller over ROS: a `ledger.exchange.transport.Transport`."""

from __future__ import annotations

import threading
import time
from typing import Final

from quipu_interfaces.srv import FetchChunk
from rclpy.node import Node

from ledger.exchange.messages import Reply
from ledger.exchange.transport import NoSellerError, TransportError
from ledger.witnessing.transport import UnreachableError
from quipu_nodes.exchange_messages import fetch_request, reply_of
from quipu_nodes.service_call import ServiceCall

TIMEOUT_S: Final = 5.0
"""For one answer: a unit takes a millisecond, the chain that is asked first some more."""

_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 5.0


class RosSeller:
    """One seller, asked at a storefront's service or through a gateway's.

    A request that brings no reply is sent again, with pauses that grow, for ``patience_s``;
    it does no harm twice. ``stopped`` ends that early.
    """

    def __init__(
        self,
        node: Node,
        service: str,
        seller: bytes,
        patience_s: float,
        stopped: threading.Event | None = None,
    ) -> None:
        self._call: Final = ServiceCall(node, FetchChunk, service, TIMEOUT_S)
        self._seller: Final = seller
        self._patience_s: Final = patience_s
        self._stopped: Final = stopped or threading.Event()

    def ask(self, request: bytes) -> Reply:
        """The seller's reply.

        Raises TransportError when none has come for as long as the patience lasts;
        RefusedError, MalformedError at once.
        """
        until, pause_s = time.monotonic() + self._patience_s, _FIRST_PAUSE_S
        while True:
            try:
                return self._ask(request)
            except TransportError:
                if time.monotonic() + pause_s >= until or self._stopped.wait(pause_s):
                    raise
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _ask(self, request: bytes) -> Reply:
        try:
            return reply_of(self._call(fetch_request(self._seller, request)))
        except UnreachableError as error:
            raise NoSellerError(error.message, hint="see whether it runs") from error

    def close(self) -> None:
        """Give the way up."""
        self._call.close()
