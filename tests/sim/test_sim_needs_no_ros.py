"""Everything but the node runs where there is no ROS."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import quipu_sim

FOLDER = Path(quipu_sim.__path__[0])
WITH_ROS = {"health", "node", "parameters", "publishing", "recorder_client"}
ROS = {
    "ament_index_python",
    "diagnostic_msgs",
    "quipu_interfaces",
    "rcl_interfaces",
    "rclpy",
    "std_srvs",
}
OTHERS = {"mcap", "mujoco", "numpy", "rosbags", "ruamel"}


def imports_of(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def test_only_the_node_and_its_parts_know_ros() -> None:
    with_ros = {f"quipu_sim.{name}" for name in WITH_ROS}
    for path in FOLDER.glob("*.py"):
        names = imports_of(path)
        packages = {name.split(".")[0] for name in names} - set(sys.stdlib_module_names)
        allowed = OTHERS | {"quipu_sim"} | (ROS if path.stem in WITH_ROS else set())
        assert packages <= allowed, path.name
        if path.stem not in WITH_ROS:
            assert not names & with_ros, path.name


def test_the_list_is_of_modules_that_are_there() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} >= WITH_ROS
