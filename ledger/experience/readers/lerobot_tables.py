"""The parquet tables of a LeRobot dataset: footers, and the few columns needed.

The only module of the readers that imports pyarrow, and only when it is used.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.errors import RecordingError
from ledger.experience.readers.input_files import reason
from ledger.experience.readers.lerobot_info import broken
from ledger.experience.readers.recording import INT64_MAX

BATCH_ROWS = 4096


@dataclass(frozen=True, slots=True)
class VideoPlace:
    """Where an episode lies in a video file: ns from the start of that file."""

    key: str
    chunk: int
    file: int
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class EpisodePlace:
    """A row of ``meta/episodes``. ``first_index`` counts frames over the whole dataset."""

    episode: int
    length: int
    tasks: tuple[str, ...]
    data_chunk: int
    data_file: int
    first_index: int
    videos: tuple[VideoPlace, ...]


def count_rows(path: Path) -> int:
    """The number of rows that a table's footer states. Raises `RecordingError`."""
    with _open_table(path) as table:
        return int(table.metadata.num_rows)


def read_episode_places(path: Path, video_keys: tuple[str, ...]) -> list[EpisodePlace]:
    """The rows of one file of ``meta/episodes``. Raises `RecordingError`."""
    columns = [
        "episode_index",
        "length",
        "tasks",
        "data/chunk_index",
        "data/file_index",
        "dataset_from_index",
        "dataset_to_index",
    ]
    for key in video_keys:
        columns += [f"videos/{key}/{name}" for name in ("chunk_index", "file_index")]
        columns += [f"videos/{key}/{name}" for name in ("from_timestamp", "to_timestamp")]
    with _open_table(path) as table:
        missing = set(columns) - set(table.schema_arrow.names)
        if missing:
            raise broken(path, f"it has no column {min(missing)}")
        return [
            _place(path, row, video_keys)
            for batch in table.iter_batches(BATCH_ROWS, columns=columns, use_threads=False)
            for row in batch.to_pylist()
        ]


def _place(path: Path, row: dict[str, object], video_keys: tuple[str, ...]) -> EpisodePlace:
    tasks = row["tasks"]
    if not isinstance(tasks, list):
        raise broken(path, "its tasks are no list")
    first, end = _count(path, row, "dataset_from_index"), _count(path, row, "dataset_to_index")
    length = _count(path, row, "length")
    if end - first != length:
        raise broken(path, f"an episode of {length} frames takes {end - first} rows")
    return EpisodePlace(
        episode=_count(path, row, "episode_index"),
        length=length,
        tasks=tuple(str(task) for task in tasks),
        data_chunk=_count(path, row, "data/chunk_index"),
        data_file=_count(path, row, "data/file_index"),
        first_index=first,
        videos=tuple(_video(path, row, key) for key in video_keys),
    )


def _video(path: Path, row: dict[str, object], key: str) -> VideoPlace:
    start_ns = _time_ns(path, row, f"videos/{key}/from_timestamp")
    end_ns = _time_ns(path, row, f"videos/{key}/to_timestamp")
    if start_ns > end_ns:
        raise broken(path, f"an episode's video {key} ends before it starts")
    return VideoPlace(
        key=key,
        chunk=_count(path, row, f"videos/{key}/chunk_index"),
        file=_count(path, row, f"videos/{key}/file_index"),
        start_ns=start_ns,
        end_ns=end_ns,
    )


def _count(path: Path, row: dict[str, object], column: str) -> int:
    value = row[column]
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise broken(path, f"{column} holds {value!r}, which is no count")
    return value


def _time_ns(path: Path, row: dict[str, object], column: str) -> int:
    """A time in seconds, as float, in ns."""
    value = row[column]
    if not isinstance(value, int | float) or not 0 <= value < INT64_MAX / 1e9:
        raise broken(path, f"{column} holds {value!r}, which is no time")
    return round(value * 1e9)


@contextmanager
def _open_table(path: Path) -> Iterator[Any]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise RecordingError(
            "LeRobot datasets need pyarrow, which is not installed",
            hint="install it with `pip install 'quipu-ledger[lerobot]'`",
        ) from error
    try:
        with pq.ParquetFile(path) as table:
            yield table
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise broken(path, reason(error)) from error
