"""Gazebo's bridge, world and robot, and the fleet file, against the one topic contract.

``launch/config/topics.yaml`` says what a robot says and hears. Where libsdformat is
installed it checks the composed world itself, up to version 1.9 of the format, which is
the one the files have; Gazebo has not been run by these tests.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from ruamel.yaml import YAML

from ledger.errors import MalformedError, NotFoundError
from ledger.fleet.config import read_fleet
from ledger.fleet.gazebo import SPACING_M, compose_world, starting_places, write_gazebo
from ledger.fleet.model import Fleet
from ledger.fleet.plan import plan_fleet

LAUNCH = Path(__file__).resolve().parents[2] / "launch"

# docs of ros_gz_bridge: which Gazebo type goes with which ROS type, of those we use.
GAZEBO_TYPES = {
    "rosgraph_msgs/msg/Clock": "gz.msgs.Clock",
    "nav_msgs/msg/Odometry": "gz.msgs.Odometry",
    "sensor_msgs/msg/Imu": "gz.msgs.IMU",
    "sensor_msgs/msg/JointState": "gz.msgs.Model",
    "sensor_msgs/msg/LaserScan": "gz.msgs.LaserScan",
    "geometry_msgs/msg/Twist": "gz.msgs.Twist",
    "tf2_msgs/msg/TFMessage": "gz.msgs.Pose_V",
}
KEYS = {
    *("ros_topic_name", "gz_topic_name", "ros_type_name", "gz_type_name", "direction"),
    *("publisher_queue", "subscriber_queue"),
}
# The systems that each kind of sensor or topic needs in the world.
SYSTEMS = {
    "gz-sim-physics-system",
    "gz-sim-sensors-system",
    "gz-sim-imu-system",
    "gz-sim-scene-broadcaster-system",
    "gz-sim-user-commands-system",
}


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    found: dict[str, Any] = load(LAUNCH / "config/topics.yaml")
    return found


@pytest.fixture(scope="module")
def body_topics(contract: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """What every robot and every world has, without what only tasks add."""
    return {each["name"]: each for each in contract["topics"] if each["of"] != "task"}


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return read_fleet(LAUNCH / "config/fleet.yaml", tmp_path / "made")


@pytest.fixture
def gazebo(fleet: Fleet) -> dict[str, Path]:
    return write_gazebo(fleet, LAUNCH)


def models(world: Path) -> Iterator[ElementTree.Element]:
    for model in ElementTree.parse(world).getroot().iter("model"):  # noqa: S314 - our own
        if model.find("plugin") is not None:
            yield model


def text(element: ElementTree.Element, path: str) -> str:
    found = element.findtext(path)
    assert found is not None, path
    return found


def test_the_bridge_carries_exactly_the_contract(
    gazebo: dict[str, Path],
    fleet: Fleet,
    contract: dict[str, Any],
    body_topics: dict[str, dict[str, Any]],
) -> None:
    rows = load(gazebo["bridge"])
    assert all(set(row) <= KEYS for row in rows)
    names = [row["ros_topic_name"] for row in rows]
    expected = {
        name if name.startswith("/") else f"/{robot.name}/{name}"
        for name in body_topics
        for robot in fleet.robots
    }
    expected.discard("/tf_static")  # robot_state_publisher's, see rover.urdf
    assert set(names) == expected
    assert names.count("/clock") == 1
    for row in rows:
        name = row["ros_topic_name"]
        topic = body_topics.get(name) or body_topics[name.split("/", 2)[2]]
        assert row["ros_type_name"] == topic["type"], name
        assert row["gz_type_name"] == GAZEBO_TYPES[topic["type"]], name
        outward = topic["direction"] == "out"
        assert row["direction"] == ("GZ_TO_ROS" if outward else "ROS_TO_GZ"), name
        queue = "publisher_queue" if outward else "subscriber_queue"
        assert row[queue] == contract["qos"][topic["qos"]]["depth"], name


def test_every_bridged_topic_is_one_that_gazebo_has(gazebo: dict[str, Path]) -> None:
    said = {"/clock"}
    for model in models(gazebo["world"]):
        for sensor in model.iter("sensor"):
            said.add(text(sensor, "topic"))
        for plugin in model.iter("plugin"):
            for name in ("topic", "odom_topic", "tf_topic"):
                said.update(filter(None, [plugin.findtext(name)]))
    bridged = {row["gz_topic_name"] for row in load(gazebo["bridge"])}
    assert bridged == said


def test_rates_and_frames_are_those_of_the_contract(
    gazebo: dict[str, Path], fleet: Fleet, body_topics: dict[str, dict[str, Any]]
) -> None:
    found = list(models(gazebo["world"]))
    assert [model.get("name") for model in found] == [robot.name for robot in fleet.robots]
    for model, robot in zip(found, fleet.robots, strict=True):
        sensors = {sensor.get("type"): sensor for sensor in model.iter("sensor")}
        assert set(sensors) == {"imu", "gpu_lidar"}
        for kind, name in (("imu", "imu"), ("gpu_lidar", "scan")):
            topic, sensor = body_topics[name], sensors[kind]
            assert text(sensor, "topic") == f"/{robot.name}/{name}"
            assert float(text(sensor, "update_rate")) == topic["rate"]
            assert text(sensor, "gz_frame_id") == topic["frame"].format(robot=robot.name)
        plugins = {plugin.get("name"): plugin for plugin in model.iter("plugin")}
        drive = plugins["gz::sim::systems::DiffDrive"]
        odom = body_topics["odom"]
        assert float(text(drive, "odom_publish_frequency")) == odom["rate"]
        assert text(drive, "frame_id") == odom["frame"].format(robot=robot.name)
        assert text(drive, "child_frame_id") == odom["child_frame"].format(robot=robot.name)
        assert [text(drive, "frame_id"), text(drive, "child_frame_id")] == [
            frame.format(robot=robot.name) for frame in body_topics["/tf"]["transforms"][0]
        ]
        joints = {joint.get("name") for joint in model.iter("joint")}
        states = plugins["gz::sim::systems::JointStatePublisher"]
        driven = {text(drive, "left_joint"), text(drive, "right_joint")}
        assert driven == joints == {each.text for each in states.iter("joint_name")}


def test_the_world_has_the_systems_that_its_sensors_need(gazebo: dict[str, Path]) -> None:
    world = ElementTree.parse(gazebo["world"]).getroot().find("world")  # noqa: S314
    assert world is not None
    assert {plugin.get("filename") for plugin in world.findall("plugin")} == SYSTEMS


def test_static_transforms_are_where_the_sensors_are(
    gazebo: dict[str, Path], body_topics: dict[str, dict[str, Any]]
) -> None:
    urdf = ElementTree.parse(LAUNCH / "config/rover.urdf").getroot()  # noqa: S314
    joints = {
        (joint.find("parent").get("link"), joint.find("child").get("link")): joint  # type: ignore[union-attr]
        for joint in urdf.iter("joint")
    }
    static = body_topics["/tf_static"]["transforms"]
    assert set(joints) == {
        (parent.removeprefix("{robot}/"), child.removeprefix("{robot}/"))
        for parent, child in static
    }
    (model, *_) = models(gazebo["world"])
    poses = {
        sensor.get("name"): text(sensor, "pose").split()[:3] for sensor in model.iter("sensor")
    }
    for (_, child), joint in joints.items():
        origin = joint.find("origin")
        assert origin is not None
        assert str(origin.get("xyz")).split() == poses[child.removesuffix("_link")]


def test_the_rover_is_the_body_that_mujoco_moves(gazebo: dict[str, Path]) -> None:
    world = pytest.importorskip("quipu_sim.world", reason="SKIPPED: the simulator needs mujoco")
    sensors = pytest.importorskip("quipu_sim.sensors")
    (model, *_) = models(gazebo["world"])
    (drive,) = (p for p in model.iter("plugin") if "DiffDrive" in str(p.get("name")))
    assert float(text(drive, "wheel_separation")) == world.TRACK
    assert float(text(drive, "wheel_radius")) == world.WHEEL_RADIUS
    by_name = {sensor.get("name"): sensor for sensor in model.iter("sensor")}
    for name, where in (("imu", world.IMU_POSITION), ("lidar", world.LIDAR_POSITION)):
        assert tuple(map(float, text(by_name[name], "pose").split()[:3])) == where
    scan = by_name["lidar"]
    assert int(text(scan, "lidar/scan/horizontal/samples")) == sensors.BEAMS
    assert float(text(scan, "lidar/range/min")) == sensors.RANGE_MIN
    assert float(text(scan, "lidar/range/max")) == sensors.RANGE_MAX
    first, last = (
        float(text(scan, f"lidar/scan/horizontal/{end}_angle")) for end in ("min", "max")
    )
    assert [first, last] == pytest.approx([sensors.BEAM_ANGLES[0], sensors.BEAM_ANGLES[-1]])


def test_the_fleet_files_of_the_package_record_what_the_contract_has(
    contract: dict[str, Any], fleet: Fleet, tmp_path: Path
) -> None:
    known = {each["name"] for each in contract["topics"]}
    (topics,) = {robot.topics for robot in fleet.robots}
    assert set(topics) == known - {"/clock"}
    robot = read_fleet(LAUNCH / "config/robot.yaml", tmp_path / "made")
    assert len(plan_fleet(robot).processes) == 1


def test_robots_start_apart_from_each_other() -> None:
    for count in (1, 2, 3, 8, 30):
        places = starting_places(count)
        assert len(places) == count
        gaps = [
            abs(complex(*one) - complex(*other))
            for index, one in enumerate(places)
            for other in places[:index]
        ]
        assert min(gaps, default=SPACING_M) >= SPACING_M


def sdformat() -> ctypes.CDLL | None:
    """Debian's libsdformat, with the function behind ``gz sdf --check``."""
    for version in ("12", "13", "14", "15", "16"):
        name = ctypes.util.find_library(f"sdformat{version}")
        library = ctypes.CDLL(name) if name else None
        if library is not None and hasattr(library, "cmdCheck"):
            return library
    return None


