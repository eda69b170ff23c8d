"""The examples in config/ name every parameter that the nodes have, with its default."""

from __future__ import annotations

import json
from typing import Any

from ruamel.yaml import YAML

from tests.ros.ros_process import ROOT, Ros

CONFIG = ROOT / "ros_ws/src/quipu_nodes/config"
EXAMPLE = CONFIG / "robot.yaml"
DECLARED = """
import json, rclpy
from quipu_nodes import market
from quipu_nodes.robot import nodes
from quipu_nodes.settlement_node import SettlementNode
from quipu_nodes.parameters import COMMON, declare
from rclpy.exceptions import ParameterUninitializedException

rclpy.init()
said = {}
for node in (*nodes(buys=True), SettlementNode(), *market.nodes()):
    declare(node, COMMON)
    of_node = said[node.get_name()] = {}
    for name in node.list_parameters([], 0).names:
        try:
            of_node[name] = node.get_parameter(name).value
        except ParameterUninitializedException:
            of_node[name] = []
print(json.dumps(said))
"""
OF_EVERY_NODE = {"use_sim_time", "start_type_description_service"}


def flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{before}{name}.")
        else:
            # ROS has no empty list in a file: a list of nothing stands for it.
            found[before + name] = [] if value == [""] else value
    return found


def test_the_example_names_every_parameter_with_its_default(ros: Ros) -> None:
    declared: dict[str, dict[str, Any]] = json.loads(ros.run("python", "-c", DECLARED))
    example = {
        name.removeprefix("/**/"): flat(node["ros__parameters"])
        for file in sorted(CONFIG.glob("*.yaml"))
        for name, node in YAML(typ="safe", pure=True).load(file.read_text()).items()
    }
    for node in declared.values():
        for name in OF_EVERY_NODE:
            node.pop(name, None)
    assert example == declared


def test_the_example_is_a_parameter_file(ros: Ros) -> None:
    """It ends for want of a home, and for nothing else."""
    with ros.start(
        *("python", "-m", "quipu_nodes.robot", "--ros-args", "-r", "__ns:=/r1"),
        *("--params-file", EXAMPLE),
    ) as running:
        assert running.wait(60) == 1, running.output
        assert "parameter home names no path" in running.output
