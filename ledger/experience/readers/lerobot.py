"""LeRobot datasets, v2.0, v2.1 and v3 (https://github.com/huggingface/lerobot).

v2.x keeps a file an episode::

    meta/info.json, episodes.jsonl, tasks.jsonl, ...
    data/chunk-000/episode_000000.parquet
    videos/chunk-000/<video key>/episode_000000.mp4

One recording an episode: its table, then its videos. The first episode also
carries, before these, the files that belong to the whole dataset (``meta/`` and
whatever else lies there).

v3 keeps many episodes in a file::

    meta/info.json, tasks.parquet, episodes/chunk-000/file-000.parquet
    data/chunk-000/file-000.parquet
    videos/<video key>/chunk-000/file-000.mp4

First come content recordings: one of ``meta/`` and whatever else belongs to the
whole dataset, then one a table and one a video. Then one recording an episode,
without files: its ranges name rows of a table and times of videos.

Topics are the features; a feature's count is the number of frames. Time starts at
0 with each episode (tag ``clock`` = ``episode``), because a dataset does not say
when it was recorded. Folders whose name starts with a dot (``.git``, ``.cache``)
are not part of a dataset. Tables are opened for their footers only, but for the
few columns of ``meta/episodes`` that say where an episode lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import RecordingError
from ledger.experience.readers.input_files import list_files, read_small_file
from ledger.experience.readers.lerobot_info import (
    SIZE_LIMIT,
    JsonObject,
    LeRobotInfo,
    broken,
    expand,
    parse_json,
    read_info,
)
from ledger.experience.readers.lerobot_tables import EpisodePlace, count_rows, read_episode_places
from ledger.experience.readers.recording import (
    RangeRef,
    Recording,
    RecordingFile,
    RecordingTag,
    RecordingTopic,
)

MEDIA_TYPE = "application/x-lerobot"
EPISODES_FOLDER = "meta/episodes/"


@dataclass(frozen=True, slots=True)
class _Episode:
    """An episode of v2.x and its files."""

    index: int
    length: int
    tasks: tuple[str, ...]
    files: tuple[RecordingFile, ...]


def read_lerobot(root: Path) -> Iterator[Recording]:
    """The recordings of a LeRobot dataset; all is checked before the first is given.

    Raises `RecordingError`.
    """
    info = read_info(root)
    present = {file.name: file for file in list_files(root, hidden_folders=False)}
    if info.version in ("v2.0", "v2.1"):
        return _episodes_in_files(info, present)
    if info.version.startswith("v3."):
        return _episodes_in_ranges(info, present)
    raise RecordingError(
        f"{root} is a LeRobot dataset of version {info.version!r}, which has no reader here",
        hint="convert it to v2.1 or v3.0 with LeRobot's scripts, or keep the bytes with --opaque",
    )


def _episodes_in_files(info: LeRobotInfo, present: dict[str, RecordingFile]) -> Iterator[Recording]:
    """v2.x: a recording an episode."""
    path = info.root / "meta/episodes.jsonl"
    episodes = []
    for line in read_small_file(path, SIZE_LIMIT).splitlines():
        if line.strip():
            fields = JsonObject(path, parse_json(path, line))
            index, length = fields.integer("episode_index"), fields.integer("length")
            tasks = tuple(str(task) for task in fields.items("tasks"))
            files = _episode_files(info, present, index, length)
            episodes.append(_Episode(index, length, tasks, files))
    _check_indices(info, [episode.index for episode in episodes])
    own = {file.name for episode in episodes for file in episode.files}
    shared = _shared_files(info, present, own)
    return _yield_episodes(info, episodes, shared)


def _yield_episodes(
    info: LeRobotInfo, episodes: list[_Episode], shared: tuple[RecordingFile, ...]
) -> Iterator[Recording]:
    for number, episode in enumerate(episodes):
        files = (*shared, *episode.files) if number == 0 else episode.files
        yield _episode_recording(info, episode.index, episode.length, episode.tasks, files, ())


def _episode_files(
    info: LeRobotInfo, present: dict[str, RecordingFile], index: int, length: int
) -> tuple[RecordingFile, ...]:
    place = {"episode_chunk": index // info.chunk_size, "episode_index": index}
    table = _listed(info, present, expand(info.data_path, info.root, **place))
    rows = count_rows(table.path)
    if rows != length:
        raise broken(table.path, f"it has {rows} rows, meta/episodes.jsonl says {length}")
    names = [expand(info.video_path, info.root, video_key=key, **place) for key in info.video_keys]
    return (table, *(_listed(info, present, name) for name in names))


def _episodes_in_ranges(
    info: LeRobotInfo, present: dict[str, RecordingFile]
) -> Iterator[Recording]:
    """v3: content recordings, then a recording an episode that points into them."""
    tables = [name for name in present if name.startswith(EPISODES_FOLDER)]
    places = [
        place for name in tables for place in read_episode_places(info.root / name, info.video_keys)
    ]
    _check_indices(info, [place.episode for place in places])
    data_names = {(p.data_chunk, p.data_file) for p in places}
    data = {key: _listed(info, present, _data_name(info, *key)) for key in sorted(data_names)}
    video_places = {(video.key, video.chunk, video.file) for p in places for video in p.videos}
    videos = {
        place: _listed(info, present, _video_name(info, *place)) for place in sorted(video_places)
    }
    first_rows = _check_rows(places, data)
    own = {file.name for file in (*data.values(), *videos.values())}
    shared = _shared_files(info, present, own)
    return _yield_ranges(info, places, first_rows, shared, data, videos)


def _yield_ranges(
    info: LeRobotInfo,
    places: list[EpisodePlace],
    first_rows: dict[tuple[int, int], int],
    shared: tuple[RecordingFile, ...],
    data: dict[tuple[int, int], RecordingFile],
    videos: dict[tuple[str, int, int], RecordingFile],
) -> Iterator[Recording]:
    dataset = info.root.name
    yield _content_recording(info, f"{dataset}/meta", shared, "meta")
    for file in data.values():
        yield _content_recording(info, f"{dataset}/{file.name}", (file,), "data")
    for file in videos.values():
        yield _content_recording(info, f"{dataset}/{file.name}", (file,), "video")
    for place in places:
        key = (place.data_chunk, place.data_file)
        table = data[key].name
        first = place.first_index - first_rows[key]
        ranges = [RangeRef(f"{dataset}/{table}", table, first, first + place.length, 0, 0)]
        for video in place.videos:
            name = videos[video.key, video.chunk, video.file].name
            ranges.append(RangeRef(f"{dataset}/{name}", name, 0, 0, video.start_ns, video.end_ns))
        yield _episode_recording(info, place.episode, place.length, place.tasks, (), tuple(ranges))


def _check_rows(
    places: list[EpisodePlace], data: dict[tuple[int, int], RecordingFile]
) -> dict[tuple[int, int], int]:
    """The dataset-wide index of each table's first row; episodes must fit into its rows."""
    first: dict[tuple[int, int], int] = {}
    end: dict[tuple[int, int], int] = {}
    for place in places:
        key = (place.data_chunk, place.data_file)
        first[key] = min(first.get(key, place.first_index), place.first_index)
        end[key] = max(end.get(key, 0), place.first_index + place.length)
    for key, file in data.items():
        rows = count_rows(file.path)
        if end[key] - first[key] > rows:
            raise broken(file.path, f"it has {rows} rows, its episodes {end[key] - first[key]}")
    return first


