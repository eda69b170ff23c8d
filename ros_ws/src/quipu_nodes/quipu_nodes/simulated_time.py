"""Simulated time without a callback for every tick of it.

With ``use_sim_time`` rclpy runs a callback in the executor for each message on /clock,
in every node: with a fast simulator that is the most expensive thing a quiet node does.
Here /clock is looked at when somebody asks for the time.
"""

from __future__ import annotations

import threading
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.time import Time
from rosgraph_msgs.msg import Clock

from quipu_nodes.raw_intake import NotExecuted


class SimulatedTime:
    """The time of a node: the system's, or with ``use_sim_time`` that of /clock.

    To be made when the node is, before it is added to an executor; `now` may be called
    from any thread. Timers that shall run whatever the simulation does need a steady
    clock of their own.
    """

    def __init__(self, node: Node) -> None:
        self._clock = node.get_clock()
        self._lock = threading.Lock()
        self._source: Any = getattr(node, "_time_source", None)
        self._topic: Any = self._replace_subscription(node, self._source)

    @staticmethod
    def _replace_subscription(node: Node, source: Any) -> Any:
        subscription = getattr(source, "_clock_sub", None)
        if subscription is None:
            return None
        topic_name = subscription.topic_name
        node.destroy_subscription(subscription)
        # The node's own: it goes when the parameter is set to false.
        source._clock_sub = node.create_subscription(
            Clock,
            topic_name,
            source.clock_callback,
            QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT),
            callback_group=NotExecuted(),
        )
        return source._clock_sub

    def now(self) -> Time:
        """The time now; 0 before the first message on /clock."""
        if self._is_polled():
            handle = self._topic.handle
            with self._lock, handle:
                while (taken := handle.take_message(Clock, False)) is not None:
                    self._source.clock_callback(taken[0])
        return self._clock.now()

    def _is_polled(self) -> bool:
        """Whether /clock is subscribed to, and by us."""
        return self._topic is not None and self._source._clock_sub is self._topic
