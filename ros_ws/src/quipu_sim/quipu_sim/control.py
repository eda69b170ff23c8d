"""One robot's control cycle: its task's referee, its driver, and the gate between attempts."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from quipu_sim.arena import free_pose
from quipu_sim.bodies import Bodies
from quipu_sim.navigation import Drive, steer
from quipu_sim.sensors import Floats
from quipu_sim.task import Attempt, GoalTask, observation

COMMAND_TIMEOUT: Final = 0.5  # s of simulated time; after that a robot stops

STILL: Final = Drive(0.0, 0.0)


class Driver(enum.Enum):
    """Who drives the robots."""

    GOAL = "goal"
    """The built-in driver, to the goals of the task."""
    NONE = "none"
    """Whoever sends commands."""


class Gate(Protocol):
    """Decides when the next attempt of a robot may begin: its recorder may not be ready."""

    def may_begin(self, robot: int) -> bool:
        """Asked every cycle between two attempts."""

    def ended(self, robot: int, attempt: Attempt) -> None:
        """Told once for each attempt."""


class OpenGate:
    """Lets every attempt begin at once."""

    def may_begin(self, robot: int) -> bool:
        """Yes."""
        del robot
        return True

    def ended(self, robot: int, attempt: Attempt) -> None:
        """Nothing to do."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an attempt; ``done`` in its last."""

    observation: Floats
    action: Drive
    reward: float
    done: bool


class Controller:
    """Control of one robot; `cycle` at a steady rate, `drive` as often as one likes."""

    def __init__(
        self, bodies: Bodies, robot: int, *, seed: int, task: bool, driver: Driver, gate: Gate
    ) -> None:
        if driver is Driver.GOAL and not task:
            raise ValueError("the driver needs a task to know where to go")
        self._bodies = bodies
        self._robot = robot
        self._task = GoalTask(bodies.arena, seed=seed, robot=robot) if task else None
        self._driver = driver
        self._gate = gate
        self._random = np.random.default_rng((seed, robot, 0x70))
        self._attempting = False
        self._wanted = STILL
        self._heard = (STILL, -COMMAND_TIMEOUT)

    @property
    def wanted(self) -> Drive:
        """The command that the robot follows."""
        return self._wanted

    def hear(self, command: Drive) -> None:
        """Take a command from outside; heeded where no driver is built in."""
        self._heard = (command, self._bodies.time)

    def drive(self) -> None:
        """Pass the newest command from outside on to the wheels."""
        if self._driver is Driver.NONE:
            command, heard_at = self._heard
            fresh = self._bodies.time - heard_at <= COMMAND_TIMEOUT
            self._follow(command if fresh else STILL)

    def cycle(self, ranges: Floats, *, touched: bool, lost: bool) -> Step | None:
        """One control cycle; the step of the attempt, if one is going on.

        ``touched`` and ``lost`` say what happened since the cycle before.
        """
        if self._task is None:
            step = None
            bad = lost
        else:
            step, bad = self._step(self._task, ranges, touched=touched, lost=lost)
        if bad:
            # Away from where it is, too.
            pose = free_pose(self._bodies.arena, self._random, self._bodies.true_positions())
            self._bodies.place(self._robot, pose)
        return step

    def _step(
        self, task: GoalTask, ranges: Floats, *, touched: bool, lost: bool
    ) -> tuple[Step | None, bool]:
        """The step, and whether the robot must be put elsewhere."""
        pose = self._bodies.true_pose(self._robot)
        time = self._bodies.time
        reward = 0.0
        attempt: Attempt | None = None
        if self._attempting:
            judgement = task.judge(pose, time, touched=touched, lost=lost)
            reward, attempt = judgement.reward, judgement.ended
        elif lost or not self._gate.may_begin(self._robot):
            self._halt()
            return None, lost
        else:
            task.begin(pose, time)
            self._attempting = True
        if attempt is not None:
            self._attempting = False
            self._halt()
            self._gate.ended(self._robot, attempt)
        elif self._driver is Driver.GOAL:
            self._follow(steer(pose, task.goal, ranges))
        linear, angular = self._bodies.odometry()[self._robot][3:]
        seen = observation(pose, task.goal, linear, angular, ranges)
        step = Step(seen, self._wanted, reward, attempt is not None)
        return step, attempt is not None and not attempt.outcome.success

    def _halt(self) -> None:
        if self._driver is Driver.GOAL:
            self._follow(STILL)

    def _follow(self, command: Drive) -> None:
        self._wanted = command
        self._bodies.command(self._robot, command.linear, command.angular)
