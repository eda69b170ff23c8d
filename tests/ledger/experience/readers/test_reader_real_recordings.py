"""Real recordings, and what their metadata.yaml and README say of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from rosbags.rosbag1 import Reader as Rosbag1Reader
from ruamel.yaml import YAML

from ledger.experience.readers import read_recording
from tests.ledger.experience.readers.recording_writers import read_one

HUSKY = (("/fix", 989), ("/husky_velocity_controller/odom", 3952), ("/imu/data", 11865))
HUSKY_START, HUSKY_END = 1432235498025043042, 1432235498025043042 + 395307116140
BAGS = {
    "husky_rosbag2": 1,
    "rosbag2_test_resources/rosbag2_py_mcap_talker": 1,
    "rosbag2_test_resources/rosbag2_py_mcap_wbag": 5,
    "rosbag2_test_resources/rosbag2_py_sqlite3_talker": 1,
    "rosbag2_test_resources/rosbag2_tests_mcap_bag_with_topics_and_service_events": 1,
    "rosbag2_test_resources/rosbag2_tests_mcap_cdr_test": 1,
    "rosbag2_test_resources/rosbag2_tests_sqlite3_cdr_test": 1,
}


@pytest.mark.parametrize("name", BAGS)
def test_every_bag_holds_what_its_metadata_says(recordings: Path, name: str) -> None:
    bag = recordings / name
    information = YAML(typ="safe").load(bag / "metadata.yaml")["rosbag2_bagfile_information"]
    found = list(read_recording(bag))
    assert len(found) == BAGS[name] == len(information["relative_file_paths"])
    assert sum(recording.message_count for recording in found) == information["message_count"]
    counts: Counter[str] = Counter()
    for recording in found:
        for topic in recording.topics:
            counts[topic.name] += topic.count
    claimed = {
        topic["topic_metadata"]["name"]: topic["message_count"]
        for topic in information["topics_with_message_count"]
    }
    assert +counts == +Counter(claimed)
    names = [file.name for recording in found for file in recording.files]
    assert names == ["metadata.yaml", *information["relative_file_paths"]]
    assert all(recording.root == bag.resolve() for recording in found)
    if len(found) == 1:
        start = information["starting_time"]["nanoseconds_since_epoch"]
        assert found[0].start_ns == start
        assert found[0].end_ns == start + information["duration"]["nanoseconds"]


def test_the_husky_run_is_the_same_in_each_format(recordings: Path) -> None:
    paths = ("husky_rosbag2", "husky_rosbag2/rl_test1.mcap", "husky_ros1/husky.bag")
    for recording in (read_one(recordings / path) for path in paths):
        assert tuple((topic.name, topic.count) for topic in recording.topics) == HUSKY
        assert recording.message_count == 16806
        assert (recording.start_ns, recording.end_ns) == (HUSKY_START, HUSKY_END)


def test_the_ros1_bag_agrees_with_rosbags(recordings: Path) -> None:
    bag = recordings / "husky_ros1/husky.bag"
    with Rosbag1Reader(bag) as reader:
        assert {name: topic.msgcount for name, topic in reader.topics.items()} == dict(HUSKY)
        # rosbags gives the end as the first ns after the last message.
        assert (reader.start_time, reader.end_time) == (HUSKY_START, HUSKY_END + 1)
    assert read_one(bag).media_type == "application/x-rosbag"


def test_segments_of_the_split_bag_name_their_bag(recordings: Path) -> None:
    found = list(read_recording(recordings / "rosbag2_test_resources/rosbag2_py_mcap_wbag"))
    assert [recording.message_count for recording in found] == [1246, 1240, 1240, 1240, 1108]
    for number, recording in enumerate(found):
        tags = {tag.key: tag.value for tag in recording.tags}
        assert recording.name == f"rosbag2_py_mcap_wbag/wbag_{number}.mcap"
        assert tags["bag"] == "rosbag2_py_mcap_wbag"
        assert (tags["segment"], tags["segments"]) == (str(number), "5")
    assert (found[0].start_ns, found[-1].end_ns) == (1000, 2998)


@pytest.mark.parametrize(("name", "count"), [("only_topics", 7), ("topics_and_services", 13)])
def test_bare_mcap_of_libmcap(recordings: Path, name: str, count: int) -> None:
    folder = recordings / "rosbag2_test_resources/rosbag2_cpp_bags_libmcap"
    recording = read_one(folder / f"{name}.mcap")
    assert recording.message_count == count
    assert {tag.key: tag.value for tag in recording.tags} == {
        "format": "mcap",
        "profile": "ros2",
        "ros_distro": "rolling",
        "storage": "mcap",
    }


def test_opaque_takes_the_same_files_as_they_are(recordings: Path) -> None:
    bag = recordings / "husky_rosbag2"
    (recording,) = read_recording(bag, force_opaque=True)
    assert [file.name for file in recording.files] == ["metadata.yaml", "rl_test1.mcap"]
    assert (recording.topics, recording.message_count, recording.end_ns) == ((), 0, 0)


def test_a_folder_of_bags_is_a_recording_each(recordings: Path) -> None:
    folder = recordings / "rosbag2_test_resources/rosbag2_cpp_bags_libmcap"
    found = list(read_recording(folder))
    assert [(each.name, each.message_count) for each in found] == [
        ("only_topics.mcap", 7),
        ("topics_and_services.mcap", 13),
    ]
