"""What a fleet of simulated robots must do, whoever started its processes.

`tests/fleet/test_fleet_scenario.py` starts them with `quipu fleet up`, and where the
`launch` package is installed ``tests/ros/fleet_launch_scenario.py`` does so with the
launch file; the steps are the same.
"""

from __future__ import annotations

import os
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.fleet.yard import Yard, runs, until

ROBOTS = ("r1", "r2", "r3")
START_S = 90.0

SIMULATED = """\
simulator: mujoco
simulation: {seed: 5}
discovery: localhost
quorum: all
engine: embedded
topics: [odom, imu, scan, /tf, /tf_static]
parameters:
  recorder: {segment: {max_duration_s: 3.0}, progress_period_s: 0.5}
  memory: {checkpoint_period_s: 1.0, anchor: {period_s: 1.0}}
"""


def require_nodes() -> None:
    """Skip, loudly, where the robots' nodes cannot run in this process's environment."""
    for name in ("rclpy", "quipu_interfaces", "quipu_nodes.robot", "quipu_sim.node"):
        try:
            found = find_spec(name) is not None
        except ModuleNotFoundError:
            found = False
        if not found:
            pytest.skip(f"SKIPPED FOR LACK OF ROS 2: no {name} (run script/ros python -m pytest)")


def simulated_yard(folder: Path, domain: int) -> Yard:
    """A yard of simulated robots whose quorum is all others: complete discovery or nothing."""
    return Yard(folder, robots=ROBOTS, more=f"domain_id: {domain}\n{SIMULATED}")


def all_witness_all(yard: Yard) -> bool:
    """Whether each robot's newest checkpoint has entries, and the word of both others."""
    rows = yard.watch()
    return all(
        rows[robot]["checkpoint_size"]
        and set(rows[robot]["cosigned_by"] or ()) == set(ROBOTS) - {robot}
        for robot in ROBOTS
    )


def check_fleet_works(yard: Yard) -> None:
    """Every robot records, commits and is witnessed by every other."""
    until(
        lambda: all((yard.home(robot) / "log/data.mdb").exists() for robot in ROBOTS),
        "homes",
        START_S,
    )
    until(lambda: all_witness_all(yard), "cosignatures of all by all", START_S)


def check_killed_robot_comes_back(yard: Yard) -> None:
    """A robot that dies by SIGKILL is started again, recovers, and is witnessed anew."""
    before = yard.watch()["r2"]
    os.kill(before["memory_pid"], signal.SIGKILL)
    until(lambda: not runs(before["memory_pid"]), "end of r2")

    def is_back() -> bool:
        row = yard.watch()["r2"]
        return bool(
            row["memory_state"] == "open"
            and row["memory_pid"] != before["memory_pid"]
            and row["checkpoint_size"] > before["checkpoint_size"]
            and len(row["cosigned_by"] or ()) == 2
        )

    until(is_back, "return of r2", START_S)


def check_robots_anchor(yard: Yard, least: int = 1) -> dict[str, int]:
    """Every robot anchors by itself what the others have cosigned; how far each is."""

    def anchored() -> dict[str, int]:
        return {name: row["anchored_size"] or 0 for name, row in yard.watch().items()}

    until(lambda: all(size >= least for size in anchored().values()), "anchors", START_S)
    return anchored()


def check_chain_is_whole(yard: Yard, anchored: dict[str, int]) -> None:
    """After the end: the chain replays, and holds of each robot what it said, and its log does."""
    chain = yard.directory / "chain"
    robots = [word for name in ROBOTS for word in ("--robot", yard.home(name))]
    report = yard.told("audit", "--chain", chain, *robots)
    assert report["ok"] is True, report
    rows = yard.watch()
    assert all(rows[name]["anchored_size"] >= size for name, size in anchored.items())


def check_nothing_is_lost(yard: Yard) -> None:
    """After the end: every log is whole, and all that was begun is sealed."""
    for robot in ROBOTS:
        yard.is_whole(robot)
        entries = yard.told("--home", yard.home(robot), "log", "--all")["entries"]
        sealed = [entry for entry in entries if entry["kind"] == "experience"]
        begun = {entry["record_id"] for entry in entries if entry["kind"] == "progress"}
        assert begun
        assert begun <= {entry["record_id"] for entry in sealed}
        heard = {topic["name"] for entry in sealed for topic in entry["topics"]}
        assert {f"/{robot}/odom", f"/{robot}/imu", f"/{robot}/scan", "/tf_static"} <= heard
        assert sum(entry["message_count"] for entry in sealed) > 100
