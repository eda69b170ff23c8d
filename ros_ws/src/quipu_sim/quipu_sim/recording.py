"""Writes a bag directory laid out as rosbag2 lays it out, with MCAP storage.

``NAME/metadata.yaml`` (version 9) beside ``NAME/NAME_0.mcap``: profile ``ros2``, zstd
chunks with indexes and summary, full message definitions as schemas, and in each channel's
metadata the QoS offered and the RIHS01 hash of the type. A ``rosbag2`` metadata record
stands at the beginning and at the end of the file, as rosbag2_storage_mcap leaves them.
`ros2 bag` and Foxglove open it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mcap.writer import CompressionType, Writer
from rosbags.typesys import Stores, get_typestore
from ruamel.yaml import YAML

METADATA_VERSION = 9
ROS_DISTRO = "jazzy"
CHUNK_SIZE = 786_432  # bytes, what rosbag2 uses

# What rosbag2 writes before the first message.
_NO_START = 2**63 - 1

TYPES = get_typestore(Stores.ROS2_JAZZY)


class Offer(enum.Enum):
    """The quality of service a publisher offers."""

    SENSOR = "sensor"
    RELIABLE = "reliable"
    LATCHED = "latched"


# (reliability, durability, depth)
_OFFERED = {
    Offer.SENSOR: ("best_effort", "volatile", 5),
    Offer.RELIABLE: ("reliable", "volatile", 10),
    Offer.LATCHED: ("reliable", "transient_local", 1),
}
_FOR_EVER = {"sec": 9_223_372_036, "nsec": 854_775_807}


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic to record: its name, its ROS type and what its publisher offers."""

    name: str
    type: str
    offer: Offer


class BagWriter:
    """A bag being written; use as a context manager, which closes it.

    ``custom_data`` given before the end lands in ``metadata.yaml``. A bag whose block
    was left by an exception keeps the MCAP file without summary and has no
    ``metadata.yaml``: like one whose recorder was killed.
    """

    def __init__(self, path: Path, topics: tuple[Topic, ...]) -> None:
        """Create the directory ``path``, which must not exist (`FileExistsError`)."""
        path.mkdir(parents=True)
        self.path = path
        self.file = path / f"{path.name}_0.mcap"
        self.custom_data: dict[str, str] = {}
        self._topics = topics
        self._counts = dict.fromkeys((topic.name for topic in topics), 0)
        self._first = _NO_START
        self._last = 0
        self._stream = self.file.open("xb")
        self._writer = Writer(self._stream, chunk_size=CHUNK_SIZE, compression=CompressionType.ZSTD)
        self._writer.start(profile="ros2", library="quipu_sim")
        self._add_metadata_record()
        self._channels = self._register()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self._close()
        self._stream.close()

    @property
    def counts(self) -> Mapping[str, int]:
        """Messages written so far, by topic."""
        return self._counts

    def write(self, topic: str, stamp_ns: int, message: Any) -> None:
        """Append one message, published and received at ``stamp_ns`` (ns since 1970)."""
        _, kind = self._channels[topic]
        self.write_serialized(topic, stamp_ns, bytes(TYPES.serialize_cdr(message, kind)))

    def write_serialized(self, topic: str, stamp_ns: int, data: bytes) -> None:
        """Append one message that is in CDR already."""
        channel, _ = self._channels[topic]
        self._writer.add_message(
            channel,
            log_time=stamp_ns,
            publish_time=stamp_ns,
            data=data,
            sequence=self._counts[topic],
        )
        self._counts[topic] += 1
        self._first = min(self._first, stamp_ns)
        self._last = max(self._last, stamp_ns)

    def _register(self) -> dict[str, tuple[int, str]]:
        schemas: dict[str, int] = {}
        channels: dict[str, tuple[int, str]] = {}
        for topic in self._topics:
            kind = topic.type
            if kind not in schemas:
                definition, _ = TYPES.generate_msgdef(kind, ros_version=2)
                schemas[kind] = self._writer.register_schema(kind, "ros2msg", definition.encode())
            channel = self._writer.register_channel(
                topic.name,
                "cdr",
                schemas[kind],
                {
                    "offered_qos_profiles": _yaml([_qos(topic.offer)]),
                    "topic_type_hash": TYPES.hash_rihs01(kind),
                },
            )
            channels[topic.name] = (channel, kind)
        return channels

    def _close(self) -> None:
        self._add_metadata_record()
        self._writer.finish()  # type: ignore[no-untyped-call]
        self._stream.flush()
        text = _yaml({"rosbag2_bagfile_information": self._information()})
        (self.path / "metadata.yaml").write_text(text + "\n", encoding="utf-8")

    def _add_metadata_record(self) -> None:
        self._writer.add_metadata("rosbag2", {"serialized_metadata": _yaml(self._information())})

    def _information(self) -> dict[str, object]:
        """The content of ``rosbag2_bagfile_information``, for what is written so far."""
        total = sum(self._counts.values())
        span = {
            "starting_time": {"nanoseconds_since_epoch": self._first},
            "duration": {"nanoseconds": max(0, self._last - self._first)},
            "message_count": total,
        }
        return {
            "version": METADATA_VERSION,
            "storage_identifier": "mcap",
            **span,
            "topics_with_message_count": [
                {
                    "topic_metadata": {
                        "name": topic.name,
                        "type": topic.type,
                        "serialization_format": "cdr",
                        "offered_qos_profiles": [_qos(topic.offer)],
                        "type_description_hash": TYPES.hash_rihs01(topic.type),
                    },
                    "message_count": self._counts[topic.name],
                }
                for topic in (self._topics if total else ())
            ],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [self.file.name],
            "files": [{"path": self.file.name, **span}],
            "custom_data": dict(self.custom_data) or None,
            "ros_distro": ROS_DISTRO,
        }


def _qos(offer: Offer) -> dict[str, object]:
    reliability, durability, depth = _OFFERED[offer]
    return {
        "history": "keep_last",
        "depth": depth,
        "reliability": reliability,
        "durability": durability,
        "deadline": dict(_FOR_EVER),
        "lifespan": dict(_FOR_EVER),
        "liveliness": "automatic",
        "liveliness_lease_duration": dict(_FOR_EVER),
        "avoid_ros_namespace_conventions": False,
    }


def _yaml(value: object) -> str:
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 4096
    yaml.representer.ignore_aliases = lambda _: True
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue().strip()
