"""rosbag2's ``metadata.yaml``, version 9, for a bag of one MCAP file.

Also what a ``rosbag2`` metadata record holds, at the beginning and the end of the file.
Written as text: a YAML library takes longer over it than the disk. Strings are quoted as
JSON, which YAML 1.2 reads.
"""

from __future__ import annotations

import json
from typing import Final

from ledger.recording.mcap_index import FileIndex

METADATA_VERSION: Final = 9
METADATA_NAME: Final = "rosbag2"
FILE_NAME: Final = "metadata.yaml"

NO_START_NS: Final = 2**63 - 1
"""What rosbag2 writes for the start of what has no message."""


def bag_information(index: FileIndex, file: str, ros_distro: str) -> str:
    """The map ``rosbag2_bagfile_information``, without a newline at the end."""
    total = index.message_count
    start = index.start_ns if total else NO_START_NS
    span = [
        "duration:",
        f"  nanoseconds: {index.end_ns - index.start_ns}",
        "starting_time:",
        f"  nanoseconds_since_epoch: {start}",
        f"message_count: {total}",
    ]
    topics = [line for number in sorted(index.counts) for line in _topic(index, number)]
    lines = [
        f"version: {METADATA_VERSION}",
        "storage_identifier: mcap",
        *span,
        "topics_with_message_count:" if topics else "topics_with_message_count: []",
        *_indented(topics),
        'compression_format: ""',
        'compression_mode: ""',
        "relative_file_paths:",
        f"  - {json.dumps(file)}",
        "files:",
        f"  - path: {json.dumps(file)}",
        *_indented(_indented(span)),
        "custom_data: ~",
        f"ros_distro: {ros_distro or 'unknown'}",
    ]
    return "\n".join(lines)


def bag_document(index: FileIndex, file: str, ros_distro: str) -> bytes:
    """The whole of ``metadata.yaml``."""
    information = bag_information(index, file, ros_distro).split("\n")
    return "\n".join(["rosbag2_bagfile_information:", *_indented(information), ""]).encode()


def _topic(index: FileIndex, number: int) -> list[str]:
    channel = index.channels[number]
    schema = index.schemas.get(channel.schema_id)
    offers = channel.metadata.get("offered_qos_profiles", "[]")
    qos = offers.split("\n") if offers.startswith("-") else []
    return [
        "- topic_metadata:",
        f"    name: {json.dumps(channel.topic, ensure_ascii=False)}",
        f"    type: {json.dumps(schema.name if schema else '', ensure_ascii=False)}",
        f"    serialization_format: {channel.message_encoding}",
        "    offered_qos_profiles:" if qos else "    offered_qos_profiles: []",
        *_indented(_indented(_indented(qos))),
        f"    type_description_hash: {json.dumps(channel.metadata.get('topic_type_hash', ''))}",
        f"  message_count: {index.counts[number]}",
    ]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]
