"""Records attempts at goals: ``python -m quipu_sim.attempts OUT --seconds 120 --seed 7``.

One robot alone drives from goal to goal by the topic contract, and everything it says lies
in one bag, as its recorder would have left it with ROS: among the rest the steps of its
attempts, which `quipu_sim.training` learns from. Needs no ROS.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quipu_sim.contract import Durability, Quality, Reliability, read_contract
from quipu_sim.recording import BagWriter, Offer, Topic
from quipu_sim.simulation import Setting, Simulation
from quipu_sim.task import Attempt

ROBOT: Final = "robot"


@dataclass(frozen=True, slots=True)
class AttemptsSummary:
    """What happened; ``reward`` of all attempts that ended, ``messages`` by topic."""

    bag: Path
    seed: int
    start_ns: int
    seconds: float
    outcomes: Mapping[str, int]
    reward: float
    success: bool
    messages: Mapping[str, int]


class _Ended:
    """A gate that lets every attempt begin, and keeps how each ended."""

    def __init__(self) -> None:
        self.attempts: list[Attempt] = []

    def may_begin(self, robot: int) -> bool:
        del robot
        return True

    def ended(self, robot: int, attempt: Attempt) -> None:
        del robot
        self.attempts.append(attempt)


def record_attempts(
    bag: Path,
    *,
    seconds: float,
    seed: int,
    start_ns: int,
    robot: str = ROBOT,
    obstacles: bool = True,
) -> AttemptsSummary:
    """Drive for ``seconds`` in the arena of ``seed`` and record it as the bag ``bag``.

    Message stamps are ``start_ns`` (ns since 1970) plus the simulated time, so the same
    arguments give the same bytes. It is a success when no attempt ended badly.

    Raises `FileExistsError` when ``bag`` exists and `ValueError` for no time at all.
    """
    if seconds <= 0:
        raise ValueError(f"nothing happens in {seconds} s")
    ended = _Ended()

    def send(channel: int, data: bytearray) -> None:
        name = simulation.channels[channel].name
        writer.write_serialized(name, start_ns + simulation.time_ns, bytes(data))

    setting = Setting(robots=(robot,), seed=seed, obstacles=obstacles)
    simulation = Simulation(setting, read_contract(), send, ended)
    topics = tuple(
        Topic(channel.name, channel.topic.type, _offer(channel.topic.quality))
        for channel in simulation.channels
    )
    with BagWriter(bag, topics) as writer:
        simulation.begin()
        while simulation.time_ns < seconds * 1e9:
            simulation.tick()
        summary = AttemptsSummary(
            bag=bag,
            seed=seed,
            start_ns=start_ns,
            seconds=simulation.time_ns / 1e9,
            outcomes=dict(Counter(attempt.outcome.value for attempt in ended.attempts)),
            reward=sum(attempt.reward for attempt in ended.attempts),
            success=all(attempt.outcome.success for attempt in ended.attempts),
            messages=dict(writer.counts),
        )
        writer.custom_data.update(
            task="reach_goals",
            seed=str(seed),
            reward=f"{summary.reward:.3f}",
            success=str(summary.success).lower(),
        )
    return summary


def _offer(quality: Quality) -> Offer:
    if quality.durability is Durability.TRANSIENT_LOCAL:
        return Offer.LATCHED
    return Offer.RELIABLE if quality.reliability is Reliability.RELIABLE else Offer.SENSOR


def main(arguments: list[str] | None = None) -> None:
    """The command: record, and print the summary as JSON."""
    parser = argparse.ArgumentParser(prog="python -m quipu_sim.attempts", description=__doc__)
    parser.add_argument("out", type=Path, help="the bag directory to write; must not exist")
    parser.add_argument("--seconds", type=float, default=120.0, help="simulated seconds (120)")
    parser.add_argument("--seed", type=int, default=1, help="which arena, and which goals (1)")
    parser.add_argument("--robot", default=ROBOT, help="its name, the namespace of its topics")
    parser.add_argument("--empty", action="store_true", help="in a hall without obstacles")
    parser.add_argument("--start-ns", type=int, help="stamp of the start, ns since 1970 (now)")
    given = parser.parse_args(arguments)
    start_ns = time.time_ns() if given.start_ns is None else given.start_ns
    try:
        summary = record_attempts(
            given.out,
            seconds=given.seconds,
            seed=given.seed,
            start_ns=start_ns,
            robot=given.robot,
            obstacles=not given.empty,
        )
    except FileExistsError:
        parser.error(f"{given.out} exists already; name a new directory")
    except ValueError as error:
        parser.error(str(error))
    document = json.dumps(dataclasses.asdict(summary), default=str, indent=2)
    sys.stdout.write(document + "\n")


if __name__ == "__main__":
    main()
