"""The task of a robot: to drive to a goal among obstacles, again and again.

A step is one control cycle: what the robot observes, what it does, what that was worth.

    reward = metres won towards the goal since the step before
             + 10 on arrival - 5 for a collision, or for being lost

An attempt ends with its last step: on arrival, on touching anything, when the robot has
fallen over or left the arena, or when its time is up, so that nobody is stuck for ever.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from quipu_sim.arena import Arena, free_goal
from quipu_sim.pose import Pose, wrap_angle
from quipu_sim.sensors import BEAMS, RANGE_MAX, Floats

ARRIVAL_REWARD: Final = 10.0
FAILURE_REWARD: Final = -5.0
ARRIVED: Final = 0.3  # m from the goal
TIME_LIMIT: Final = 30.0  # s of an attempt
LEGS: Final = (2.0, 6.0)  # m, the nearest and the furthest goal

SECTORS: Final = 24
OBSERVATION_SIZE: Final = 5 + SECTORS
ACTION_SIZE: Final = 2


class Outcome(enum.Enum):
    """How an attempt ended."""

    ARRIVED = "arrived"
    COLLIDED = "collided"
    LOST = "lost"
    TIME_UP = "time_up"

    @property
    def success(self) -> bool:
        """Whether the goal was reached."""
        return self is Outcome.ARRIVED


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that is over; ``seconds`` of simulated time, ``reward`` all in all."""

    number: int
    outcome: Outcome
    reward: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one step was worth, and the whole attempt once it is over."""

    reward: float
    ended: Attempt | None


class GoalTask:
    """One robot's task; `begin` and `judge` take turns as an attempt goes on."""

    def __init__(self, arena: Arena, *, seed: int, robot: int) -> None:
        self._arena = arena
        self._random = np.random.default_rng((seed, robot, 0x60))
        self._number = 0
        self._began = 0.0
        self._distance = 0.0
        self._reward = 0.0
        self.goal = (0.0, 0.0)

    @property
    def number(self) -> int:
        """Which attempt this is, counted from 1."""
        return self._number

    def begin(self, pose: Pose, time: float) -> None:
        """Start an attempt where the robot stands, at ``time`` in seconds."""
        here = (pose.x, pose.y)
        self.goal = free_goal(self._arena, self._random, here, LEGS)
        self._number += 1
        self._began = time
        self._distance = math.dist(here, self.goal)
        self._reward = 0.0

    def judge(self, pose: Pose, time: float, *, touched: bool, lost: bool) -> Judgement:
        """Look at the robot once a step: where it is, and what happened since the last."""
        distance = math.dist((pose.x, pose.y), self.goal)
        reward = self._distance - distance
        self._distance = distance
        outcome: Outcome | None = None
        if lost:
            outcome = Outcome.LOST
        elif touched:
            outcome = Outcome.COLLIDED
        elif distance < ARRIVED:
            outcome = Outcome.ARRIVED
        elif time - self._began >= TIME_LIMIT:
            outcome = Outcome.TIME_UP
        if outcome is Outcome.ARRIVED:
            reward += ARRIVAL_REWARD
        elif outcome in (Outcome.COLLIDED, Outcome.LOST):
            reward += FAILURE_REWARD
        self._reward += reward
        if outcome is None:
            return Judgement(reward, None)
        attempt = Attempt(self._number, outcome, self._reward, time - self._began)
        return Judgement(reward, attempt)


def observation(
    pose: Pose, goal: tuple[float, float], linear: float, angular: float, ranges: Floats
) -> Floats:
    """What the robot goes by, `OBSERVATION_SIZE` numbers.

    Distance to the goal (m), cosine and sine of its bearing, the robot's speed (m/s) and
    turning (rad/s); then the nearest range (m, at most `RANGE_MAX`) in each of `SECTORS`
    sectors, counter-clockwise from straight behind.
    """
    bearing = wrap_angle(math.atan2(goal[1] - pose.y, goal[0] - pose.x) - pose.yaw)
    seen: Floats = np.empty(OBSERVATION_SIZE)
    seen[0] = math.dist((pose.x, pose.y), goal)
    seen[1] = math.cos(bearing)
    seen[2] = math.sin(bearing)
    seen[3] = linear
    seen[4] = angular
    np.minimum(ranges.reshape(SECTORS, BEAMS // SECTORS).min(axis=1), RANGE_MAX, out=seen[5:])
    return seen
