"""A simulated robot's attempts, recorded and committed as episodes by its real recorder."""

from __future__ import annotations

import json
import time
from pathlib import Path

from ledger.errors import LedgerError
from ledger.experience.entry import CommitmentKind, Experience, RewardSource, parse_entry
from ledger.home import open_home
from tests.ros.ros_process import Ros, Running

EPISODES = 2
PATIENCE = 90.0


def committed(home: Path) -> list[Experience]:
    """The experiences in a robot's log so far."""
    try:
        with open_home(home) as opened:
            kinds = [parse_entry(encoded).kind for encoded in opened.log.entries()]
    except LedgerError:
        return []  # not made yet
    return [kind for kind in kinds if isinstance(kind, Experience)]


def wait_for_episodes(home: Path, *running: Running) -> list[Experience]:
    end = time.monotonic() + PATIENCE
    while len(found := committed(home)) < EPISODES:
        for process in running:
            assert process.process.poll() is None, process.output
        assert time.monotonic() < end, "\n".join(process.output for process in running)
        time.sleep(0.5)
    return found


def test_every_attempt_becomes_an_entry_with_its_reward(ros: Ros, tmp_path: Path) -> None:
    home = tmp_path / "home"
    settings = {
        "/r1/memory": {"home": str(home), "create_home": True, "origin": "example.com/r1"},
        "/r1/recorder": {"home": str(home), "topics_regex": ["^/r1/"], "continuous": False},
    }
    parameters = tmp_path / "robot.yaml"
    parameters.write_text(
        json.dumps({node: {"ros__parameters": values} for node, values in settings.items()})
    )
    robot = ("-m", "quipu_nodes.robot", "--ros-args", "-r", "__ns:=/r1")
    simulated = ("-p", "robots:=['r1']", "-p", "seed:=3", "-p", "episodes:=true")
    with (
        ros.start("env", f"QUIPU_PUBLISHED={tmp_path / 'published'}", "python", *robot,
                  "--params-file", parameters) as memory,
        ros.start("python", "-m", "quipu_sim.node", "--ros-args", *simulated) as simulator,
    ):  # fmt: skip
        episodes = wait_for_episodes(home, memory, simulator)
        assert simulator.interrupt(20.0) == 0, simulator.output
        assert memory.interrupt(20.0) == 0, memory.output
        summary = json.loads(simulator.output[simulator.output.index("{") :])
    for episode in episodes[:EPISODES]:
        counts = {topic.name: topic.count for topic in episode.topics}
        steps = {counts[f"/r1/{name}"] for name in ("observation", "action", "reward", "done")}
        assert len(steps) == 1, "whole steps"
        assert steps.pop() > 10, counts
        assert counts["/r1/odom"] > counts["/r1/scan"] > 10
        committed_kinds = {each.kind: each for each in episode.commitments}
        assert CommitmentKind.REWARD in committed_kinds
        assert committed_kinds[CommitmentKind.REWARD].source is RewardSource.TASK
    assert summary["episodes_committed"] >= EPISODES
