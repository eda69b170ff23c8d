from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from ruamel.yaml import YAML

from ledger.errors import RecordingError
from ledger.experience.readers import Recording, read_recording
from tests.ledger.experience.readers.recording_writers import (
    COUNT,
    EMPTY,
    END_NS,
    EXPECTED,
    START_NS,
    STEP_NS,
    counted,
    make_mcap,
    make_rosbag2,
    outcome,
    read_one,
)

STORAGES = ["mcap", "sqlite3"]
Information = dict[str, object]


def edit_metadata(bag: Path, change: Callable[[Information], object]) -> None:
    """Rewrite metadata.yaml after a change of its one mapping."""
    yaml = YAML(typ="safe")
    document = yaml.load(bag / "metadata.yaml")
    change(document["rosbag2_bagfile_information"])
    yaml.dump(document, bag / "metadata.yaml")


def tags_of(recording: Recording) -> dict[str, str]:
    return {tag.key: tag.value for tag in recording.tags}


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("version", [8, 9])
@pytest.mark.parametrize("mode", ["none", "file", "message", "storage"])
def test_counts_in_every_storage_and_compression(
    tmp_path: Path, storage: str, version: int, mode: str
) -> None:
    if (storage, mode) == ("sqlite3", "storage"):
        storage, mode = "sqlite3", "none"
    bag = make_rosbag2(tmp_path / "bag", storage, version, mode)
    recording = read_one(bag)
    assert counted(recording) == EXPECTED
    tags = tags_of(recording)
    assert (tags["storage"], tags["rosbag2_version"]) == (storage, str(version))
    expected = f"{mode}/zstd" if mode in ("file", "message") else None
    assert tags.get("compression") == expected
    suffix = (".mcap" if storage == "mcap" else ".db3") + (".zstd" if mode == "file" else "")
    assert [file.name for file in recording.files] == ["metadata.yaml", f"bag{suffix}"]


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("mode", ["none", "file"])
def test_an_empty_bag_is_a_recording(tmp_path: Path, storage: str, mode: str) -> None:
    recording = read_one(make_rosbag2(tmp_path / "bag", storage, mode=mode, messages=0))
    if mode == "none" or storage == "sqlite3":
        assert counted(recording) == EMPTY
    assert (recording.message_count, recording.start_ns, recording.end_ns) == (0, 0, 0)


@pytest.mark.parametrize("version", [*range(1, 10), 10])
def test_versions(tmp_path: Path, version: int) -> None:
    bag = make_rosbag2(tmp_path / "bag")

    def as_version(information: Information) -> None:
        information["version"] = version
        newer = {"ros_distro": 8, "custom_data": 6, "files": 5}
        for key, since in newer.items():
            if version < since:
                del information[key]
        if version < 3:
            del information["compression_mode"], information["compression_format"]
        if version < 4:
            information["relative_file_paths"] = ["name_when_recorded/bag.mcap"]

    edit_metadata(bag, as_version)
    assert counted(read_one(bag)) == EXPECTED


def test_a_newer_version_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    bag = make_rosbag2(tmp_path / "bag")

    def rename(information: Information) -> None:
        information["version"] = 10
        information["segment_paths"] = information.pop("relative_file_paths")

    edit_metadata(bag, rename)
    with pytest.raises(RecordingError, match="version 10, newer than 9") as caught:
        read_one(bag)
    assert "update quipu-ledger" in str(caught.value.hint)


def test_file_compression_listed_without_its_suffix(tmp_path: Path) -> None:
    for storage, name in (("mcap", "bag.mcap"), ("sqlite3", "bag.db3")):
        bag = make_rosbag2(tmp_path / storage / "bag", storage, mode="file")
        edit_metadata(
            bag, lambda info, name=name: info.update(relative_file_paths=[name], files=None)
        )
        recording = read_one(bag)
        assert counted(recording) == EXPECTED
        assert recording.files[-1].name == f"{name}.zstd"


