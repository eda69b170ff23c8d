"""Recordings made for the tests, by the writers of `mcap` and `rosbags`."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

from mcap.writer import CompressionType, IndexType, Writer
from rosbags.rosbag1 import Writer as Rosbag1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Rosbag2Writer

from ledger.errors import RecordingError
from ledger.experience.readers import Recording, read_recording

START_NS = 1_700_000_000_000_000_000
STEP_NS = 10_000_000
# Topic, type, messages: one message of /b follows every two of /a.
TOPICS = (("/a", "std_msgs/msg/String", 8), ("/b", "std_msgs/msg/Int8", 4))
COUNT = 12
END_NS = START_NS + (COUNT - 1) * STEP_NS
BARE = {
    "index_types": IndexType.NONE,
    "repeat_channels": False,
    "repeat_schemas": False,
    "use_statistics": False,
    "use_summary_offsets": False,
}


def make_mcap(messages: int = COUNT, payload: bytes = b"\0" * 40, **options: Any) -> bytes:
    """An MCAP file of two topics; every third message is of /b."""
    output = io.BytesIO()
    options.setdefault("compression", CompressionType.NONE)
    writer = Writer(output, chunk_size=200, **options)
    writer.start("ros2", "quipu tests")
    channels = []
    for topic, kind, _ in TOPICS:
        schema = writer.register_schema(kind, "ros2msg", b"string data")
        channels.append(writer.register_channel(topic, "cdr", schema))
    for i in range(messages):
        time_ns = START_NS + i * STEP_NS
        writer.add_message(channels[i % 3 == 2], time_ns, payload, time_ns)
    writer.finish()
    return output.getvalue()


def record_ends(mcap: bytes) -> list[int]:
    """Where each record of an intact MCAP file ends, and first where its magic does."""
    ends = [8]
    while ends[-1] < len(mcap) - 8:
        (length,) = struct.unpack_from("<Q", mcap, ends[-1] + 1)
        ends.append(ends[-1] + 9 + length)
    return ends


def make_rosbag2(
    path: Path,
    storage: str = "mcap",
    version: Any = 9,
    mode: str = "none",
    messages: int = COUNT,
) -> Path:
    """A rosbag2 directory, written by rosbags."""
    writer = Rosbag2Writer(path, version=version, storage_plugin=StoragePlugin[storage.upper()])
    writer.set_compression(CompressionMode[mode.upper()], CompressionFormat.ZSTD)
    with writer:
        connections = [
            writer.add_connection(topic, kind, msgdef="string data", rihs01="RIHS01_00")
            for topic, kind, _ in TOPICS
        ]
        for i in range(messages):
            writer.write(connections[i % 3 == 2], START_NS + i * STEP_NS, b"\0" * 40)
    return path


def make_rosbag1(path: Path, compression: str = "", messages: int = COUNT) -> Path:
    """A ROS 1 bag, written by rosbags."""
    writer = Rosbag1Writer(path)
    if compression:
        writer.set_compression(Rosbag1Writer.CompressionFormat[compression.upper()])
    with writer:
        connections = [
            writer.add_connection(topic, kind, msgdef="string data", md5sum="0" * 32)
            for topic, kind, _ in TOPICS
        ]
        for i in range(messages):
            writer.write(connections[i % 3 == 2], START_NS + i * STEP_NS, b"\0" * 40)
    return path


def read_one(path: Path) -> Recording:
    """The only recording at ``path``."""
    (recording,) = read_recording(path)
    return recording


def counted(recording: Recording) -> tuple[object, ...]:
    """What a reader counts."""
    topics = tuple((topic.name, topic.type, topic.count) for topic in recording.topics)
    return topics, recording.message_count, recording.start_ns, recording.end_ns


EXPECTED = (TOPICS, COUNT, START_NS, END_NS)
EMPTY = (tuple((topic, kind, 0) for topic, kind, _ in TOPICS), 0, 0, 0)


def outcome(path: Path) -> tuple[object, ...] | None:
    """What was counted, or None for a `RecordingError`; any other exception passes."""
    try:
        return counted(read_one(path))
    except RecordingError as error:
        if not error.hint or "\n" in error.message:
            raise AssertionError(f"not one line with a hint: {error!r}") from error
        return None
