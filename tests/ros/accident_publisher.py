"""A publisher whose clock jumps: ``python accident_publisher.py TOPIC RECORDERS``.

When so many recorders listen to /clock and TOPIC, it says 20 messages each at 100 s, at 50 s
and at 100 s again; the clock goes on when every recorder has said that it has received them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from std_msgs.msg import String

SECONDS = (100, 50, 100)
EACH = 20
PATIENCE_S = 60.0
RELIABLE = QoSProfile(depth=100, reliability=ReliabilityPolicy.RELIABLE)


class Publisher(Node):
    """Says the time, and what was said; hears how much of it each recorder has."""

    def __init__(self, topic: str) -> None:
        super().__init__("publisher")
        self.clock = self.create_publisher(Clock, "/clock", RELIABLE)
        self.said = self.create_publisher(String, topic, RELIABLE)
        self.create_subscription(DiagnosticArray, "/diagnostics", self.hear, RELIABLE)
        self.received: dict[str, int] = {}

    def hear(self, message: DiagnosticArray) -> None:
        for status in message.status:
            for value in status.values:
                if value.key == "received":
                    self.received[status.name] = int(value.value)

    def wait_for(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(self.received)
            rclpy.spin_once(self, timeout_sec=0.05)


def main() -> None:
    topic, recorders = sys.argv[1], int(sys.argv[2])
    rclpy.init(args=[])
    node = Publisher(topic)
    for publisher in (node.clock, node.said):
        node.wait_for(lambda publisher=publisher: publisher.get_subscription_count() >= recorders)
    for number, second in enumerate(SECONDS, 1):
        message = Clock()
        message.clock.sec = second
        for _ in range(10):  # heard by best effort
            node.clock.publish(message)
            time.sleep(0.03)
        for count in range(EACH):
            node.said.publish(String(data=f"{second} {count}"))
        node.wait_for(
            lambda wanted=number * EACH: (
                sum(received >= wanted for received in node.received.values()) >= recorders
            )
        )
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
