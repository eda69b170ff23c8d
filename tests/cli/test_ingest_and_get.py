"""Real recordings in and out again, byte for byte."""

from __future__ import annotations

import filecmp
import os
import shutil
from pathlib import Path

import pytest

from tests.cli.robot import Robot

HUSKY = {
    "/fix": 989,
    "/husky_velocity_controller/odom": 3952,
    "/imu/data": 11865,
}
# Name -> messages of each entry; from `ros2 bag info` and the files' own statistics.
BAGS = {
    "rosbag2_py_mcap_talker": [20],
    "rosbag2_py_mcap_wbag": [1246, 1240, 1240, 1240, 1108],
    "rosbag2_py_sqlite3_talker": [20],
    "rosbag2_tests_mcap_bag_with_topics_and_service_events": [10],
    "rosbag2_tests_mcap_cdr_test": [7],
    "rosbag2_tests_sqlite3_cdr_test": [7],
    "rosbag2_cpp_bags_libmcap/only_topics.mcap": [7],
    "rosbag2_cpp_bags_libmcap/topics_and_services.mcap": [13],
}


def same(one: Path, other: Path) -> bool:
    """Whether two folders hold the same files with the same bytes."""
    names = sorted(p.relative_to(one) for p in one.rglob("*") if p.is_file())
    assert names == sorted(p.relative_to(other) for p in other.rglob("*") if p.is_file())
    return all(filecmp.cmp(one / name, other / name, shallow=False) for name in names)


def test_the_husky_run_from_ros_2_and_from_ros_1(robot: Robot, recordings: Path) -> None:
    robot.did("ingest", recordings / "husky_rosbag2", recordings / "husky_ros1" / "husky.bag")
    for entry in (0, 1):
        shown = robot.told("show", entry)
        assert {topic["name"]: topic["count"] for topic in shown["topics"]} == HUSKY
        assert shown["message_count"] == sum(HUSKY.values()) == 16806
        assert shown["end_ns"] - shown["start_ns"] == 395_307_116_140
        assert shown["robot_key"]
    assert robot.told("show", 0)["content_size"] == 7_629_560 + 1_372
    assert robot.told("show", 1)["content_size"] == 1_470_835
    robot.did("get", 0)
    assert same(robot.work / "husky_rosbag2", recordings / "husky_rosbag2")
    robot.did("get", 1, "ros1")
    assert same(robot.work / "ros1", recordings / "husky_ros1")
    report = robot.is_whole()
    assert report["content_bytes"] == 7_629_560 + 1_372 + 1_470_835
    assert report["chunks"] == 30 + 6


def test_every_bag_has_its_exact_counts_and_comes_back_whole(robot: Robot, bags: Path) -> None:
    told = robot.told("ingest", *(bags / name for name in BAGS))
    assert [entry["index"] for entry in told["entries"]] == list(range(12))
    entries = robot.told("log", "--all")["entries"]
    assert [entry["message_count"] for entry in entries] == [
        count for counts in BAGS.values() for count in counts
    ]
    for entry in entries:
        assert sum(topic["count"] for topic in entry["topics"]) == entry["message_count"]
        assert sum(file["size"] for file in entry["files"]) == entry["content_size"]
    first = 0
    for name, counts in BAGS.items():
        target = robot.work / f"back-{first}"
        robot.did("get", first, target)
        if (bags / name).is_dir():
            assert same(target, bags / name), name
        else:
            (file,) = target.iterdir()
            assert filecmp.cmp(file, bags / name, shallow=False), name
        first += len(counts)
    assert robot.is_whole()["records"] == 12


def test_a_split_bag_comes_back_from_any_of_its_segments(veteran: Robot, bags: Path) -> None:
    split = bags / "rosbag2_py_mcap_wbag"
    told = veteran.told("get", 4)
    assert told["folder"] == "rosbag2_py_mcap_wbag"
    assert len(told["files"]) == 6
    assert same(veteran.work / "rosbag2_py_mcap_wbag", split)
    # One segment alone, named by the start of its record id.
    record = veteran.told("show", 4)["record_id"]
    veteran.did("get", record[:12], "one", "--segment")
    assert [path.name for path in (veteran.work / "one").iterdir()] == ["wbag_3.mcap"]


