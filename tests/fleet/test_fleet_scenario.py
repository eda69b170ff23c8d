"""Simulated robots through `quipu fleet up`: they record, commit, witness, anchor, die, return.

Where the `launch` package is installed, tests/ros/test_launch_fleet.py does the same
through the launch file.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.scenario import (
    ROBOTS,
    check_chain_is_whole,
    check_fleet_works,
    check_killed_robot_comes_back,
    check_nothing_is_lost,
    check_robots_anchor,
    require_nodes,
    simulated_yard,
)
from tests.fleet.yard import Yard, runs, until

EXPECTED = {f"/{robot}/{node}" for robot in ROBOTS for node in ("recorder", "memory", "witness")}
EXPECTED |= {"/simulator", "/settlement"}


def nodes_on(domain: int) -> set[str]:
    """The nodes that a newcomer discovers within a second, by their full names."""
    import rclpy
    from rclpy.signals import SignalHandlerOptions

    context = rclpy.Context()
    rclpy.init(
        context=context, domain_id=domain, args=[], signal_handler_options=SignalHandlerOptions.NO
    )
    node = rclpy.create_node("newcomer", context=context, start_parameter_services=False)
    try:
        time.sleep(1.0)
        found = node.get_node_names_and_namespaces()
        return {f"{space.rstrip('/')}/{name}" for name, space in found} - {"/newcomer"}
    finally:
        node.destroy_node()
        context.try_shutdown()


@pytest.fixture
def yard(tmp_path: Path, domain: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    require_nodes()
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    made = simulated_yard(tmp_path, domain)
    yield made
    if made.pids():
        made.run("fleet", "down", made.file, "--patience", "5")


@pytest.mark.slow
def test_a_simulated_fleet_through_fleet_up(yard: Yard, domain: int) -> None:
    up = yard.told("fleet", "up", yard.file, "--detach")
    assert set(up["processes"]) == {"simulator", "settlement", *ROBOTS}
    check_fleet_works(yard)
    before = check_robots_anchor(yard)
    until(lambda: nodes_on(domain) == EXPECTED, "complete discovery")
    check_killed_robot_comes_back(yard)
    anchored = check_robots_anchor(yard, 1 + max(before.values()))
    pids = yard.pids()
    down = yard.told("fleet", "down", yard.file)
    # Everybody ends by SIGINT alone: nothing was cut off while it was sealing.
    assert set(down["ended"].values()) == {"interrupted"}
    assert not any(runs(pid) for pid in pids.values())
    check_nothing_is_lost(yard)
    check_chain_is_whole(yard, anchored)
