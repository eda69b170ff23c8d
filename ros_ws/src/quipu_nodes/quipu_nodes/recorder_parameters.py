"""The recorder's parameters: declared once, each with what it means and its range."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterUninitializedException
from rclpy.node import Node
from rclpy.parameter import Parameter

from ledger.recording.mcap_appender import Compression
from ledger.recording.settings import BlackBoxSettings, RecorderSettings
from quipu_nodes.topic_choice import TopicChoice

_MOST_BYTES: Final = 1 << 40
_LONGEST_S: Final = 7 * 86_400.0

_TEXTS: Final = Parameter.Type.STRING_ARRAY

# Name, default (a type for an empty list), meaning, lower and upper limit.
_PARAMETERS: Final[tuple[tuple[str, Any, str, float | None, float | None], ...]] = (
    ("home", "", "folder of the robot's memory", None, None),
    ("all_topics", False, "record every topic but hidden ones", None, None),
    ("topics", _TEXTS, "topics to record, hidden ones too", None, None),
    ("topics_regex", _TEXTS, "regular expressions of topics to record", None, None),
    ("exclude_regex", _TEXTS, "regular expressions of topics never to record", None, None),
    ("continuous", True, "record all the time; else only episodes and triggers", None, None),
    ("segment.max_duration_s", 60.0, "longest segment in seconds; 0: any", 0.0, _LONGEST_S),
    ("segment.max_bytes", 1 << 30, "largest segment in bytes; 0: any", 0, _MOST_BYTES),
    ("progress_period_s", 1.0, "how often what is written is committed, in s", 0.05, 3600.0),
    ("queue_max_bytes", 64 << 20, "messages that may wait in memory, in bytes", 1 << 16, 1 << 36),
    ("min_free_bytes", 64 << 20, "room that is left on the disk, in bytes", 0, _MOST_BYTES),
    ("compression", "none", "of chunks: none, lz4 or zstd", None, None),
    ("qos_overrides", "", "file of QoS profiles by topic, as rosbag2's", None, None),
    ("discovery_period_s", 0.25, "how often the graph is looked at, in s", 0.05, 60.0),
    ("black_box.seconds", 0.0, "what the black box keeps, in s; 0: there is none", 0.0, 3600.0),
    ("black_box.max_bytes", 32 << 20, "what it keeps at most, in bytes", 1 << 16, 1 << 36),
    ("black_box.after_s", 5.0, "recorded after a trigger, in s", 0.0, 3600.0),
    ("black_box.min_interval_s", 60.0, "least time between two triggers, in s", 0.0, 86_400.0),
    ("black_box.triggers", _TEXTS, "topics (std_msgs/msg/Empty) that trigger it", None, None),
)


def declare_parameters(node: Node) -> None:
    """Declare them all, except what is declared already."""
    for name, default, meaning, low, high in _PARAMETERS:
        if node.has_parameter(name):
            continue
        # From files and the command line only: nobody on the domain changes them.
        descriptor = ParameterDescriptor(description=meaning, read_only=True)
        if isinstance(low, int) and isinstance(high, int):
            descriptor.integer_range = [IntegerRange(from_value=low, to_value=high)]
        elif low is not None and high is not None:
            span = FloatingPointRange(from_value=float(low), to_value=float(high))
            descriptor.floating_point_range = [span]
        node.declare_parameter(name, default, descriptor)


def recorder_settings(node: Node, ros_distro: str) -> RecorderSettings:
    """The settings of a recorder named after its robot. Raises `ValueError`, MalformedError."""
    seconds = _number(node, "black_box.seconds")
    box = BlackBoxSettings(
        seconds=seconds,
        max_bytes=_whole(node, "black_box.max_bytes"),
        after_s=_number(node, "black_box.after_s"),
        min_interval_s=_number(node, "black_box.min_interval_s"),
    ) if seconds else None  # fmt: skip
    compression = _text(node, "compression")
    return RecorderSettings(
        name=node.get_namespace().strip("/").replace("/", "_") or node.get_name(),
        continuous=bool(node.get_parameter("continuous").value),
        segment_max_s=_number(node, "segment.max_duration_s"),
        segment_max_bytes=_whole(node, "segment.max_bytes"),
        progress_period_s=_number(node, "progress_period_s"),
        queue_max_bytes=_whole(node, "queue_max_bytes"),
        min_free_bytes=_whole(node, "min_free_bytes"),
        compression=Compression("" if compression == "none" else compression),
        ros_distro=ros_distro,
        black_box=box,
    )


def topic_choice(node: Node) -> TopicChoice:
    """What to record; names are resolved in the node's namespace. Raises `ValueError`."""
    return TopicChoice(
        names=frozenset(node.resolve_topic_name(name) for name in _texts(node, "topics")),
        patterns=_texts(node, "topics_regex"),
        excluded=_texts(node, "exclude_regex"),
        everything=bool(node.get_parameter("all_topics").value),
    )


def overrides_file(node: Node) -> Path | None:
    """The file of QoS overrides, if one is named."""
    name = _text(node, "qos_overrides")
    return Path(name).expanduser() if name else None


def home_folder(node: Node) -> Path:
    """The folder of the robot's memory. Raises `ValueError` when none is named."""
    name = _text(node, "home")
    if not name:
        raise ValueError("the parameter home names no folder")
    return Path(name).expanduser()


def trigger_topics(node: Node) -> tuple[str, ...]:
    """The topics that trigger the black box."""
    return _texts(node, "black_box.triggers")


def _texts(node: Node, name: str) -> tuple[str, ...]:
    try:
        texts = node.get_parameter(name).value or ()
    except ParameterUninitializedException:
        return ()
    return tuple(text for text in texts if text)


def _text(node: Node, name: str) -> str:
    return str(node.get_parameter(name).value)


def _number(node: Node, name: str) -> float:
    return float(node.get_parameter(name).value)


def _whole(node: Node, name: str) -> int:
    return int(node.get_parameter(name).value)
