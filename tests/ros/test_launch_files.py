"""The launch files, started by the real `launch` package: what runs, and how it ends.

The robots are stand-ins that commit without ROS, and so are the packages of Gazebo, which
note what they are asked to do. With real nodes: the exchange here, and test_launch_fleet.py.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ledger.errors import StorageError
from tests.fleet.yard import FAKE_NODES, Yard, runs, until
from tests.ros.exchange_fleet import KEPT, check_kept, write_fleet
from tests.ros.exchange_world import Acquiring, ExchangeWorld
from tests.ros.graph import Graph, eventually
from tests.ros.ros_process import Ros, require_rclpy

LAUNCHED = Path(__file__).with_name("launched.py")


def share() -> Path:
    """The share folder of the installed package."""
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        folder = Path(prefix) / "share" / "quipu_bringup"
        if (folder / "launch").is_dir():
            return folder
    pytest.skip("SKIPPED: quipu_bringup is not built here (run with script/ros)")


def importable(name: str) -> bool:
    try:
        # Our own folder `launch` would do for the name alone.
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@pytest.fixture(autouse=True)
def _launch_is_here() -> None:
    for name in ("launch.launch_service", "launch_ros.actions", "ament_index_python"):
        if not importable(name):
            pytest.skip(
                f"SKIPPED: {name.partition('.')[0]} is not installed; "
                "the same processes are started by `quipu fleet up` in tests/fleet"
            )


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path, extra={"PYTHONPATH": str(FAKE_NODES)})


@contextmanager
def launched(
    yard: Yard, file: str | Path, arguments: Sequence[str] = (), prefixes: Sequence[Path] = ()
) -> Iterator[subprocess.Popen[str]]:
    """Run a launch file, of ours if only named; it is interrupted when the block ends."""
    environment = yard.environment
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    paths = [*map(str, prefixes), environment.get("AMENT_PREFIX_PATH", "")]
    environment["AMENT_PREFIX_PATH"] = os.pathsep.join(paths)
    command = [sys.executable, str(LAUNCHED), str(share() / "launch" / file)]
    given = [f"config:={yard.file}", *arguments]
    with (yard.folder / "launch.log").open("w") as log:
        process = subprocess.Popen(
            [*command, *given],
            cwd=yard.folder,
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def said(yard: Yard) -> str:
    return (yard.folder / "launch.log").read_text()


def started(yard: Yard, name: str) -> list[int]:
    """The processes of this name that were started, one after the other."""
    found = re.findall(rf"\[{name}-\d+\]: process started with pid \[(\d+)\]", said(yard))
    return [int(pid) for pid in found]


def owner(yard: Yard, robot: str) -> int:
    """The process that owns a robot's home; 0 if none does."""
    row = yard.watch()[robot]
    return int(row["memory_pid"] or 0) if row["memory_state"] == "open" else 0


def committed(yard: Yard, robot: str) -> int:
    """Entries of a robot's log; 0 while there is none, or only half of one."""
    try:
        return yard.entries(robot)
    except StorageError:
        return 0


def test_the_fleet_runs_a_killed_robot_comes_back_and_all_end(yard: Yard) -> None:
    with launched(yard, "fleet.launch.py") as process:
        until(lambda: all(committed(yard, robot) for robot in yard.robots), "entries")
        status = yard.told("fleet", "status", yard.file)
        assert (status["ok"], status["supervised"]) == (True, False)
        until(lambda: owner(yard, "r2"), "an owner of r2's home")
        first = owner(yard, "r2")
        os.kill(first, signal.SIGKILL)
        before = committed(yard, "r2")
        until(lambda: committed(yard, "r2") > before, "entries after the kill")
        pids = [owner(yard, robot) for robot in yard.robots]
        assert first not in pids
    assert process.returncode == 0, said(yard)
    assert not any(runs(pid) for pid in pids)
    assert "sending signal 'SIGTERM'" not in said(yard)  # SIGINT was enough
    yard.is_whole("r2")


STACK = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, LogInfo
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

def generate_launch_description():
    return LaunchDescription([
        DeclareLaunchArgument("simulator", default_value="stage"),
        IncludeLaunchDescription(
            PythonLaunchDescriptionSource("{launch_file}"),
            launch_arguments=[("config", "{config}"), ("robot", "r3")],
        ),
        LogInfo(msg=["the stack's simulator is ", LaunchConfiguration("simulator")]),
    ])
