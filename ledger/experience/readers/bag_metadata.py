"""A rosbag2 directory's ``metadata.yaml``, versions 1 to 9.

    1 first  2 wider integers  3 compression  4 QoS; paths relative to the bag
    5 per-file information  6 custom_data  7 type_description_hash
    8 ros_distro  9 QoS spelt as words

A newer version is read as far as the fields used here still say what they said.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ledger.errors import RecordingError
from ledger.experience.readers.input_files import read_small_file, reason
from ledger.experience.readers.recording import check_file_name

FILE_NAME = "metadata.yaml"
ROOT_KEY = "rosbag2_bagfile_information"
SIZE_LIMIT = 16 << 20
NEWEST_VERSION = 9
# rosbag2 nests five deep; a YAML parser takes minutes over what nests without end.
NESTING_LIMIT = 64
REINDEX_HINT = "rebuild metadata.yaml with `ros2 bag reindex`, or keep the bytes with --opaque"


@dataclass(frozen=True, slots=True)
class ClaimedRange:
    """What metadata.yaml claims of one file, or of the whole bag. Times in ns."""

    message_count: int
    start_ns: int
    duration_ns: int


@dataclass(frozen=True, slots=True)
class BagMetadata:
    """``files`` are names inside the bag; ``ranges`` what is claimed of each (None if nothing)."""

    version: int
    storage: str
    compression_mode: str
    compression_format: str
    ros_distro: str
    whole: ClaimedRange
    topic_counts: dict[tuple[str, str], int]
    files: tuple[str, ...]
    ranges: tuple[ClaimedRange | None, ...]


class _ShapeError(Exception):
    """A field is missing or of another type than rosbag2 writes."""


def read_bag_metadata(bag: Path) -> BagMetadata:
    """Parse ``bag/metadata.yaml``. Raises `RecordingError`."""
    path = bag / FILE_NAME
    try:
        top = _mapping(_load_yaml(path), "the document")
        information = _mapping(
            top.get("rosbag2_bagfile_information"), "rosbag2_bagfile_information"
        )
        version = _integer(information, "version")
    except _ShapeError as error:
        raise _refusal(path, str(error)) from error
    try:
        return _parse(information, version)
    except _ShapeError as error:
        if version > NEWEST_VERSION:
            raise RecordingError(
                f"{path} has version {version}, newer than {NEWEST_VERSION}, and cannot be read: "
                f"{error}",
                hint="update quipu-ledger, or keep the bytes with --opaque",
            ) from error
        raise _refusal(path, str(error)) from error


def _load_yaml(path: Path) -> object:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    content = read_small_file(path, SIZE_LIMIT)
    try:
        text = content.decode("utf-8")
        if _nesting(text) > NESTING_LIMIT:
            raise _refusal(path, f"it is nested deeper than {NESTING_LIMIT}")
        document: object = YAML(typ="safe", pure=True).load(text)
    except (YAMLError, UnicodeDecodeError, ValueError, RecursionError, AttributeError) as error:
        raise _refusal(path, f"it is not YAML ({reason(error)})") from error
    return document


def _nesting(text: str) -> int:
    """How deep brackets and dashes nest, at most."""
    depth = deepest = 0
    for bracket in re.finditer(r"[\[{]|[\]}]|^ *(?:[-?] +){9,}", text, re.MULTILINE):
        found = bracket[0]
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found, 0)
        deepest = max(deepest, depth, len(found) // 2 if len(found) > 1 else 0)
    return deepest


def _parse(information: dict[str, object], version: int) -> BagMetadata:
    if version < 1:
        raise _ShapeError(f"version is {version}")
    names = tuple(
        _inside_bag(name, version)
        for name in _list(information.get("relative_file_paths"), "relative_file_paths")
    )
    if len(set(names)) != len(names):
        raise _ShapeError("relative_file_paths names a file twice")
    topic_counts: dict[tuple[str, str], int] = {}
    for item in _list(information.get("topics_with_message_count"), "topics_with_message_count"):
        topic = _mapping(item, "topics_with_message_count")
        metadata = _mapping(topic.get("topic_metadata"), "topic_metadata")
        key = (_text(metadata, "name"), _text(metadata, "type"))
        topic_counts[key] = topic_counts.get(key, 0) + _integer(topic, "message_count")
    claims = {}
    for item in _list(information.get("files") or [], "files"):
        file = _mapping(item, "files")
        claims[_inside_bag(file.get("path"), version)] = _claimed_range(file)
    mode = _text(information, "compression_mode", "").lower()
    return BagMetadata(
        version=version,
        storage=_text(information, "storage_identifier"),
        compression_mode="" if mode == "none" else mode,
        compression_format=_text(information, "compression_format", ""),
        ros_distro=_text(information, "ros_distro", ""),
        whole=_claimed_range(information),
        topic_counts=topic_counts,
        files=names,
        ranges=tuple(claims.get(name) for name in names),
    )


def _claimed_range(fields: dict[str, object]) -> ClaimedRange:
    start = _mapping(fields.get("starting_time"), "starting_time")
    duration = _mapping(fields.get("duration"), "duration")
    return ClaimedRange(
        message_count=_integer(fields, "message_count"),
        start_ns=_integer(start, "nanoseconds_since_epoch"),
        duration_ns=_integer(duration, "nanoseconds"),
    )


def _inside_bag(value: object, version: int) -> str:
    """A listed path, relative to the bag's folder.

    Before version 4 paths were relative to the folder that holds the bag, and so
    begin with the bag's name at the time of recording.
    """
    if not isinstance(value, str):
        raise _ShapeError("a file path is not text")
    parts = PurePosixPath(value).parts
    name = "/".join(parts[1:] if version < 4 and len(parts) > 1 else parts)
    try:
        check_file_name(name)
    except RecordingError as error:
        raise _ShapeError(error.message) from error
    return name


def _mapping(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _ShapeError(f"{where} is missing or no mapping")
    return value


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise _ShapeError(f"{where} is missing or no list")
    return value


def _integer(fields: dict[str, object], key: str) -> int:
    value = fields.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _ShapeError(f"{key} is missing or no integer")
    return value


def _text(fields: dict[str, object], key: str, default: str | None = None) -> str:
    value = fields.get(key, default)
    if value is None and default is not None:
        return default
    if not isinstance(value, str):
        raise _ShapeError(f"{key} is missing or no text")
    return value


def _refusal(path: Path, why: str) -> RecordingError:
    return RecordingError(f"{path} cannot be read: {why}", hint=REINDEX_HINT)
