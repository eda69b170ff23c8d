"""A recording to ingest: an MCAP file as a robot's recorder leaves it behind.

Chunked, not compressed, with every index: one camera, one lidar and the small, frequent
topics, at the sizes and rates such sensors have. The payloads are random bytes.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

from mcap.writer import CompressionType, Writer

CHUNK_BYTES = 786_432
"""What rosbag2 records with by default."""

_START_NS = 1_700_000_000_000_000_000


@dataclass(frozen=True, slots=True)
class _Topic:
    name: str
    type: str
    message_bytes: int
    period_ns: int


_TOPICS = (
    _Topic("/camera/image_raw", "sensor_msgs/msg/Image", 921_664, 66_666_667),
    _Topic("/lidar/points", "sensor_msgs/msg/PointCloud2", 460_992, 100_000_000),
    _Topic("/scan", "sensor_msgs/msg/LaserScan", 8_732, 25_000_000),
    _Topic("/odom", "nav_msgs/msg/Odometry", 720, 20_000_000),
    _Topic("/joint_states", "sensor_msgs/msg/JointState", 404, 10_000_000),
    _Topic("/imu/data", "sensor_msgs/msg/Imu", 324, 5_000_000),
    _Topic("/tf", "tf2_msgs/msg/TFMessage", 124, 10_000_000),
)


def write_mcap(path: Path, size: int) -> None:
    """Write a recording of ``size`` bytes or a few messages more, and have it on disk."""
    largest = max(topic.message_bytes for topic in _TOPICS)
    payload = memoryview(Random(0).randbytes(2 * largest))
    with path.open("wb") as stream:
        writer = Writer(
            stream,
            chunk_size=CHUNK_BYTES,
            compression=CompressionType.NONE,
        )
        writer.start(profile="ros2", library="benchmark")
        channels = []
        for topic in _TOPICS:
            schema = writer.register_schema(topic.type, "ros2msg", b"")
            channels.append(writer.register_channel(topic.name, "cdr", schema))
        due = [0] * len(_TOPICS)
        sequence = 0
        while stream.tell() < size:
            first = min(range(len(due)), key=due.__getitem__)
            topic = _TOPICS[first]
            start = sequence % largest
            time = _START_NS + due[first]
            writer.add_message(
                channels[first],
                log_time=time,
                publish_time=time,
                sequence=sequence,
                data=bytes(payload[start : start + topic.message_bytes]),
            )
            due[first] += topic.period_ns
            sequence += 1
        writer.finish()  # type: ignore[no-untyped-call]
        stream.flush()
        os.fsync(stream.fileno())
