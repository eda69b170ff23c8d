"""Calls of services from threads that are not the executor's, each with a deadline."""

from __future__ import annotations

import threading
import time
from typing import Any, Final

from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node

from ledger.witnessing.transport import UnreachableError
from quipu_nodes.raw_intake import NotExecuted

_LOOK_S: Final = 0.05


class ServiceCall:
    """One service of another node, asked by one thread at a time.

    The answer is taken by the thread that asked: the executor has no part in it.
    """

    def __init__(self, node: Node, kind: Any, name: str, timeout_s: float) -> None:
        self._node = node
        self._kind = kind
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._client = node.create_client(kind, name, callback_group=NotExecuted())
        self._waiting = _rclpy.WaitSet(0, 0, 0, 1, 0, 0, node.context.handle)
        self.name: Final = name

    def __call__(self, request: Any) -> Any:
        """The answer. Raises `UnreachableError` when there is none in time."""
        until = time.monotonic() + self._timeout_s
        with self._lock:
            while not self._client.service_is_ready():
                if time.monotonic() >= until:
                    raise UnreachableError(f"nobody offers {self.name}")
                time.sleep(_LOOK_S)
            handle, wait_set = self._client.handle, self._waiting
            with handle:
                sequence = handle.send_request(request)
                while (left_s := until - time.monotonic()) > 0 and self._node.context.ok():
                    wait_set.clear_entities()
                    wait_set.add_client(handle)
                    wait_set.wait(int(left_s * 1e9))
                    header, response = handle.take_response(self._kind.Response)
                    # Another's is the late answer to a question that was given up.
                    if header is not None and header.request_id.sequence_number == sequence:
                        return response
            raise UnreachableError(f"{self.name} does not answer")

    def close(self) -> None:
        """Give the client up."""
        with self._lock:
            self._node.destroy_client(self._client)
            self._waiting.destroy_when_not_in_use()
