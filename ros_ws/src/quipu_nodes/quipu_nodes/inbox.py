"""Takes messages and requests on a thread of its own, past the executor.

What is heard here leads to durable writes and to questions to other robots; neither
belongs in the executor, which answers everybody else meanwhile. A wait set of a few
entities is also far cheaper than the executor's of all that the process has.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile

from ledger.errors import LedgerError
from quipu_nodes.raw_intake import InvalidHandle, NotExecuted, RCLError

_LOG: Final = logging.getLogger(__name__)

NAP_S: Final = 0.05
"""Between two rounds: what comes meanwhile is taken together."""

_LONGEST_WAIT_S: Final = 5.0
_PAUSE_S: Final = 1.0
_MOST_AT_ONCE: Final = 100


class Inbox:
    """Subscriptions and services of ``node``, served by one thread from `start` on.

    After each round ``work`` is called; it returns in how many seconds it wants to be
    called at the latest, or None. ``nap_s`` is the pause between two rounds.
    """

    def __init__(
        self, node: Node, name: str, work: Callable[[], float | None], nap_s: float = NAP_S
    ) -> None:
        self._node = node
        self._work = work
        self._nap_s = nap_s
        self._group = NotExecuted()
        self._subscriptions: list[Any] = []
        self._services: list[Any] = []
        self._ending = threading.Event()
        self._wake = GuardCondition(None, None, node.context)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def subscribe(
        self, kind: type, topic: str, qos: QoSProfile, receive: Callable[[Any], None]
    ) -> None:
        """Have ``receive`` called with each message; before `start`."""
        self._subscriptions.append(
            self._node.create_subscription(kind, topic, receive, qos, callback_group=self._group)
        )

    def serve(self, kind: Any, name: str, answer: Callable[[Any, Any], Any]) -> None:
        """Have ``answer`` called with each request and an empty response; before `start`."""
        self.serve_later(
            kind, name, lambda request, respond: respond(answer(request, kind.Response()))
        )

    def serve_later(
        self, kind: Any, name: str, take: Callable[[Any, Callable[[Any], None]], None]
    ) -> None:
        """Have ``take`` called with each request and what sends its response, once.

        That may be called later, and from any thread. Before `start`, or by ``work``.
        """
        self._services.append(
            self._node.create_service(kind, name, take, callback_group=self._group)
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """End after the round that is under way, and destroy what was made here."""
        self._ending.set()
        self._wake.trigger()
        if self._thread.is_alive():
            self._thread.join()
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        for service in self._services:
            self._node.destroy_service(service)
        self._subscriptions, self._services = [], []
        self._wake.destroy()

    def _run(self) -> None:
        services = len(self._services)
        wait_set = self._wait_set()
        within_s: float | None = 0.0
        while not self._ending.is_set() and self._node.context.ok():
            if services != len(self._services):
                services = len(self._services)
                wait_set = self._wait_set()
            wait_set.clear_entities()
            for each in self._subscriptions:
                wait_set.add_subscription(each.handle)
            for each in self._services:
                wait_set.add_service(each.handle)
            wait_set.add_guard_condition(self._wake.handle)
            wait_s = _LONGEST_WAIT_S if within_s is None else min(within_s, _LONGEST_WAIT_S)
            wait_set.wait(int(wait_s * 1e9))
            if self._ending.is_set():
                return
            try:
                self._take_all()
                within_s = self._work()
            except LedgerError as error:
                _LOG.warning("%s: %s", self._thread.name, error)
                within_s = _PAUSE_S
            except Exception:  # noqa: BLE001 - one message must not end the thread
                _LOG.exception("%s: a round failed", self._thread.name)
                within_s = _PAUSE_S
            self._ending.wait(self._nap_s)

    def _wait_set(self) -> Any:
        subscriptions, services = len(self._subscriptions), len(self._services)
        return _rclpy.WaitSet(subscriptions, 1, 0, 0, services, 0, self._node.context.handle)

    def _take_all(self) -> None:
        for subscription in self._subscriptions:
            for _ in range(_MOST_AT_ONCE):
                with subscription.handle:
                    taken = subscription.handle.take_message(subscription.msg_type, False)
                if taken is None:
                    break
                subscription.callback(taken[0])
        for service in self._services:
            for _ in range(_MOST_AT_ONCE):
                with service.handle:
                    request, header = service.handle.service_take_request(service.srv_type.Request)
                if header is None:
                    break
                service.callback(request, partial(_respond, service, header))


def _respond(service: Any, header: Any, response: Any) -> None:
    try:
        service.send_response(response, header)
    except (RCLError, InvalidHandle) as error:
        # Whoever asked has gone, or the service has; neither is the others' business.
        _LOG.debug("a response finds nobody: %s", error)