def test_what_playing_has_unpacked_is_left_out(tmp_path: Path) -> None:
    bag = make_rosbag2(tmp_path / "bag", mode="file")
    packed = (bag / "bag.mcap.zstd").read_bytes()
    unpacked = zstandard.ZstdDecompressor().decompressobj().decompress(packed)
    (bag / "bag.mcap").write_bytes(unpacked)
    assert [file.name for file in read_one(bag).files] == ["metadata.yaml", "bag.mcap.zstd"]


def test_a_truncated_compressed_file(tmp_path: Path) -> None:
    for storage in STORAGES:
        bag = make_rosbag2(tmp_path / storage / "bag", storage, mode="file")
        (file,) = bag.glob("*.zstd")
        content = file.read_bytes()
        for size in range(0, len(content), 37):
            file.write_bytes(content[:size])
            assert outcome(bag) is None


def test_other_files_in_the_folder_are_carried(tmp_path: Path) -> None:
    bag = make_rosbag2(tmp_path / "bag")
    (bag / "calibration").mkdir()
    (bag / "calibration/camera.yaml").write_text("fx: 1")
    names = [file.name for file in read_one(bag).files]
    assert names == ["metadata.yaml", "calibration/camera.yaml", "bag.mcap"]


def make_split_bag(path: Path) -> Path:
    """Two MCAP files of the same topics, the second an hour later."""
    bag = make_rosbag2(path)
    shutil.copy(bag / "bag.mcap", bag / "second.mcap")

    def split(information: Information) -> None:
        information["relative_file_paths"] = ["bag.mcap", "second.mcap"]
        information["message_count"] = 2 * COUNT
        (file,) = information["files"]  # type: ignore[misc]
        information["files"] = [file, {**file, "path": "second.mcap"}]
        for topic in information["topics_with_message_count"]:  # type: ignore[attr-defined]
            topic["message_count"] *= 2

    edit_metadata(bag, split)
    return bag


def test_a_split_bag_is_a_recording_a_file(tmp_path: Path) -> None:
    bag = make_split_bag(tmp_path / "bag")
    first, second = read_recording(bag)
    assert counted(first) == counted(second) == EXPECTED
    assert [file.name for file in first.files] == ["metadata.yaml", "bag.mcap"]
    assert [file.name for file in second.files] == ["second.mcap"]
    assert (first.name, second.name) == ("bag/bag.mcap", "bag/second.mcap")
    # Putting all segments back gives the bag, byte for byte.
    restored = tmp_path / "restored"
    restored.mkdir()
    for file in (*first.files, *second.files):
        shutil.copy(file.path, restored / file.name)
    assert sum(recording.message_count for recording in read_recording(restored)) == 2 * COUNT


def test_a_message_too_few_is_noticed(tmp_path: Path) -> None:
    def one_more(information: Information) -> None:
        information["topics_with_message_count"][0]["message_count"] += 1  # type: ignore[index]

    for storage in STORAGES:
        bag = make_rosbag2(tmp_path / storage / "bag", storage)
        edit_metadata(bag, one_more)
        with pytest.raises(RecordingError, match="claims 9 messages of /a") as caught:
            read_one(bag)
        assert "ros2 bag reindex" in str(caught.value.hint)


