"""A fleet of simulated robots, tick by tick, as the messages that they send.

Everything is repeatable: the same names, seed and contract give the same messages, bit
for bit, on the same machine, as long as no command and no gate comes from outside.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from quipu_sim.arena import Arena, make_arena, starting_poses
from quipu_sim.bodies import Bodies
from quipu_sim.contract import Contract
from quipu_sim.control import Controller, Driver, Gate, OpenGate
from quipu_sim.navigation import Drive
from quipu_sim.rhythm import CONTROL, Rhythm
from quipu_sim.streams import Channel, Send, Streams
from quipu_sim.task import Attempt, Outcome

LONGEST_STEP: Final = 0.01  # s, of the physics


@dataclass(frozen=True, slots=True)
class Setting:
    """What is simulated."""

    robots: tuple[str, ...]
    seed: int = 1
    driver: Driver = Driver.GOAL
    task: bool = True
    obstacles: bool = True


class Simulation:
    """Robots in an arena; `tick` moves them on and sends what their sensors say."""

    def __init__(
        self, setting: Setting, contract: Contract, send: Send, gate: Gate | None = None
    ) -> None:
        """Lay out the world.

        Raises `ContractError` when the contract cannot be kept, and `ValueError` for a
        setting that makes no sense.
        """
        robots = setting.robots
        if len(set(robots)) != len(robots):
            raise ValueError("two robots have one name")
        rhythm = Rhythm(contract)
        arena = make_arena(setting.seed, len(robots), obstacles=setting.obstacles)
        starts = starting_poses(arena, setting.seed, len(robots))
        self.period_ns: Final = rhythm.period_ns
        self._steps = math.ceil(rhythm.period_ns / 1e9 / LONGEST_STEP)
        self._control_every = rhythm.every(CONTROL)
        self._bodies = Bodies(
            arena,
            dict(zip(robots, starts, strict=True)),
            seed=setting.seed,
            time_step=rhythm.period_ns / 1e9 / self._steps,
        )
        self._tally = _Tally(gate or OpenGate())
        self._controllers = [
            Controller(
                self._bodies,
                robot,
                seed=setting.seed,
                task=setting.task,
                driver=setting.driver,
                gate=self._tally,
            )
            for robot in range(len(robots))
        ]
        self._streams = Streams(
            robots, contract, rhythm, send, driver=setting.driver, task=setting.task
        )
        self._touched: set[int] = set()
        self._lost: set[int] = set()
        self._ticks = 0

    @property
    def arena(self) -> Arena:
        """Where the robots are."""
        return self._bodies.arena

    @property
    def channels(self) -> Sequence[Channel]:
        """On what it sends."""
        return self._streams.channels

    @property
    def time_ns(self) -> int:
        """Simulated nanoseconds since the start."""
        return self._ticks * self.period_ns

    @property
    def outcomes(self) -> Counter[Outcome]:
        """How attempts have ended so far."""
        return self._tally.outcomes

    def positions(self) -> list[tuple[float, float]]:
        """Where the robots really are."""
        return self._bodies.true_positions()

    def hear(self, robot: int, command: Drive) -> None:
        """Take a command to one robot from outside.

        Raises `ValueError` for speeds that are no numbers.
        """
        if not (math.isfinite(command.linear) and math.isfinite(command.angular)):
            raise ValueError(f"{command.linear} m/s and {command.angular} rad/s are no speeds")
        self._controllers[robot].hear(command)

    def begin(self) -> None:
        """Send what is said once, before the first tick."""
        self._streams.send_fixed()

    def tick(self) -> None:
        """Move on by one tick; sense, send and decide."""
        bodies = self._bodies
        for controller in self._controllers:
            controller.drive()
        bodies.step(self._steps)
        self._ticks += 1
        self._touched |= bodies.touching()
        self._lost |= bodies.lost()
        self._streams.send_bodies(self._ticks, self.time_ns, bodies)
        # Robots look around and decide in turn, as real ones do.
        every = self._control_every
        for robot in range(-self._ticks % every, len(self._controllers), every):
            self._cycle(robot)

    def _cycle(self, robot: int) -> None:
        ranges = self._bodies.scan(robot)
        controller = self._controllers[robot]
        touched, lost = robot in self._touched, robot in self._lost
        self._touched.discard(robot)
        self._lost.discard(robot)
        step = controller.cycle(ranges, touched=touched, lost=lost)
        self._streams.send_cycle(robot, ranges, controller.wanted, step)


class _Tally:
    """Counts how attempts end, in front of a gate."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.outcomes: Counter[Outcome] = Counter()

    def may_begin(self, robot: int) -> bool:
        return self._gate.may_begin(robot)

    def ended(self, robot: int, attempt: Attempt) -> None:
        self.outcomes[attempt.outcome] += 1
        self._gate.ended(robot, attempt)
