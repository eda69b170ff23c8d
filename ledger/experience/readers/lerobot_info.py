"""``meta/info.json`` of a LeRobot dataset: version, rates, features and path templates."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import RecordingError
from ledger.experience.readers.input_files import read_small_file
from ledger.experience.readers.recording import check_file_name

INFO_NAME = "meta/info.json"
SIZE_LIMIT = 64 << 20
HINT = "repair the dataset with LeRobot's tools, or keep the bytes with --opaque"
# What a path template may hold: {name} or {name:0Nd}. str.format would let it do more.
FIELD = re.compile(r"\{([a-z_]+)(?::0([1-9])d)?\}")


@dataclass(frozen=True, slots=True)
class LeRobotInfo:
    """What info.json says. ``fps`` is frames a second, ``features`` (key, type) pairs."""

    root: Path
    version: str
    fps: float
    robot_type: str
    episodes: int
    chunk_size: int
    data_path: str
    video_path: str
    features: tuple[tuple[str, str], ...]
    video_keys: tuple[str, ...]


def is_lerobot(path: Path) -> bool:
    """Whether ``path`` is a folder with LeRobot's ``meta/info.json`` in it."""
    info = path / INFO_NAME
    return info.is_file() and b'"codebase_version"' in read_small_file(info, SIZE_LIMIT)


def read_info(root: Path) -> LeRobotInfo:
    """Parse ``root/meta/info.json``. Raises `RecordingError`."""
    path = root / INFO_NAME
    fields = JsonObject(path, parse_json(path, read_small_file(path, SIZE_LIMIT)))
    features = [
        (key, JsonObject(path, value)) for key, value in sorted(fields.mapping("features").items())
    ]
    fps = fields.number("fps")
    if not 0 < fps < 1e9:
        raise broken(path, "fps is no rate")
    chunk_size = fields.integer("chunks_size")
    if chunk_size < 1:
        raise broken(path, "chunks_size is below 1")
    return LeRobotInfo(
        root=root,
        version=fields.text("codebase_version"),
        fps=fps,
        robot_type=fields.text("robot_type", ""),
        episodes=fields.integer("total_episodes"),
        chunk_size=chunk_size,
        data_path=fields.text("data_path"),
        video_path=fields.text("video_path", ""),
        features=tuple((key, _feature_type(feature)) for key, feature in features),
        video_keys=tuple(key for key, feature in features if feature.text("dtype") == "video"),
    )


def expand(template: str, path: Path, **values: int | str) -> str:
    """A path template with its fields filled in, as a name inside the dataset.

    Raises `RecordingError` for an unknown field or a name that leads outside.
    """

    def fill(match: re.Match[str]) -> str:
        value = values.get(match[1])
        if value is None or (isinstance(value, str) and match[2]):
            raise broken(path, f"its path template {template!r} has an unknown field")
        return f"{value:0{match[2]}d}" if match[2] else str(value)

    name = FIELD.sub(fill, template)
    if "{" in name or "}" in name:
        raise broken(path, f"its path template {template!r} cannot be filled in")
    check_file_name(name)
    return name


def parse_json(path: Path, content: bytes) -> object:
    """One JSON document, else `RecordingError`."""
    try:
        document: object = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise broken(path, "it is not JSON") from error
    return document


class JsonObject:
    """A JSON object whose fields are asked for by type; another type is a `RecordingError`."""

    def __init__(self, path: Path, value: object) -> None:
        if not isinstance(value, dict):
            raise broken(path, "an object is missing")
        self._path = path
        self._fields: dict[str, object] = value

    def mapping(self, key: str) -> dict[str, object]:
        """An object."""
        value = self._fields.get(key)
        if not isinstance(value, dict):
            raise broken(self._path, f"{key} is missing or no object")
        return value

    def items(self, key: str) -> list[object]:
        """An array."""
        value = self._fields.get(key)
        if not isinstance(value, list):
            raise broken(self._path, f"{key} is missing or no array")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        """A string; null and missing give the default."""
        value = self._fields.get(key)
        if value is None and default is not None:
            return default
        if not isinstance(value, str):
            raise broken(self._path, f"{key} is missing or no string")
        return value

    def integer(self, key: str) -> int:
        """An integer of at least 0."""
        value = self._fields.get(key)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise broken(self._path, f"{key} is missing or no count")
        return value

    def number(self, key: str) -> float:
        """A finite number."""
        value = self._fields.get(key)
        if (
            not isinstance(value, int | float)
            or isinstance(value, bool)
            or not math.isfinite(value)
        ):
            raise broken(self._path, f"{key} is missing or no number")
        return value


def broken(path: Path, reason: str) -> RecordingError:
    """The error for a dataset that breaks LeRobot's layout."""
    return RecordingError(f"{path} cannot be read: {reason}", hint=HINT)


def _feature_type(feature: JsonObject) -> str:
    """The dtype with its shape, such as ``float32[7]``."""
    return f"{feature.text('dtype')}{json.dumps(feature.items('shape'), separators=(',', ':'))}"
