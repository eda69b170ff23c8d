"""The place where robots drive: four walls and obstacles, all from one seed.

Lengths are metres, angles radians: x along the arena, y across it, the origin in its
middle, yaw counter-clockwise from x.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from quipu_sim.pose import Pose

ARENA_LENGTH: Final = 9.0  # of one robot
ARENA_WIDTH: Final = 7.0
OBSTACLE_COUNT: Final = 7
PASSAGE: Final = 0.9  # between any two obstacles, and between an obstacle and a wall

_WALL_MARGIN = 0.8  # between a place to stand and a wall
_CLEARANCE = 0.55  # between a place to stand and an obstacle
_APART = 1.2  # between a place to stand and another robot
_TRIES = 2000


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
class Arena:
    """Walls around ``length`` by ``width``, and what stands between them."""

    length: float
    width: float
    obstacles: tuple[Obstacle, ...]

    def somewhere(self, random: np.random.Generator, margin: float) -> tuple[float, float]:
        """A point at least ``margin`` from every wall."""
        half_length, half_width = 0.5 * self.length - margin, 0.5 * self.width - margin
        return (
            float(random.uniform(-half_length, half_length)),
            float(random.uniform(-half_width, half_width)),
        )

    def is_clear(self, point: tuple[float, float], clearance: float) -> bool:
        """Whether every obstacle is further than ``clearance`` from ``point``."""
        return all(
            math.dist(point, (obstacle.x, obstacle.y)) > obstacle.radius + clearance
            for obstacle in self.obstacles
        )

    def contains(self, x: float, y: float) -> bool:
        """Whether a point lies between the walls."""
        return abs(x) < 0.5 * self.length and abs(y) < 0.5 * self.width


def make_arena(seed: int, robots: int, *, obstacles: bool = True) -> Arena:
    """Lay out an arena for so many robots; the same arguments give the same arena.

    Its area and the number of its obstacles grow with (robots + 1) / 2: a robot alone
    has 63 square metres, eight robots have 35 each and meet now and then. Without
    ``obstacles`` it is a hall with nothing in it but the robots.
    """
    if robots < 1:
        raise ValueError("an arena is for one robot or more")
    random = np.random.default_rng((seed, robots))
    crowd = 0.5 * (robots + 1)
    length, width = ARENA_LENGTH * math.sqrt(crowd), ARENA_WIDTH * math.sqrt(crowd)
    bare = Arena(length, width, ())
    standing: list[Obstacle] = []
    while obstacles and len(standing) < round(OBSTACLE_COUNT * crowd):
        radius = float(random.uniform(0.18, 0.42))
        point = bare.somewhere(random, radius + PASSAGE)
        if Arena(length, width, tuple(standing)).is_clear(point, radius + PASSAGE):
            shape = Shape.BOX if random.random() < 0.5 else Shape.CYLINDER
            standing.append(Obstacle(shape, *point, float(random.uniform(0, math.pi)), radius))
    return Arena(length, width, tuple(standing))


def free_pose(
    arena: Arena, random: np.random.Generator, others: Iterable[tuple[float, float]]
) -> Pose:
    """A pose that is clear of walls, obstacles and the ``others``, looking anywhere.

    Raises `ValueError` when the arena is so full that none is found.
    """
    taken = tuple(others)
    for _ in range(_TRIES):
        point = arena.somewhere(random, _WALL_MARGIN)
        apart = all(math.dist(point, other) > _APART for other in taken)
        if apart and arena.is_clear(point, _CLEARANCE):
            return Pose(*point, float(random.uniform(-math.pi, math.pi)))
    raise ValueError(f"no free place in an arena with {len(taken)} robots")


def free_goal(
    arena: Arena, random: np.random.Generator, start: tuple[float, float], legs: tuple[float, float]
) -> tuple[float, float]:
    """A point that is clear of walls and obstacles, as far from ``start`` as ``legs`` allow.

    Raises `ValueError` when there is none.
    """
    shortest, longest = legs
    for _ in range(_TRIES):
        point = arena.somewhere(random, _WALL_MARGIN)
        if shortest < math.dist(point, start) < longest and arena.is_clear(point, _CLEARANCE):
            return point
    raise ValueError(f"no goal between {shortest} m and {longest} m from {start}")


def starting_poses(arena: Arena, seed: int, robots: int) -> tuple[Pose, ...]:
    """Where so many robots stand at first; the same arguments give the same poses."""
    random = np.random.default_rng((seed, robots, 0x57))
    poses: list[Pose] = []
    for _ in range(robots):
        poses.append(free_pose(arena, random, ((pose.x, pose.y) for pose in poses)))
    return tuple(poses)
