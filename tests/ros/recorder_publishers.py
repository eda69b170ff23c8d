"""Publishers for a recorder to hear: ``python recorder_publishers.py NAMESPACE SECONDS [TOPIC]``.

What each has published goes to stdout as JSON, when it is over. Nobody will listen to TOPIC.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import rclpy
from actionlib_msgs.msg import GoalID
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Int32, String, UInt8MultiArray

RELIABLE = QoSProfile(depth=200, reliability=ReliabilityPolicy.RELIABLE)
BEST_EFFORT = QoSProfile(depth=200, reliability=ReliabilityPolicy.BEST_EFFORT)
LATCHED = QoSProfile(
    depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL
)
ROOT = Path(__file__).resolve().parents[2]
BIG = 20_000_000
MATCH_S = 60.0
ACKED_S = 60.0


class Publishers(Node):
    """Topics of every kind."""

    def __init__(self, namespace: str) -> None:
        super().__init__("publishers", namespace=namespace)
        self.published: dict[str, int] = {}
        self.latched = self.create_publisher(String, "latched", LATCHED)
        self.say(self.latched, "the map")
        self.steady = [
            self.create_publisher(String, "reliable", RELIABLE),
            self.create_publisher(String, "best_effort", BEST_EFFORT),
            self.create_publisher(String, "mixed", RELIABLE),
            self.create_publisher(String, "_hidden", RELIABLE),
            self.create_publisher(String, "not_wanted", RELIABLE),
        ]
        self.changing = self.create_publisher(String, "changing", RELIABLE)
        self.nobody_has = self.create_publisher(GoalID, "uncovered", RELIABLE)
        self.silent = self.create_publisher(String, "silent", RELIABLE)

    def say(self, publisher: Publisher, text: str) -> None:
        publisher.publish(String(data=text))
        self.count(publisher)

    def count(self, publisher: Publisher) -> None:
        name = publisher.topic_name.rpartition("/")[2]
        self.published[name] = self.published.get(name, 0) + 1

    def matched(self, publisher: Publisher) -> None:
        """Wait until somebody listens, and a moment more: the other side may not know yet."""
        until = time.monotonic() + MATCH_S
        while not publisher.get_subscription_count() and time.monotonic() < until:
            time.sleep(0.02)
        time.sleep(0.3)


def main() -> None:
    # With Fast DDS: have acknowledgements five times a second, and not every three.
    profiles = ROOT / "ros_ws/src/quipu_sim/quipu_sim/fast_dds.xml"
    os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", str(profiles))
    rclpy.init(args=[])
    node = Publishers(sys.argv[1])
    seconds = float(sys.argv[2])
    unheard = {node.resolve_topic_name(name) for name in sys.argv[3:]}
    for publisher in (*node.steady[:3], node.changing):
        if publisher.topic_name not in unheard:
            node.matched(publisher)
    # A second publisher that offers less than the first: the recorder must ask for less.
    weaker = node.create_publisher(String, "mixed", BEST_EFFORT)
    late = node.create_publisher(String, "late", RELIABLE)
    big = node.create_publisher(UInt8MultiArray, "big", RELIABLE)
    node.say(node.changing, "text")
    node.matched(late)
    node.matched(weaker)
    node.destroy_publisher(node.changing)
    changed = node.create_publisher(Int32, "changing", RELIABLE)
    node.matched(changed)
    node.matched(big)
    changed.publish(Int32(data=7))
    node.count(changed)
    big.publish(UInt8MultiArray(data=bytes(BIG)))
    node.count(big)
    big.wait_for_all_acked(Duration(seconds=ACKED_S))
    until = time.monotonic() + seconds
    number = 0
    while time.monotonic() < until:
        for publisher in (*node.steady, weaker, late):
            node.say(publisher, f"{number} " + "x" * 100)
        number += 1
        time.sleep(0.01)
    for publisher in (node.steady[0], late):
        publisher.wait_for_all_acked(Duration(seconds=ACKED_S))
    time.sleep(0.5)
    sys.stdout.write(json.dumps(node.published) + "\n")
    sys.stdout.flush()
    node.destroy_node()
    rclpy.shutdown()


if __name__ == "__main__":
    main()
