"""Where one episode takes place: an arena, obstacles, a start pose and goals, all from one seed.

Lengths are metres, angles radians, in the ``odom`` frame: x along the arena, y across
it, the origin in its middle, yaw counter-clockwise from x.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

import numpy as np

ARENA_LENGTH = 9.0
ARENA_WIDTH = 7.0

OBSTACLE_COUNT = 7
GOAL_COUNT = 3

_PASSAGE = 0.9  # between any two obstacles, and between an obstacle and a wall
_GOAL_CLEARANCE = 0.55  # around a goal
_LEG = 2.2  # between a goal and the one before it


class Shape(enum.Enum):
    """What an obstacle looks like from above."""

    BOX = "box"
    CYLINDER = "cylinder"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """A pillar of ``radius`` (for a box: of its circumcircle) at (x, y)."""

    shape: Shape
    x: float
    y: float
    yaw: float
    radius: float


@dataclass(frozen=True, slots=True)
class Course:
    """One task: drive from ``start`` (x, y, yaw) to every goal (x, y) in turn."""

    seed: int
    start: tuple[float, float, float]
    goals: tuple[tuple[float, float], ...]
    obstacles: tuple[Obstacle, ...]


def make_course(seed: int) -> Course:
    """Lay out the course of ``seed``; the same seed gives the same course."""
    random = np.random.default_rng(seed)
    start = (-0.5 * ARENA_LENGTH + 1.0, 0.0, float(random.uniform(-0.5, 0.5)))
    obstacles: list[Obstacle] = []
    while len(obstacles) < OBSTACLE_COUNT:
        radius = float(random.uniform(0.18, 0.42))
        x, y = _somewhere(random, radius + _PASSAGE)
        clear = all(
            math.dist((x, y), (other.x, other.y)) > radius + other.radius + _PASSAGE
            for other in obstacles
        )
        if clear and math.dist((x, y), start[:2]) > radius + 1.0:
            shape = Shape.BOX if random.random() < 0.5 else Shape.CYLINDER
            obstacles.append(Obstacle(shape, x, y, float(random.uniform(0, math.pi)), radius))
    goals: list[tuple[float, float]] = []
    before = start[:2]
    while len(goals) < GOAL_COUNT:
        goal = _somewhere(random, 0.8)
        clear = all(
            math.dist(goal, (obstacle.x, obstacle.y)) > obstacle.radius + _GOAL_CLEARANCE
            for obstacle in obstacles
        )
        if clear and math.dist(goal, before) > _LEG:
            goals.append(goal)
            before = goal
    return Course(seed, start, tuple(goals), tuple(obstacles))


def _somewhere(random: np.random.Generator, margin: float) -> tuple[float, float]:
    """A point at least ``margin`` from every wall."""
    half_length, half_width = 0.5 * ARENA_LENGTH - margin, 0.5 * ARENA_WIDTH - margin
    return (
        float(random.uniform(-half_length, half_length)),
        float(random.uniform(-half_width, half_width)),
    )
