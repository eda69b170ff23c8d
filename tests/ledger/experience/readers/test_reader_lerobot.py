"""LeRobot datasets as huggingface/lerobot lays them out, made with pyarrow."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import RecordingError
from ledger.experience.readers import RangeRef, Recording, read_recording

pa = pytest.importorskip("pyarrow", reason="SKIPPED FOR LACK OF pyarrow (extra `lerobot`)")
import pyarrow.parquet as pq  # noqa: E402

FPS = 10
CAMERA = "observation.images.top"
LENGTHS = (5, 3, 4)
TASKS = ("pick the cube", "place the cube", "pick the cube")
FEATURES = {
    "action": {"dtype": "float32", "shape": [2], "names": None},
    "index": {"dtype": "int64", "shape": [1], "names": None},
    CAMERA: {"dtype": "video", "shape": [4, 4, 3], "names": None},
}


def write_info(root: Path, version: str, **changes: object) -> None:
    info: dict[str, object] = {
        "codebase_version": version,
        "robot_type": "so101",
        "total_episodes": len(LENGTHS),
        "total_frames": sum(LENGTHS),
        "chunks_size": 1000,
        "fps": FPS,
        "features": FEATURES,
    }
    if version.startswith("v2"):
        info["data_path"] = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
        info["video_path"] = (
            "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"
        )
    else:
        info["data_path"] = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
        info["video_path"] = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
    info.update(changes)
    (root / "meta").mkdir(parents=True, exist_ok=True)
    (root / "meta/info.json").write_text(json.dumps(info))


def write_frames(path: Path, first: int, count: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    index = list(range(first, first + count))
    pq.write_table(pa.table({"action": [[0.0, 1.0]] * count, "index": index}), path)


def write_video(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def v21(tmp_path: Path) -> Path:
    """Three episodes, each in files of its own."""
    root = tmp_path / "cubes"
    write_info(root, "v2.1")
    lines = []
    for i, (length, task) in enumerate(zip(LENGTHS, TASKS, strict=True)):
        lines.append({"episode_index": i, "tasks": [task], "length": length})
        write_frames(root / f"data/chunk-000/episode_{i:06d}.parquet", sum(LENGTHS[:i]), length)
        write_video(root / f"videos/chunk-000/{CAMERA}/episode_{i:06d}.mp4", b"video%d" % i)
    (root / "meta/episodes.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")
    (root / "meta/tasks.jsonl").write_text('{"task_index": 0, "task": "pick the cube"}\n')
    return root


def episode_rows() -> list[dict[str, Any]]:
    """meta/episodes: episodes 0 and 1 share the first files, episode 2 has the second ones."""
    rows = []
    for i, (length, task) in enumerate(zip(LENGTHS, TASKS, strict=True)):
        first = sum(LENGTHS[:i])
        seconds = first / FPS if i < 2 else 0.0
        row = {
            "episode_index": i,
            "tasks": [task],
            "length": length,
            "data/chunk_index": 0,
            "data/file_index": i // 2,
            "dataset_from_index": first,
            "dataset_to_index": first + length,
            f"videos/{CAMERA}/chunk_index": 0,
            f"videos/{CAMERA}/file_index": i // 2,
            f"videos/{CAMERA}/from_timestamp": seconds,
            f"videos/{CAMERA}/to_timestamp": seconds + length / FPS,
            "stats/action/min": [0.0, 0.0],
        }
        rows.append(row)
    return rows


def write_episodes(root: Path, rows: list[dict[str, Any]]) -> None:
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


@pytest.fixture
def v3(tmp_path: Path) -> Path:
    """Three episodes in two tables and two videos."""
    root = tmp_path / "cubes"
    write_info(root, "v3.0")
    write_episodes(root, episode_rows())
    pq.write_table(pa.table({"task_index": [0]}), root / "meta/tasks.parquet")
    write_frames(root / "data/chunk-000/file-000.parquet", 0, 8)
    write_frames(root / "data/chunk-000/file-001.parquet", 8, 4)
    for i in range(2):
        write_video(root / f"videos/{CAMERA}/chunk-000/file-{i:03d}.mp4", b"video%d" % i)
    return root


def tags_of(recording: Recording) -> dict[str, str]:
    return {tag.key: tag.value for tag in recording.tags}


def names_of(recording: Recording) -> list[str]:
    return [file.name for file in recording.files]


def test_v21_gives_a_recording_an_episode(v21: Path) -> None:
    found = list(read_recording(v21))
    assert [recording.name for recording in found] == [f"cubes/episode_{i:06d}" for i in range(3)]
    for i, recording in enumerate(found):
        own = [
            f"data/chunk-000/episode_{i:06d}.parquet",
            f"videos/chunk-000/{CAMERA}/episode_{i:06d}.mp4",
        ]
        meta = ["meta/episodes.jsonl", "meta/info.json", "meta/tasks.jsonl"] if i == 0 else []
        assert names_of(recording) == [*meta, *own]
        assert [(topic.name, topic.type, topic.count) for topic in recording.topics] == [
            ("action", "float32[2]", LENGTHS[i]),
            ("index", "int64[1]", LENGTHS[i]),
            (CAMERA, "video[4,4,3]", LENGTHS[i]),
        ]
        assert recording.message_count == 3 * LENGTHS[i]
        assert (recording.start_ns, recording.end_ns) == (0, (LENGTHS[i] - 1) * 100_000_000)
        assert tags_of(recording) == {
            "clock": "episode",
            "dataset": "cubes",
            "episode": str(i),
            "format": "lerobot",
            "fps": "10",
            "frames": str(LENGTHS[i]),
            "lerobot_version": "v2.1",
            "robot_type": "so101",
            "task": TASKS[i],
        }


def test_v21_keeps_every_file_once(v21: Path) -> None:
    (v21 / ".cache/huggingface").mkdir(parents=True)
    (v21 / ".cache/huggingface/lock").touch()
    (v21 / ".cache/link").symlink_to(v21)
    (v21 / "README.md").write_text("# cubes")
    kept = [name for recording in read_recording(v21) for name in names_of(recording)]
    on_disk = {path.relative_to(v21).as_posix() for path in v21.rglob("*") if path.is_file()}
    assert sorted(kept) == sorted(name for name in on_disk if not name.startswith(".cache"))


def test_v3_gives_content_first_and_then_episodes(v3: Path) -> None:
    found = list(read_recording(v3))
    assert [recording.name for recording in found] == [
        "cubes/meta",
        "cubes/data/chunk-000/file-000.parquet",
        "cubes/data/chunk-000/file-001.parquet",
        f"cubes/videos/{CAMERA}/chunk-000/file-000.mp4",
        f"cubes/videos/{CAMERA}/chunk-000/file-001.mp4",
        "cubes/episode_000000",
        "cubes/episode_000001",
        "cubes/episode_000002",
    ]
    assert [tags_of(recording).get("part") for recording in found[:5]] == [
        "meta",
        *["data"] * 2,
        *["video"] * 2,
    ]
    assert names_of(found[0]) == [
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/info.json",
        "meta/tasks.parquet",
    ]
    assert all(len(recording.files) == 1 for recording in found[1:5])
    assert not any(recording.ranges for recording in found[:5])
    assert all(recording.files == () for recording in found[5:])


def test_v3_ranges_name_rows_and_video_times(v3: Path) -> None:
    episodes = list(read_recording(v3))[5:]
    table, video = (
        "data/chunk-000/file-{:03d}.parquet",
        f"videos/{CAMERA}/chunk-000/file-{{:03d}}.mp4",
    )
    places = [(0, 0, 5, 0, 500), (0, 5, 8, 500, 800), (1, 0, 4, 0, 400)]
    for episode, (file, first, end, start_ms, end_ms) in zip(episodes, places, strict=True):
        t, v = table.format(file), video.format(file)
        assert episode.ranges == (
            RangeRef(f"cubes/{t}", t, first, end, 0, 0),
            RangeRef(f"cubes/{v}", v, 0, 0, start_ms * 1_000_000, end_ms * 1_000_000),
        )
        assert tags_of(episode)["frames"] == str(end - first)


def test_ranges_point_only_into_recordings_given_before(v3: Path) -> None:
    seen: dict[str, list[str]] = {}
    for recording in read_recording(v3):
        for ref in recording.ranges:
            assert ref.file in seen[ref.recording_name]
        seen[recording.name] = names_of(recording)


@pytest.mark.parametrize("version", ["v21", "v3"])
def test_without_pyarrow_the_extra_is_named(
    version: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = request.getfixturevalue(version)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RecordingError, match="need pyarrow") as caught:
        read_recording(root)
    assert "quipu-ledger[lerobot]" in str(caught.value.hint)


def refuses(root: Path) -> str:
    """The message of the `RecordingError` that reading ``root`` ends with, before any recording."""
    with pytest.raises(RecordingError) as caught:
        read_recording(root)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value.message


@pytest.mark.parametrize(
    "name",
    [
        "meta/episodes.jsonl",
        "data/chunk-000/episode_000001.parquet",
        f"videos/chunk-000/{CAMERA}/episode_000002.mp4",
    ],
)
def test_v21_with_a_file_missing(v21: Path, name: str) -> None:
    (v21 / name).unlink()
    assert name in refuses(v21)


@pytest.mark.parametrize(
    "name",
    [
        "meta/episodes/chunk-000/file-000.parquet",
        "data/chunk-000/file-001.parquet",
        f"videos/{CAMERA}/chunk-000/file-000.mp4",
    ],
)
def test_v3_with_a_file_missing(v3: Path, name: str) -> None:
    (v3 / name).unlink()
    refuses(v3)


def test_files_that_no_episode_names(v21: Path) -> None:
    write_frames(v21 / "data/chunk-000/episode_000003.parquet", 0, 1)
    assert "no episode names it" in refuses(v21)


def test_rows_that_do_not_fit(v21: Path) -> None:
    write_frames(v21 / "data/chunk-000/episode_000001.parquet", 5, 2)
    assert "has 2 rows" in refuses(v21)


def test_episodes_that_do_not_fit_into_their_table(v3: Path) -> None:
    write_frames(v3 / "data/chunk-000/file-000.parquet", 0, 7)
    assert "has 7 rows, its episodes 8" in refuses(v3)


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ("v21", "data/chunk-000/episode_000000.parquet"),
        ("v3", "data/chunk-000/file-000.parquet"),
        ("v3", "meta/episodes/chunk-000/file-000.parquet"),
    ],
)
def test_a_table_cut_off(version: str, name: str, request: pytest.FixtureRequest) -> None:
    root = request.getfixturevalue(version)
    content = (root / name).read_bytes()
    for size in range(0, len(content), 83):
        (root / name).write_bytes(content[:size])
        assert name in refuses(root)


@pytest.mark.parametrize(
    "change",
    [
        lambda row: row.update(length=4),
        lambda row: row.update(episode_index=7),
        lambda row: row.update({"data/file_index": 9}),
        lambda row: row.update({"data/chunk_index": -1}),
        lambda row: row.update({f"videos/{CAMERA}/from_timestamp": 1e9}),
        lambda row: row.update({f"videos/{CAMERA}/from_timestamp": float("nan")}),
        lambda row: row.update({f"videos/{CAMERA}/to_timestamp": float("inf")}),
        lambda row: row.update({f"videos/{CAMERA}/to_timestamp": None}),
        lambda row: row.update(dataset_to_index=None),
    ],
)
def test_v3_episode_tables_that_contradict(
    v3: Path, change: Callable[[dict[str, Any]], None]
) -> None:
    rows = episode_rows()
    change(rows[0])
    write_episodes(v3, rows)
    refuses(v3)


def test_v3_episode_table_without_a_column(v3: Path) -> None:
    write_episodes(v3, [{"episode_index": 0}])
    assert "has no column" in refuses(v3)


@pytest.mark.parametrize(
    "changes",
    [
        {"data_path": "../{episode_index:06d}.parquet"},
        {"data_path": "/etc/passwd"},
        {"data_path": "data/{episode_index.__class__}.parquet"},
        {"data_path": "data/{episode_index:999999999d}.parquet"},
        {"data_path": "data/{other}.parquet"},
        {"data_path": "data/{episode_index"},
        {"data_path": None},
        {"fps": 0},
        {"fps": float("nan")},
        {"fps": "10"},
        {"chunks_size": 0},
        {"total_episodes": 4},
        {"features": []},
        {"features": {"a": {"dtype": 1, "shape": []}}},
        {"codebase_version": "v1.6"},
        {"codebase_version": "v4.0"},
        {"codebase_version": 2.1},
    ],
)
def test_info_that_cannot_be_used(v21: Path, changes: dict[str, object]) -> None:
    write_info(v21, "v2.1", **changes)
    refuses(v21)


@pytest.mark.parametrize(
    "line", ["{", "[]", "{}", '{"episode_index": 0, "length": -1, "tasks": []}', "\xff"]
)
def test_episode_lines_that_cannot_be_used(v21: Path, line: str) -> None:
    (v21 / "meta/episodes.jsonl").write_bytes(line.encode("latin-1"))
    refuses(v21)


def test_a_dataset_without_videos(v21: Path) -> None:
    features = {key: value for key, value in FEATURES.items() if key != CAMERA}
    write_info(v21, "v2.1", features=features, video_path=None)
    for video in v21.glob("videos/*/*/*"):
        video.unlink()
    assert [len(recording.files) for recording in read_recording(v21)] == [4, 1, 1]
