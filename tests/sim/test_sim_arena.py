from __future__ import annotations

import math

import numpy as np
import pytest
from quipu_sim.arena import (
    ARENA_LENGTH,
    ARENA_WIDTH,
    PASSAGE,
    Arena,
    Obstacle,
    Shape,
    free_goal,
    free_pose,
    make_arena,
    starting_poses,
)
from quipu_sim.pose import Pose

FULL = Arena(4.0, 4.0, (Obstacle(Shape.CYLINDER, 0.0, 0.0, 0.0, 3.0),))


@pytest.mark.parametrize("robots", [1, 2, 3, 8, 30])
@pytest.mark.parametrize("seed", [0, 1, 7])
def test_a_robot_can_pass_everywhere(robots: int, seed: int) -> None:
    arena = make_arena(seed, robots)
    for number, one in enumerate(arena.obstacles):
        assert abs(one.x) < 0.5 * arena.length - one.radius - PASSAGE + 1e-9
        assert abs(one.y) < 0.5 * arena.width - one.radius - PASSAGE + 1e-9
        for other in arena.obstacles[:number]:
            assert math.dist((one.x, one.y), (other.x, other.y)) > one.radius + other.radius + 0.9


def test_it_grows_with_the_robots_and_is_its_seed() -> None:
    alone, eight = make_arena(5, 1), make_arena(5, 8)
    assert (alone.length, alone.width) == (ARENA_LENGTH, ARENA_WIDTH)
    assert eight.length * eight.width == pytest.approx(4.5 * alone.length * alone.width)
    assert len(eight.obstacles) > 4 * len(alone.obstacles)
    assert make_arena(5, 8) == eight
    assert make_arena(6, 8) != eight
    with pytest.raises(ValueError, match="one robot or more"):
        make_arena(5, 0)


@pytest.mark.parametrize("robots", [1, 8, 30])
def test_robots_start_apart_and_clear(robots: int) -> None:
    arena = make_arena(3, robots)
    poses = starting_poses(arena, 3, robots)
    assert poses == starting_poses(arena, 3, robots)
    for number, pose in enumerate(poses):
        point = (pose.x, pose.y)
        assert arena.contains(*point)
        assert arena.is_clear(point, 0.5)
        assert all(math.dist(point, (other.x, other.y)) > 1.2 for other in poses[:number])


def test_goals_are_as_far_away_as_asked() -> None:
    arena = make_arena(1, 1)
    random = np.random.default_rng(1)
    for _ in range(100):
        goal = free_goal(arena, random, (1.0, 1.0), (2.0, 3.0))
        assert 2.0 < math.dist(goal, (1.0, 1.0)) < 3.0
        assert arena.is_clear(goal, 0.5)


def test_a_full_arena_is_said_to_be_full() -> None:
    random = np.random.default_rng(1)
    with pytest.raises(ValueError, match="no free place in an arena with 1 robots"):
        free_pose(FULL, random, [(0.0, 0.0)])
    with pytest.raises(ValueError, match="no goal between 1 m and 2 m"):
        free_goal(FULL, random, (0.0, 0.0), (1, 2))


def test_a_place_is_away_from_the_others() -> None:
    arena, random = Arena(6.0, 6.0, ()), np.random.default_rng(1)
    for _ in range(50):
        pose = free_pose(arena, random, [(0.0, 0.0)])
        assert math.dist((pose.x, pose.y), (0.0, 0.0)) > 1.2
        assert isinstance(pose, Pose)
