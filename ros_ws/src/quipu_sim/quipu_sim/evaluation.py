"""Lets policies drive, and counts: ``python -m quipu_sim.evaluation MODEL...``.

Each attempt is one seed: its arena, its start and its goal, none of which depends on who
drives. The policy drives as anybody would from outside, by a command after each
observation, and the task's referee judges. Policies that are compared meet the same seeds.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from quipu_sim.arena import make_arena, starting_poses
from quipu_sim.bodies import Bodies
from quipu_sim.control import Controller, Driver
from quipu_sim.navigation import Drive
from quipu_sim.policy import PolicyError, read_policy
from quipu_sim.sensors import Floats
from quipu_sim.simulation import LONGEST_STEP
from quipu_sim.task import Attempt, Outcome

FIRST_SEED: Final = 1000
"""Seeds from here on are for evaluation; nobody records in their arenas."""
ATTEMPTS: Final = 60
TEACHER: Final = "teacher"

_TICK = 0.02  # s: what the robot touches is looked at so often
_TICKS_A_CYCLE = 5  # ten decisions a second, as in `quipu_sim.simulation`

Decide = Callable[[Floats], Drive]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How attempts ended; ``reward`` is the mean of an attempt."""

    outcomes: Mapping[Outcome, int]
    reward: float

    @property
    def attempts(self) -> int:
        """How many there were."""
        return sum(self.outcomes.values())

    @property
    def success(self) -> float:
        """The share of attempts that arrived."""
        return self.outcomes.get(Outcome.ARRIVED, 0) / self.attempts


def evaluate(decide: Decide | None, seeds: Iterable[int]) -> Evaluation:
    """Have one attempt driven for each seed; without ``decide`` by the built-in driver.

    Raises `ValueError` when there is no seed.
    """
    attempts = [_attempt(decide, seed) for seed in seeds]
    if not attempts:
        raise ValueError("an evaluation is of one attempt or more")
    return Evaluation(
        Counter(attempt.outcome for attempt in attempts),
        math.fsum(attempt.reward for attempt in attempts) / len(attempts),
    )


class _OneAttempt:
    """A gate that keeps the first attempt."""

    def __init__(self) -> None:
        self.attempt: Attempt | None = None

    def may_begin(self, robot: int) -> bool:
        del robot
        return True

    def ended(self, robot: int, attempt: Attempt) -> None:
        del robot
        self.attempt = attempt


def _attempt(decide: Decide | None, seed: int) -> Attempt:
    arena = make_arena(seed, 1)
    (start,) = starting_poses(arena, seed, 1)
    bodies = Bodies(arena, {"robot": start}, seed=seed, time_step=LONGEST_STEP)
    driver = Driver.GOAL if decide is None else Driver.NONE
    gate = _OneAttempt()
    controller = Controller(bodies, 0, seed=seed, task=True, driver=driver, gate=gate)
    while gate.attempt is None:
        touched = lost = False
        for _ in range(_TICKS_A_CYCLE):
            controller.drive()
            bodies.step(round(_TICK / LONGEST_STEP))
            touched = touched or bool(bodies.touching())
            lost = lost or bool(bodies.lost())
        step = controller.cycle(bodies.scan(0), touched=touched, lost=lost)
        if decide is not None and step is not None:
            controller.hear(decide(step.observation))
    return gate.attempt


def main(arguments: list[str] | None = None) -> None:
    """The command: evaluate every model over the same seeds, and print it as JSON."""
    parser = argparse.ArgumentParser(prog="python -m quipu_sim.evaluation", description=__doc__)
    parser.add_argument(
        "models", nargs="+", help=f"files of `quipu_sim.training`; {TEACHER}: the built-in driver"
    )
    parser.add_argument(
        "--attempts", type=int, default=ATTEMPTS, help=f"so many seeds ({ATTEMPTS})"
    )
    parser.add_argument(
        "--first-seed", type=int, default=FIRST_SEED, help=f"and from which on ({FIRST_SEED})"
    )
    given = parser.parse_args(arguments)
    seeds = range(given.first_seed, given.first_seed + given.attempts)
    rows: list[dict[str, Any]] = []
    try:
        for model in given.models:
            decide = None if model == TEACHER else read_policy(Path(model)).drive
            found = evaluate(decide, seeds)
            outcomes = {outcome.value: found.outcomes.get(outcome, 0) for outcome in Outcome}
            rows.append(
                {"model": model, "success": found.success, "reward": found.reward, **outcomes}
            )
    except (PolicyError, ValueError) as error:
        parser.error(str(error))
    document = {"first_seed": seeds.start, "attempts": len(seeds), "models": rows}
    sys.stdout.write(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
