"""Receives serialised messages on a thread of its own, past the executor.

A `WaitSet` wakes the thread, which then takes all there is: bytes as they came over the
wire, with the stamps of the middleware (received, and published). After each round it
sleeps a few milliseconds: the middleware keeps what comes meanwhile, and the stamps are
not ours, so nothing is late; it saves a wake for every message.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from rclpy.callback_groups import CallbackGroup
from rclpy.context import Context
from rclpy.guard_condition import GuardCondition
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.subscription import Subscription

Receive: TypeAlias = Callable[[int, int, int, bytes], bool]
"""Channel, receive stamp, source stamp (ns since the epoch; 0: not known), bytes."""

Clock: TypeAlias = Callable[[], int]

RCLError = _rclpy.RCLError
InvalidHandle = _rclpy.InvalidHandle

_NAP_S: Final = 0.005
_WAIT_NS: Final = 500_000_000
_MOST_AT_ONCE: Final = 1000
"""Messages taken from one subscription before the next has its turn."""


class NotExecuted(CallbackGroup):
    """Entities of this group are never taken up by an executor."""

    def can_execute(self, entity: object) -> bool:
        """Never."""
        return False

    def beginning_execution(self, entity: object) -> bool:
        """Never."""
        return False

    def ending_execution(self, entity: object) -> None:
        """Nothing ever ends that never began."""


@dataclass(frozen=True, slots=True)
class _Source:
    handle: Any
    pointer: int
    message_type: type
    channel: int


class RawIntake:
    """The receiving thread. ``clock`` replaces the receive stamps, for simulated time."""

    def __init__(self, context: Context, receive: Receive, clock: Clock | None = None) -> None:
        self._context = context
        self._receive = receive
        self._clock = clock
        self._wake = GuardCondition(None, None, context)
        self._changed = threading.Condition()
        self._sources: tuple[_Source, ...] = ()
        self._asked = self._settled = 0
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="record-receive", daemon=True)
        self._thread.start()

    def add(self, subscription: Subscription, channel: int) -> None:
        """Take messages of a subscription, which is in the group `NotExecuted`."""
        handle = subscription.handle
        source = _Source(handle, handle.pointer, subscription.msg_type, channel)
        self._replace((*self._sources, source))

    def remove(self, subscriptions: Iterable[Subscription]) -> None:
        """Take what has come in, and no more: afterwards they may be destroyed."""
        gone = {subscription.handle.pointer for subscription in subscriptions}
        self.settle()
        self._replace(tuple(each for each in self._sources if each.pointer not in gone))
        self.settle()

    def settle(self, timeout_s: float = 5.0) -> None:
        """Return when all that had come in before the call has been handed on."""
        with self._changed:
            self._asked += 1
            number = self._asked
            if self._context.ok():
                self._wake.trigger()
            self._changed.wait_for(
                lambda: self._settled >= number or not self._thread.is_alive(), timeout_s
            )

    def close(self) -> None:
        """Take what has come in, and end the thread."""
        self.settle()
        self._ending = True
        if self._context.ok():
            self._wake.trigger()
        self._thread.join()
        self._wake.destroy()

    def _replace(self, sources: tuple[_Source, ...]) -> None:
        self._sources = sources
        if self._context.ok():
            self._wake.trigger()

    def _run(self) -> None:
        try:
            self._receive_all()
        except (RCLError, InvalidHandle):
            # The context was shut down under it: there is nothing more to receive.
            if self._context.ok():
                raise

    def _receive_all(self) -> None:
        sources: tuple[_Source, ...] = ()
        wait_set = self._wait_set(0)
        while not self._ending and self._context.ok():
            if self._sources is not sources:
                sources = self._sources
                wait_set = self._wait_set(len(sources))
            wait_set.clear_entities()
            for source in sources:
                wait_set.add_subscription(source.handle)
            wait_set.add_guard_condition(self._wake.handle)
            wait_set.wait(_WAIT_NS)
            asked = self._asked
            if asked != self._settled:
                for source in sources:
                    while self._take(source):
                        pass
                with self._changed:
                    self._settled = asked
                    self._changed.notify_all()
                continue
            ready = wait_set.get_ready_entities("subscription")
            for source in sources:
                if source.pointer in ready:
                    self._take(source)
            if ready:
                time.sleep(_NAP_S)

    def _wait_set(self, subscriptions: int) -> Any:
        return _rclpy.WaitSet(subscriptions, 1, 0, 0, 0, 0, self._context.handle)

    def _take(self, source: _Source) -> bool:
        """Take messages of one subscription; whether there may be more."""
        receive, channel = self._receive, source.channel
        take, kind = source.handle.take_message, source.message_type
        simulated = self._clock() if self._clock else None
        with source.handle:
            for _ in range(_MOST_AT_ONCE):
                taken = take(kind, True)
                if taken is None:
                    return False
                data, stamps = taken
                received = simulated
                if received is None:
                    received = stamps["received_timestamp"] or time.time_ns()
                receive(channel, received, stamps["source_timestamp"] or 0, data)
        return True
