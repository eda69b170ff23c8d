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
PATIENCE = 240.0
END = 60.0


def committed(home: Path) -> list[Experience]:
    """The experiences in a robot's log so far."""
    try:
        with open_home(home) as opened:
            kinds = [parse_entry(encoded).kind for encoded in opened.log.entries()]
    except LedgerError:
        return []  # not made yet
    return [kind for kind in kinds if isinstance(kind, Experience)]


def rewarded(episodes: list[Experience]) -> list[Experience]:
    """Those whose attempt was over: they were marked with its reward."""
    kinds = [{each.kind for each in episode.commitments} for episode in episodes]
    return [
        episode
        for episode, known in zip(episodes, kinds, strict=True)
        if CommitmentKind.REWARD in known
    ]


def wait_for_episodes(home: Path, *running: Running) -> None:
    end = time.monotonic() + PATIENCE
    while len(rewarded(committed(home))) < EPISODES:
        for process in running:
            assert process.process.poll() is None, process.output
        assert time.monotonic() < end, "\n".join(process.output for process in running)
        time.sleep(0.5)


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
    # No attempt begins before every topic is recorded.
    simulated = ("robots:=['r1']", "seed:=3", "episodes:=true", "wait_for_readers:=1")
    options = [word for each in simulated for word in ("-p", each)]
    with (
        ros.start("env", f"QUIPU_PUBLISHED={tmp_path / 'published'}", "python", *robot,
                  "--params-file", parameters) as memory,
        ros.start("python", "-m", "quipu_sim.node", "--ros-args", *options) as simulator,
    ):  # fmt: skip
        wait_for_episodes(home, memory, simulator)
        assert simulator.interrupt(END) == 0, simulator.output
        assert memory.interrupt(END) == 0, memory.output
        summary = json.loads(simulator.output[simulator.output.index("{") :])
    episodes = committed(home)
    whole = rewarded(episodes)
    # The one that the end cut off, and what the simulator knows to have failed.
    assert len(episodes) - len(whole) <= 1 + summary["episodes_failed"], simulator.output
    for episode in whole:
        counts = {topic.name: topic.count for topic in episode.topics}
        steps = {counts[f"/r1/{name}"] for name in ("observation", "action", "reward", "done")}
        assert len(steps) == 1, ("whole steps", counts, simulator.output)
        assert steps.pop() > 10, counts
        assert counts["/r1/odom"] > counts["/r1/scan"] > 10
        (reward,) = (each for each in episode.commitments if each.kind is CommitmentKind.REWARD)
        assert reward.source is RewardSource.TASK
    assert summary["episodes_committed"] >= EPISODES, simulator.output
