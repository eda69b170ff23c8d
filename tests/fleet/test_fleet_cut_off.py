"""A robot that nobody reaches for ten seconds goes on remembering, and catches up when healed.

Through `quipu fleet up` and real nodes: in network namespaces, one of whose links is cut,
or where those are not permitted by a ROS domain of its own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fleet.scenario import START_S, require_nodes
from tests.fleet.separate_networks import SeparateNetworks
from tests.fleet.yard import Yard, until
from tests.ros.ros_process import own_domain

ROBOTS = ("r1", "r2", "r3")
APART_S = 10.0

SETTINGS = """\
quorum: all
topics: [odom]
parameters:
  memory: {checkpoint_period_s: 1.0}
"""


def make(folder: Path, more: str, robots: list[dict[str, object]]) -> Yard:
    """A yard whose robots have further keys."""
    yard = Yard(folder, robots=ROBOTS)
    rows = "".join(f"  - {json.dumps(robot)}\n" for robot in robots)
    yard.file.write_text(
        f"fleet: example.com/yard\ndirectory: {yard.directory}\n{SETTINGS}{more}robots:\n{rows}",
        encoding="utf-8",
    )
    return yard


@pytest.fixture
def yards() -> Iterator[list[Yard]]:
    """Yards that are ended after the test."""
    require_nodes()
    made: list[Yard] = []
    yield made
    for yard in made:
        if yard.pids():
            yard.run("fleet", "down", yard.file, "--patience", "5")


def think(yard: Yard, robot: str, number: int) -> None:
    """Give a robot something to remember; its node lends its home for it."""
    thought = yard.folder / f"{robot}-{number}"
    thought.write_text(f"{robot} {number}")
    yard.told("--home", yard.home(robot), "ingest", thought, "--opaque")


def witnessed(rows: dict[str, dict[str, Any]], robot: str, least: int) -> set[str]:
    """Who has cosigned the robot's newest checkpoint, if that has ``least`` entries."""
    row = rows[robot]
    return set(row["cosigned_by"] or ()) if (row["checkpoint_size"] or 0) >= least else set()


def others(robot: str) -> set[str]:
    return set(ROBOTS) - {robot}


def stay_apart(yard: Yard) -> None:
    """Ten seconds in which all remember, r1 and r2 have each other, and r3 nobody."""
    for number, robot in enumerate(ROBOTS):
        think(yard, robot, number + 10)
    until_s = time.monotonic() + APART_S
    while time.monotonic() < until_s:
        rows = yard.watch()
        assert witnessed(rows, "r3", 2) == set()
        assert witnessed(rows, "r1", 2) <= {"r2"}
        time.sleep(0.5)
    rows = yard.watch()
    assert rows["r3"]["checkpoint_size"] == 2  # it signs all the same
    assert rows["r3"]["quorum_met"] is False
    assert witnessed(rows, "r1", 2) == {"r2"}
    assert witnessed(rows, "r2", 2) == {"r1"}


def catch_up(yard: Yard, size: int) -> None:
    """All have witnessed what all remember by now."""
    until(
        lambda: all(witnessed(yard.watch(), robot, size) == others(robot) for robot in ROBOTS),
        "cosignatures of all by all",
        START_S,
    )
    assert all(row["alarms"] == 0 for row in yard.watch().values())


@pytest.mark.slow
def test_a_robot_whose_link_is_cut(tmp_path: Path, domain: int, yards: list[Yard]) -> None:
    with SeparateNetworks.require(len(ROBOTS)) as networks:
        robots = [{"name": r, "prefix": networks.prefix(n)} for n, r in enumerate(ROBOTS)]
        yard = make(tmp_path, f"domain_id: {domain}\ndiscovery: subnet\n", list(robots))
        # Namespaces share the machine's memory, which no cable leads through.
        yard.extra = {"FASTDDS_BUILTIN_TRANSPORTS": "UDPv4"}
        yards.append(yard)
        yard.told("fleet", "up", yard.file, "--detach")
        for robot in ROBOTS:
            think(yard, robot, 0)
        catch_up(yard, 1)
        networks.cut(2)
        stay_apart(yard)
        networks.heal(2)
        catch_up(yard, 2)
        yard.told("fleet", "down", yard.file)
    for robot in ROBOTS:
        yard.is_whole(robot)


@pytest.mark.slow
def test_a_robot_on_a_domain_of_its_own(tmp_path: Path, domain: int, yards: list[Yard]) -> None:
    if SeparateNetworks.permitted():
        pytest.skip("SKIPPED, not needed: the link itself is cut in the test above")
    shared = f"domain_id: {domain}\ndiscovery: localhost\n"
    robots: list[dict[str, object]] = [{"name": robot} for robot in ROBOTS]
    yard = make(tmp_path, shared, robots)
    yards.append(yard)
    yard.told("fleet", "up", yard.file, "--detach")
    for robot in ROBOTS:
        think(yard, robot, 0)
    catch_up(yard, 1)
    yard.told("fleet", "down", yard.file)

    with own_domain() as apart:
        make(tmp_path, shared, [*robots[:2], {"name": "r3", "domain_id": apart}])
        yard.told("fleet", "up", yard.file, "--detach")
        stay_apart(yard)
        yard.told("fleet", "down", yard.file)

    make(tmp_path, shared, robots)
    yard.told("fleet", "up", yard.file, "--detach")
    catch_up(yard, 2)
