"""The peer: a bare `WaitSet` and the mcap library's `Writer` as it is by default.

Under script/ros: ``FILE TOPIC``. Says ``ready``; a line on standard input starts the count of
CPU time, a second one ends the recording; then what it took, as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path

import rclpy
from mcap.writer import Writer
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from std_msgs.msg import UInt8MultiArray

from benchmarks.ros_record_source import say
from benchmarks.ros_record_usage import cpu_seconds, rss_mb

DEPTH = 1000
WAIT_NS = 100_000_000


def main(path: Path, topic: str) -> None:
    rclpy.init(args=[])
    node = rclpy.create_node("bare")
    subscription = node.create_subscription(
        UInt8MultiArray,
        topic,
        lambda _: None,
        QoSProfile(depth=DEPTH, reliability=ReliabilityPolicy.RELIABLE),
        raw=True,
    )
    handle = subscription.handle
    wait_set = _rclpy.WaitSet(1, 0, 0, 0, 0, 0, node.context.handle)
    begun, ended = threading.Event(), threading.Event()
    threading.Thread(target=listen, args=(begun, ended), daemon=True).start()
    stream = path.open("wb")
    writer = Writer(stream)
    writer.start("ros2")
    schema = writer.register_schema("std_msgs/msg/UInt8MultiArray", "ros2msg", b"uint8[] data")
    channel = writer.register_channel(topic, "cdr", schema)
    say("ready")
    received = 0
    while not begun.is_set():
        begun.wait(0.01)
    before = cpu_seconds()
    while not ended.is_set():
        wait_set.clear_entities()
        wait_set.add_subscription(handle)
        wait_set.wait(WAIT_NS)
        if not wait_set.get_ready_entities("subscription"):
            continue
        with handle:
            while (taken := handle.take_message(UInt8MultiArray, True)) is not None:
                data, stamps = taken
                writer.add_message(
                    channel,
                    stamps["received_timestamp"],
                    data,
                    stamps["source_timestamp"],
                    received,
                )
                received += 1
    writer.finish()  # type: ignore[no-untyped-call]
    stream.close()
    say(json.dumps({"cpu_s": cpu_seconds() - before, "received": received, "rss_mb": [rss_mb()]}))
    os._exit(0)


def listen(begun: threading.Event, ended: threading.Event) -> None:
    sys.stdin.readline()
    begun.set()
    sys.stdin.readline()
    ended.set()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
