"""The course of one recorded episode: an arena, a start pose and goals, all from one seed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from quipu_sim.arena import (
    ARENA_LENGTH,
    ARENA_WIDTH,
    OBSTACLE_COUNT,
    PASSAGE,
    Arena,
    Obstacle,
    Shape,
)

GOAL_COUNT: Final = 3

_GOAL_CLEARANCE = 0.55  # around a goal
_LEG = 2.2  # between a goal and the one before it


@dataclass(frozen=True, slots=True)
class Course:
    """One task: drive from ``start`` (x, y, yaw) to every goal (x, y) in turn."""

    seed: int
    start: tuple[float, float, float]
    goals: tuple[tuple[float, float], ...]
    obstacles: tuple[Obstacle, ...]

    @property
    def arena(self) -> Arena:
        """Where it takes place."""
        return Arena(ARENA_LENGTH, ARENA_WIDTH, self.obstacles)


def make_course(seed: int) -> Course:
    """Lay out the course of ``seed``; the same seed gives the same course."""
    random = np.random.default_rng(seed)
    arena = Arena(ARENA_LENGTH, ARENA_WIDTH, ())
    start = (-0.5 * ARENA_LENGTH + 1.0, 0.0, float(random.uniform(-0.5, 0.5)))
    while len(arena.obstacles) < OBSTACLE_COUNT:
        radius = float(random.uniform(0.18, 0.42))
        point = arena.somewhere(random, radius + PASSAGE)
        clear = arena.is_clear(point, radius + PASSAGE)
        if clear and math.dist(point, start[:2]) > radius + 1.0:
            shape = Shape.BOX if random.random() < 0.5 else Shape.CYLINDER
            obstacle = Obstacle(shape, *point, float(random.uniform(0, math.pi)), radius)
            arena = Arena(ARENA_LENGTH, ARENA_WIDTH, (*arena.obstacles, obstacle))
    goals: list[tuple[float, float]] = []
    before = start[:2]
    while len(goals) < GOAL_COUNT:
        goal = arena.somewhere(random, 0.8)
        if arena.is_clear(goal, _GOAL_CLEARANCE) and math.dist(goal, before) > _LEG:
            goals.append(goal)
            before = goal
    return Course(seed, start, tuple(goals), arena.obstacles)