def _data_name(info: LeRobotInfo, chunk: int, file: int) -> str:
    return expand(info.data_path, info.root, chunk_index=chunk, file_index=file)


def _video_name(info: LeRobotInfo, key: str, chunk: int, file: int) -> str:
    return expand(info.video_path, info.root, video_key=key, chunk_index=chunk, file_index=file)


def _listed(info: LeRobotInfo, present: dict[str, RecordingFile], name: str) -> RecordingFile:
    if name not in present:
        raise broken(info.root / name, "the file is missing")
    return present[name]


def _shared_files(
    info: LeRobotInfo, present: dict[str, RecordingFile], own: set[str]
) -> tuple[RecordingFile, ...]:
    """The files of no episode; a table or video that no episode names is refused."""
    shared = tuple(file for name, file in present.items() if name not in own)
    for file in shared:
        if file.name.startswith(("data/", "videos/")):
            raise broken(file.path, "no episode names it")
    return shared


def _check_indices(info: LeRobotInfo, indices: list[int]) -> None:
    if sorted(indices) != list(range(len(indices))):
        raise broken(info.root, "its episodes are not numbered 0, 1, 2, ...")
    if len(indices) != info.episodes:
        raise broken(
            info.root, f"info.json says {info.episodes} episodes, {len(indices)} are listed"
        )


def _content_recording(
    info: LeRobotInfo, name: str, files: tuple[RecordingFile, ...], part: str
) -> Recording:
    return Recording(
        root=info.root,
        name=name,
        media_type=MEDIA_TYPE,
        files=files,
        tags=tuple(sorted((*_dataset_tags(info), RecordingTag("part", part)))),
    )


def _episode_recording(
    info: LeRobotInfo,
    index: int,
    length: int,
    tasks: tuple[str, ...],
    files: tuple[RecordingFile, ...],
    ranges: tuple[RangeRef, ...],
) -> Recording:
    tags = [
        *_dataset_tags(info),
        RecordingTag("clock", "episode"),
        RecordingTag("episode", str(index)),
        RecordingTag("frames", str(length)),
        *(RecordingTag("task", task) for task in tasks),
    ]
    topics = tuple(RecordingTopic(key, kind, length) for key, kind in info.features)
    return Recording(
        root=info.root,
        name=f"{info.root.name}/episode_{index:06d}",
        media_type=MEDIA_TYPE,
        files=files,
        topics=topics,
        end_ns=round(max(length - 1, 0) * 1e9 / info.fps),
        message_count=sum(topic.count for topic in topics),
        tags=tuple(sorted(tags)),
        ranges=ranges,
    )


def _dataset_tags(info: LeRobotInfo) -> list[RecordingTag]:
    tags = {
        "dataset": info.root.name,
        "format": "lerobot",
        "fps": f"{info.fps:g}",
        "lerobot_version": info.version,
        "robot_type": info.robot_type,
    }
    return [RecordingTag(key, value) for key, value in tags.items() if value]
