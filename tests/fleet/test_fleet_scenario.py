"""Simulated robots through `quipu fleet up`: they record, commit, witness, die and return.

Where the `launch` package is installed, tests/ros/test_launch_fleet.py does the same
through the launch file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet.scenario import (
    ROBOTS,
    check_fleet_works,
    check_killed_robot_comes_back,
    check_nothing_is_lost,
    require_nodes,
    simulated_yard,
)
from tests.fleet.yard import Yard, runs

DOMAIN = 20 + (os.getpid() * 7 + 1) % 80


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    require_nodes()
    made = simulated_yard(tmp_path, DOMAIN)
    yield made
    if made.pids():
        made.run("fleet", "down", made.file, "--patience", "5")


@pytest.mark.slow
def test_a_simulated_fleet_through_fleet_up(yard: Yard) -> None:
    up = yard.told("fleet", "up", yard.file, "--detach")
    assert set(up["processes"]) == {"simulator", *ROBOTS}
    check_fleet_works(yard)
    check_killed_robot_comes_back(yard)
    pids = yard.pids()
    down = yard.told("fleet", "down", yard.file)
    # Everybody ends by SIGINT alone: nothing was cut off while it was sealing.
    assert set(down["ended"].values()) == {"interrupted"}
    assert not any(runs(pid) for pid in pids.values())
    check_nothing_is_lost(yard)
