"""``talk`` latches one message; ``listen FOR AFTER`` prints whether it was found, and came.

It listens ``FOR`` seconds for who talks, and once that is found ``AFTER`` for the message.

For tests/ros/test_networks.py. As JSON: ``{"discovered": ..., "received": ...}``.
"""

from __future__ import annotations

import contextlib
import json
import sys
import time

import rclpy
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import String

TOPIC = "/quipu_network_test"
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)


def talk() -> None:
    """Until interrupted."""
    node = Node("talker")
    node.create_publisher(String, TOPIC, LATCHED).publish(String(data="here"))
    sys.stdout.write("talking\n")
    sys.stdout.flush()
    with contextlib.suppress(KeyboardInterrupt, ExternalShutdownException):
        rclpy.spin(node)


def listen(for_s: float, after_s: float) -> None:
    """Until the message has come, or the time is over."""
    node = Node("listener")
    received: list[str] = []
    node.create_subscription(String, TOPIC, lambda message: received.append(message.data), LATCHED)
    end = time.monotonic() + for_s
    discovered = False
    while time.monotonic() < end and not received:
        rclpy.spin_once(node, timeout_sec=0.1)
        if not discovered and node.count_publishers(TOPIC):
            discovered, end = True, time.monotonic() + after_s
    sys.stdout.write(json.dumps({"discovered": discovered, "received": bool(received)}) + "\n")


if __name__ == "__main__":
    rclpy.init()
    if sys.argv[1] == "talk":
        talk()
    else:
        listen(*map(float, sys.argv[2:]))
    rclpy.try_shutdown()