def valid_sdf(path: Path) -> bool:
    """Ask libsdformat; a loud skip where there is none."""
    if shutil.which("gz"):
        done = subprocess.run(["gz", "sdf", "--check", str(path)], capture_output=True, check=False)
        return done.returncode == 0
    library = sdformat()
    if library is None:
        pytest.skip("SKIPPED: no libsdformat here to check the worlds (apt: libsdformat-dev)")
    return int(library.cmdCheck(str(path).encode())) == 0


def test_the_worlds_are_valid_sdf(gazebo: dict[str, Path], tmp_path: Path) -> None:
    assert valid_sdf(gazebo["world"])
    assert valid_sdf(LAUNCH / "worlds/yard.sdf")
    spoiled = tmp_path / "spoiled.sdf"
    spoiled.write_text(gazebo["world"].read_text().replace("right_wheel", "left_wheel"))
    assert not valid_sdf(spoiled)


def test_names_are_unique_in_every_scope(gazebo: dict[str, Path]) -> None:
    """What libsdformat would refuse first, checked where it is not installed too."""
    for element in ElementTree.parse(gazebo["world"]).getroot().iter():  # noqa: S314
        names = [child.get("name") for child in element if child.tag != "plugin"]
        named = [name for name in names if name is not None]
        assert len(named) == len(set(named)), f"{element.tag} {element.get('name')}: {named}"
    root = ElementTree.parse(gazebo["world"]).getroot()  # noqa: S314
    assert root.get("version") == "1.9"


def test_templates_that_are_missing_or_damaged_are_refused(fleet: Fleet, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"yard\.sdf cannot be read"):
        compose_world(tmp_path, fleet.robots)
    templates = tmp_path / "templates"
    shutil.copytree(LAUNCH / "worlds", templates / "worlds")
    for name, damaged in (("yard.sdf", "<sdf"), ("yard.sdf", "<sdf/>"), ("rover.sdf", "<sdf/>")):
        whole = (LAUNCH / "worlds" / name).read_text()
        (templates / "worlds" / name).write_text(damaged)
        with pytest.raises(MalformedError):
            compose_world(templates, fleet.robots)
        (templates / "worlds" / name).write_text(whole)