def test_tags_are_public_and_sealed_content_is_not(robot: Robot) -> None:
    secret = b"the owner was at home all day\n" * 20_000
    (robot.work / "day.log").write_bytes(secret)
    told = robot.told("ingest", "day.log", "--encrypt", "--tag", "site=hall 3", "--tag", "a=b=c")
    assert told["entries"][0]["sealed"] is True
    assert robot.told("show", 0)["tags"] == {"format": "opaque", "site": "hall 3", "a": "b=c"}
    for path in robot.home.rglob("*"):
        if path.is_file():
            assert b"the owner" not in path.read_bytes(), path
    robot.did("get", 0, "back")
    assert (robot.work / "back" / "day.log").read_bytes() == secret
    robot.is_whole()


def test_links_share_the_file_and_in_place_leaves_it(robot: Robot) -> None:
    for name in ("linked", "left"):
        (robot.work / name).write_bytes(os.urandom(300_000))
    linked = robot.told("ingest", "linked", "--link")["entries"][0]
    left = robot.told("ingest", "left", "--in-place")["entries"][0]
    assert (linked["presence"], left["presence"]) == ("stored", "in_place")
    assert (robot.work / "linked").stat().st_nlink == 2
    assert (robot.work / "left").stat().st_nlink == 1
    stored = [path for path in (robot.home / "content").rglob("*") if path.is_file()]
    assert [path.name for path in stored] == ["linked"]
    robot.did("get", 1, "back")
    assert filecmp.cmp(robot.work / "back" / "left", robot.work / "left", shallow=False)
    robot.is_whole()
    # Gone from where it was left, the copy that `get` made is known.
    (robot.work / "left").unlink()
    robot.did("get", 1, "again")
    (robot.work / "back" / "left").unlink()
    (robot.work / "again" / "left").unlink()
    assert "not there any more" in robot.refused("get", 1, "third", code=3)


@pytest.mark.parametrize("name", [b"caf\xc3\xa9 \xf0\x9f\xa4\x96", b"[bold]:robot:", b"a\x1b[31mb"])
def test_names_are_shown_and_not_obeyed(robot: Robot, name: bytes) -> None:
    path = robot.work / os.fsdecode(name)
    path.write_bytes(b"x")
    out = robot.did("ingest", path)
    out += robot.did("log") + robot.did("show", 0) + robot.did("get", 0, "back")
    assert "\x1b" not in out
    assert name.decode().replace("\x1b", "\\x1b") in out
    assert robot.told("show", 0)["name"] == name.decode()
    assert (robot.work / "back" / path.name).read_bytes() == b"x"


def test_a_followed_bag_comes_back_whole(robot: Robot, bags: Path) -> None:
    work = robot.work / "recorded"
    shutil.copytree(bags / "rosbag2_py_mcap_wbag", work / "wbag")
    robot.did("follow", work, "--once", "--settle", "0.1")
    entries = robot.told("log")["entries"]
    names = {entry["name"]: entry["index"] for entry in entries}
    assert len(names) == 6
    for number, name in enumerate(("wbag/wbag_0.mcap", "wbag/metadata.yaml")):
        robot.did("get", str(names[name]), f"whole-{number}")
        assert same(bags / "rosbag2_py_mcap_wbag", robot.work / f"whole-{number}")
    # Recorded again under the same name: each metadata.yaml has its own files.
    shutil.rmtree(work / "wbag")
    shutil.copytree(bags / "rosbag2_py_mcap_talker", work / "wbag")
    robot.did("follow", work, "--once", "--settle", "0.1")
    entries = [each for each in robot.told("log")["entries"] if each["kind"] == "experience"]
    last = [each for each in entries if each["name"] == "wbag/metadata.yaml"][-1]
    assert last["index"] > max(names.values())
    robot.did("get", str(last["index"]), "back")
    assert same(bags / "rosbag2_py_mcap_talker", robot.work / "back")
    robot.did("get", str(last["index"]), "alone", "--segment")
    assert [path.name for path in (robot.work / "alone").iterdir()] == ["metadata.yaml"]
