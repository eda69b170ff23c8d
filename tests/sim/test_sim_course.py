from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree

import pytest
from quipu_sim.arena import ARENA_LENGTH, ARENA_WIDTH, OBSTACLE_COUNT
from quipu_sim.course import GOAL_COUNT, make_course
from quipu_sim.pose import Pose
from quipu_sim.world import world_mjcf


@pytest.mark.parametrize("seed", range(20))
def test_every_course_can_be_driven(seed: int) -> None:
    course = make_course(seed)
    assert len(course.goals) == GOAL_COUNT
    assert len(course.obstacles) == OBSTACLE_COUNT
    for point in (course.start[:2], *course.goals):
        assert abs(point[0]) < 0.5 * ARENA_LENGTH - 0.5
        assert abs(point[1]) < 0.5 * ARENA_WIDTH - 0.5
        for obstacle in course.obstacles:
            assert math.dist(point, (obstacle.x, obstacle.y)) > obstacle.radius + 0.5


def test_a_course_is_its_seed() -> None:
    assert make_course(3) == make_course(3)
    assert make_course(3) != make_course(4)


def test_the_model_holds_every_obstacle() -> None:
    course = make_course(5)
    text = world_mjcf(course.arena, {"robot": Pose(*course.start)}, 0.004)
    world = ElementTree.fromstring(text).find("worldbody")  # noqa: S314
    assert world is not None
    walls_and_floor = 5
    assert len(world.findall("geom")) == walls_and_floor + len(course.obstacles)
