from __future__ import annotations

import dataclasses
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from quipu_sim.course import make_course
from quipu_sim.episode import TOPICS, EpisodeSummary, main, run_episode
from rosbags.highlevel import AnyReader
from rosbags.interfaces import QosDurability
from rosbags.rosbag2 import Reader
from ruamel.yaml import YAML

START_NS = 1_700_000_000_123_456_789
COUNTS = {
    "/clock": 400,
    "/imu": 1000,
    "/joint_states": 400,
    "/odom": 400,
    "/scan": 80,
    "/tf": 400,
    "/tf_static": 1,
}


def test_the_summary_counts_what_was_written(episode: EpisodeSummary) -> None:
    assert episode.messages == COUNTS
    assert episode.seconds == 8.0
    assert sorted(path.name for path in episode.bag.iterdir()) == ["drive_0.mcap", "metadata.yaml"]


def test_rosbags_opens_it_and_decodes_every_message(episode: EpisodeSummary) -> None:
    positions: list[tuple[float, float]] = []
    seen = dict.fromkeys(COUNTS, 0)
    stamps: dict[str, list[int]] = {name: [] for name in COUNTS}
    with AnyReader([episode.bag]) as reader:
        assert reader.message_count == sum(COUNTS.values())
        assert reader.start_time == START_NS
        for connection, stamp, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            seen[connection.topic] += 1
            stamps[connection.topic].append(stamp)
            if hasattr(message, "header"):
                header = message.header.stamp
                assert header.sec * 1_000_000_000 + header.nanosec == stamp
            if connection.topic == "/odom":
                position = message.pose.pose.position
                positions.append((position.x, position.y))
            if connection.topic == "/scan":
                assert message.ranges.shape == (360,)
                assert message.header.frame_id == "lidar_link"
            if connection.topic == "/imu":
                q = message.orientation
                assert math.hypot(q.x, q.y, q.z, q.w) == pytest.approx(1.0)
    assert seen == COUNTS
    for name, period_ms in (("/imu", 8), ("/odom", 20), ("/scan", 100)):
        assert set(np.diff(stamps[name])) == {period_ms * 1_000_000}, name
    travelled = sum(math.dist(*pair) for pair in itertools.pairwise(positions))
    assert travelled == pytest.approx(episode.distance, abs=0.5)
    assert travelled > 3.0, "the robot hardly moved"


def test_metadata_and_channels_say_the_same(episode: EpisodeSummary) -> None:
    with Reader(episode.bag) as reader:
        assert reader.ros_distro == "jazzy"
        by_topic = {connection.topic: connection for connection in reader.connections}
    text = (episode.bag / "metadata.yaml").read_text()
    assert text.startswith(
        "rosbag2_bagfile_information:\n  version: 9\n  storage_identifier: mcap\n"
    )
    custom = YAML(typ="safe").load(text)["rosbag2_bagfile_information"]["custom_data"]
    assert float(custom["reward"]) == pytest.approx(episode.reward, abs=1e-3)
    assert custom["success"] == str(episode.success).lower()
    assert "  relative_file_paths:\n  - drive_0.mcap\n" in text
    with (episode.bag / "drive_0.mcap").open("rb") as stream:
        mcap = make_reader(stream, validate_crcs=True)
        assert mcap.get_header().profile == "ros2"
        summary = mcap.get_summary()
        assert summary is not None
        assert {chunk.compression for chunk in summary.chunk_indexes} == {"zstd"}
        records = [record for record in mcap.iter_metadata() if record.name == "rosbag2"]
    assert len(records) == 2, "one metadata record at open, one at close"
    assert "message_count: 0" in records[0].metadata["serialized_metadata"]
    assert f"message_count: {sum(COUNTS.values())}" in records[1].metadata["serialized_metadata"]
    assert {channel.topic for channel in summary.channels.values()} == set(COUNTS)
    for channel in summary.channels.values():
        connection = by_topic[channel.topic]
        assert channel.message_encoding == "cdr"
        assert channel.metadata["topic_type_hash"] == connection.digest
        assert connection.digest.startswith("RIHS01_")
        schema = summary.schemas[channel.schema_id]
        assert (schema.name, schema.encoding) == (connection.msgtype, "ros2msg")
        if schema.name == "nav_msgs/msg/Odometry":
            assert b"MSG: geometry_msgs/Quaternion" in schema.data, "parts are defined too"
    (offered,) = by_topic["/tf_static"].ext.offered_qos_profiles  # type: ignore[union-attr]
    assert offered.durability is QosDurability.TRANSIENT_LOCAL


def test_known_type_hashes(episode: EpisodeSummary) -> None:
    # As a real rosbag2 recorded them.
    with Reader(episode.bag) as reader:
        digests = {connection.msgtype: connection.digest for connection in reader.connections}
    assert digests["sensor_msgs/msg/Imu"] == (
        "RIHS01_7d9a00ff131080897a5ec7e26e315954b8eae3353c3f995c55faf71574000b5b"
    )
    assert digests["nav_msgs/msg/Odometry"] == (
        "RIHS01_3cc97dc7fb7502f8714462c526d369e35b603cfc34d946e3f2eda2766dfec6e0"
    )
    assert set(digests) == {topic.type for topic in TOPICS}


def test_the_same_seed_gives_the_same_bytes(episode: EpisodeSummary, tmp_path: Path) -> None:
    again = run_episode(tmp_path / "drive", seconds=8.0, seed=1, start_ns=START_NS)
    assert dataclasses.replace(again, bag=episode.bag) == episode
    for name in ("drive_0.mcap", "metadata.yaml"):
        assert (again.bag / name).read_bytes() == (episode.bag / name).read_bytes()


def test_another_seed_gives_another_drive(episode: EpisodeSummary, tmp_path: Path) -> None:
    other = run_episode(tmp_path / "drive", seconds=2.0, seed=2, start_ns=START_NS)
    assert make_course(2).goals != make_course(1).goals
    mcap = other.bag / "drive_0.mcap"
    assert mcap.read_bytes() != (episode.bag / "drive_0.mcap").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 4, 8])
def test_it_reaches_its_goals_and_touches_nothing(seed: int, tmp_path: Path) -> None:
    summary = run_episode(tmp_path / "drive", seconds=22.0, seed=seed, start_ns=START_NS)
    assert summary.success
    assert summary.collisions == 0
    assert summary.goals_reached >= 3
    assert summary.reward > 30.0
    assert summary.odometry_error < 0.1


def test_the_command_prints_a_summary(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([str(tmp_path / "drive"), "--seconds", "0.4", "--seed", "3", "--start-ns", "1000000000"])
    summary = json.loads(capsys.readouterr().out)
    assert summary["messages"]["/imu"] == 50
    assert summary["start_ns"] == 1_000_000_000


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(["--seconds", "0"], "shorter than a step"), (["--seconds", "1"], "exists already")],
)
def test_the_command_refuses_in_one_line(
    arguments: list[str], complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([str(tmp_path), *arguments])
    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_progress_is_told(tmp_path: Path) -> None:
    told: list[float] = []
    run_episode(tmp_path / "drive", seconds=1.0, seed=1, start_ns=0, progress=told.append)
    assert told == pytest.approx([0.1 * tick for tick in range(10)])


def test_a_bag_left_by_an_error_has_no_metadata(tmp_path: Path) -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_episode(tmp_path / "drive", seconds=1.0, seed=1, start_ns=0, progress=stop)
    assert [path.name for path in (tmp_path / "drive").iterdir()] == ["drive_0.mcap"]
