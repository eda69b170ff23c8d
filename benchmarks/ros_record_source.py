"""Publishes messages of one size at one rate: ``SIZE RATE SECONDS TOPIC``.

Under script/ros. Says ``matched`` when somebody listens, waits for a line, publishes, and
says how many.
The payloads are random and differ for more than a megabyte, so that no compression helps.
"""

from __future__ import annotations

import os
import sys
import time

import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rclpy.serialization import serialize_message
from std_msgs.msg import UInt8MultiArray

POOL_BYTES = 4 << 20
BURSTS_PER_S = 1000


def main(size: int, rate: float, seconds: float, topic: str) -> None:
    rclpy.init(args=[])
    node = rclpy.create_node("source")
    # A second's worth: what is slower than that loses, on either side alike.
    depth = max(20, int(rate))
    publisher = node.create_publisher(
        UInt8MultiArray, topic, QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)
    )
    pool = [
        serialize_message(UInt8MultiArray(data=os.urandom(size)))
        for _ in range(max(4, POOL_BYTES // size))
    ]
    while not publisher.get_subscription_count():
        time.sleep(0.02)
    time.sleep(0.5)
    say("matched")
    sys.stdin.readline()
    count = int(rate * seconds)
    burst = max(1, int(rate / BURSTS_PER_S))
    start = time.monotonic()
    sent = 0
    while sent < count:
        wait = start + sent / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        for _ in range(min(burst, count - sent)):
            publisher.publish(pool[sent % len(pool)])
            sent += 1
    took = time.monotonic() - start
    # Until everything is acknowledged, or will not be.
    time.sleep(1.0)
    say(f"{sent} {took:.3f}")
    sys.stdin.readline()
    os._exit(0)


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4])