"""


def test_one_robot_from_the_launch_file_of_a_stack(yard: Yard) -> None:
    stack = yard.folder / "stack.launch.py"
    ours = share() / "launch/robot.launch.py"
    stack.write_text(STACK.replace("{launch_file}", str(ours)).replace("{config}", str(yard.file)))
    with launched(yard, stack):
        until(lambda: committed(yard, "r3"), "entries")
    assert committed(yard, "r1") == 0
    assert "the stack's simulator is stage" in said(yard)  # what is ours did not leak


def test_a_mistake_in_the_file_is_named(yard: Yard) -> None:
    yard.file.write_text("fleet: x\nrobts: []\n")
    with launched(yard, "fleet.launch.py") as process:
        process.wait(timeout=60)
    assert process.returncode == 1
    assert f"{yard.file}:2: unknown key 'robts'" in said(yard)


@pytest.fixture
def world(ros: Ros, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeWorld]:
    """Sellers, and a chain that others may join."""
    require_rclpy()
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as held:
        yield ExchangeWorld(tmp_path, held, ros)


def test_a_fleet_with_an_exchange_buys_comes_back_and_ends(world: ExchangeWorld) -> None:
    yard = Yard(world.root)
    yard.file.unlink()
    write_fleet(world, yard.file)
    made, offered = yard.file.with_suffix(""), world.offered()
    with world.storefront(), Graph(world.ros) as graph:
        with launched(yard, "fleet.launch.py") as process:
            nodes = {"/gateway", "/storefront", "/settlement", "/r1/exchange", "/r1/memory"}
            eventually(lambda: nodes <= set(graph.ask("nodes")), lambda: said(yard))
            assert "/r2/exchange" not in graph.ask("nodes")
            for node in ("/gateway", "/storefront", "/r1/exchange"):
                eventually(lambda node=node: graph.state(node) == "active", lambda: said(yard))
            result = Acquiring(graph, "r1", offered).result()
            assert result["outcome"] == KEPT, (result, said(yard))
            check_kept(made / "homes/r1", result, world)
            # The market's process dies: it is started again, and buys.
            (first,) = started(yard, "market")
            os.kill(first, signal.SIGKILL)
            eventually(lambda: len(started(yard, "market")) == 2, lambda: said(yard))
            again = Acquiring(graph, "r1", offered, again=True).result()
            assert again["outcome"] == KEPT, (again, said(yard))
            assert again["grant"] != result["grant"]
        assert process.returncode == 0, said(yard)
    assert "sending signal 'SIGTERM'" not in said(yard)
    for name in ("market", "settlement", "r1", "r2"):
        *died, last = started(yard, name)
        assert len(died) == (name == "market")
        assert f"process has finished cleanly [pid {last}]" in said(yard)
        assert not runs(last)


STAND_IN = """#!/bin/sh
printf '%s\\n' "$0 $*" >>"$STAND_IN_NOTES"
exec sleep 60
"""

SIMULATOR = """
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, ExecuteProcess
from launch.substitutions import LaunchConfiguration

def generate_launch_description():
    return LaunchDescription([
        DeclareLaunchArgument("gz_args", default_value=""),
        ExecuteProcess(cmd=["{program}", "gz_args", LaunchConfiguration("gz_args")]),
    ])
"""


def stand_ins(folder: Path) -> Path:
    """An ament prefix with the packages that gazebo.launch.py needs."""
    index = folder / "share/ament_index/resource_index/packages"
    index.mkdir(parents=True)
    for package, program in (
        ("ros_gz_sim", "gz"),
        ("ros_gz_bridge", "parameter_bridge"),
        ("robot_state_publisher", "robot_state_publisher"),
    ):
        (index / package).touch()
        path = folder / "lib" / package / program
        path.parent.mkdir(parents=True)
        path.write_text(STAND_IN)
        path.chmod(0o755)
        (folder / "share" / package / "launch").mkdir(parents=True)
    simulator = SIMULATOR.replace("{program}", str(folder / "lib/ros_gz_sim/gz"))
    (folder / "share/ros_gz_sim/launch/gz_sim.launch.py").write_text(simulator)
    return folder


def test_gazebo_is_asked_for_the_fleet_s_world_and_bridge(yard: Yard, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    yard.extra = {**yard.extra, "STAND_IN_NOTES": str(notes)}
    prefix = stand_ins(tmp_path / "prefix")
    arguments = ["simulator:=gazebo", "gui:=false"]
    with launched(yard, "fleet.launch.py", arguments, [prefix]):
        until(lambda: len(notes.read_text().splitlines()) == 5, "start of Gazebo's processes")
        until(lambda: committed(yard, "r1"), "entries")
        asked = notes.read_text()
        # The parameters are in files that last as long as the launch.
        files = [word for word in asked.split() if word.startswith("/tmp/launch_params")]  # noqa: S108
        parameters = "".join(Path(file).read_text() for file in files)
    world = yard.directory / "gazebo/world.sdf"
    assert f"gz_args -r -s --headless-rendering {world}" in asked
    found = [model.get("name") for model in ElementTree.parse(world).getroot().iter("model")]  # noqa: S314
    assert set(yard.robots) <= set(found)
    assert f"config_file: {yard.directory}/gazebo/bridge.yaml" in parameters
    assert "__node:=gazebo_bridge" in asked
    for robot in yard.robots:
        assert f"__ns:=/{robot}" in asked
        assert f"frame_prefix: {robot}/" in parameters