@pytest.mark.parametrize(
    "change",
    [
        lambda info: info.update(message_count=COUNT + 1),
        lambda info: info["files"][0].update(message_count=COUNT - 1),
        lambda info: info["files"][0]["starting_time"].update(nanoseconds_since_epoch=START_NS - 1),
        lambda info: info["files"][0]["duration"].update(nanoseconds=END_NS - START_NS + 1),
        lambda info: info["topics_with_message_count"].pop(),
        lambda info: info["topics_with_message_count"][0]["topic_metadata"].update(type="x/msg/Y"),
        lambda info: info.update(relative_file_paths=["absent.mcap"]),
        lambda info: info.update(relative_file_paths=["../bag/bag.mcap"]),
        lambda info: info.update(relative_file_paths=["/etc/passwd"]),
        lambda info: info.update(relative_file_paths=[]),
        lambda info: info.update(relative_file_paths=["bag.mcap", "bag.mcap"]),
        lambda info: info.update(storage_identifier="rosbag_v2"),
        lambda info: info.update(storage_identifier="sqlite3"),
        lambda info: info.update(compression_mode="FILE", compression_format="zstd"),
        lambda info: info.update(compression_mode="file", compression_format="lz77"),
        lambda info: info.update(version="nine"),
        lambda info: info.update(version=0),
        lambda info: info.pop("version"),
        lambda info: info.pop("message_count"),
        lambda info: info.pop("duration"),
        lambda info: info.update(topics_with_message_count={}),
        lambda info: info.update(files=[1]),
    ],
)
def test_metadata_that_does_not_fit_its_bag(
    tmp_path: Path, change: Callable[[Information], object]
) -> None:
    bag = make_rosbag2(tmp_path / "bag")
    edit_metadata(bag, change)
    assert outcome(bag) is None


def test_a_duration_left_short_by_a_late_message_is_tolerated(tmp_path: Path) -> None:
    bag = make_rosbag2(tmp_path / "bag")
    edit_metadata(bag, lambda info: info["files"][0]["duration"].update(nanoseconds=STEP_NS))  # type: ignore[index]
    assert counted(read_one(bag)) == EXPECTED


def test_qos_that_differs_from_the_channels_hides_no_message(tmp_path: Path) -> None:
    bag = make_rosbag2(tmp_path / "bag")

    def other_qos(information: Information) -> None:
        for topic in information["topics_with_message_count"]:  # type: ignore[attr-defined]
            topic["topic_metadata"]["offered_qos_profiles"] = "- history: 3\n  depth: 7"

    edit_metadata(bag, other_qos)
    assert counted(read_one(bag)) == EXPECTED


def test_an_unlisted_storage_file_is_refused(tmp_path: Path) -> None:
    bag = make_rosbag2(tmp_path / "bag")
    (bag / "bag_1.mcap").write_bytes(make_mcap())
    with pytest.raises(RecordingError, match=r"bag_1.mcap is not listed"):
        read_one(bag)


@pytest.mark.parametrize(
    "content",
    [b"", b"\xff\xfe", b"a: [", b"[" * 10**6, b"- " * 10**6, b"a: &a [*a]", b"\0"],
)
def test_metadata_that_is_no_yaml(tmp_path: Path, content: bytes) -> None:
    bag = make_rosbag2(tmp_path / "bag")
    (bag / "metadata.yaml").write_bytes(content)
    assert outcome(bag) is None
    (bag / "metadata.yaml").write_bytes(b"rosbag2_bagfile_information: " + content)
    assert outcome(bag) is None


def test_another_formats_metadata_yaml_is_opaque(tmp_path: Path) -> None:
    (tmp_path / "metadata.yaml").write_text("title: weather")
    (tmp_path / "data.csv").write_text("1,2")
    assert tags_of(read_one(tmp_path)) == {"format": "opaque"}


def test_a_bag_whose_storage_is_a_link_is_refused(tmp_path: Path) -> None:
    bag = make_rosbag2(tmp_path / "bag")
    (bag / "bag.mcap").rename(tmp_path / "elsewhere.mcap")
    (bag / "bag.mcap").symlink_to(tmp_path / "elsewhere.mcap")
    with pytest.raises(RecordingError, match="symbolic link"):
        read_one(bag)


def test_a_link_to_the_bag_itself_is_followed(tmp_path: Path) -> None:
    bag = make_rosbag2(tmp_path / "bag")
    (tmp_path / "latest").symlink_to(bag)
    assert read_one(tmp_path / "latest").root == bag.resolve()
