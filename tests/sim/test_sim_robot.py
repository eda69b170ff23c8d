from __future__ import annotations

import math

import numpy as np
import pytest
from quipu_sim.arena import ARENA_LENGTH, Obstacle, Shape
from quipu_sim.course import Course
from quipu_sim.navigation import CRUISE, clearances, steer
from quipu_sim.pose import Pose, wrap_angle
from quipu_sim.robot import TIME_STEP, Robot
from quipu_sim.sensors import BEAMS, RANGE_MAX
from quipu_sim.world import LIDAR_POSITION

AHEAD = BEAMS // 2  # the beam at angle 0
EMPTY = Course(seed=1, start=(0.0, 0.0, 0.0), goals=((2.0, 0.0),), obstacles=())
PILLAR = Obstacle(Shape.CYLINDER, x=2.0, y=0.0, yaw=0.0, radius=0.3)
BLOCKED = Course(seed=1, start=(0.0, 0.0, 0.0), goals=((3.5, 0.0),), obstacles=(PILLAR,))


def drive(robot: Robot, linear: float, angular: float, seconds: float) -> None:
    robot.command(linear, angular)
    for _ in range(round(seconds / TIME_STEP)):
        robot.step()


def test_it_drives_straight() -> None:
    robot = Robot(EMPTY)
    drive(robot, 0.5, 0.0, 4.0)
    pose = robot.true_pose()
    assert robot.time == pytest.approx(4.0)
    assert pose.x == pytest.approx(2.0, abs=0.2)
    assert abs(pose.y) < 0.02
    believed = robot.odometry()
    assert math.dist((believed.pose.x, believed.pose.y), (pose.x, pose.y)) < 0.05
    assert believed.linear == pytest.approx(0.5, abs=0.03)


def test_positive_turns_are_to_the_left() -> None:
    robot = Robot(EMPTY)
    drive(robot, 0.0, 1.0, 1.5)
    assert 0.9 < robot.true_pose().yaw < 1.6
    assert robot.imu().angular_velocity[2] == pytest.approx(0.95, abs=0.1)
    left, right = robot.wheels().positions
    assert left < 0 < right


def test_the_imu_feels_gravity_at_rest() -> None:
    robot = Robot(EMPTY)
    drive(robot, 0.0, 0.0, 1.0)
    samples = np.array([robot.imu().linear_acceleration for _ in range(200)])
    # It rests on a caster, tilted by less than a degree.
    assert samples.mean(axis=0) == pytest.approx([0.0, 0.0, 9.81], abs=0.17)
    assert np.linalg.norm(samples.mean(axis=0)) == pytest.approx(9.81, abs=0.02)
    assert 0.01 < samples[:, 1].std() < 0.1, "the noise is missing or wild"


def test_the_lidar_measures_the_walls_and_not_the_robot() -> None:
    ranges = Robot(EMPTY).scan()
    assert ranges.shape == (BEAMS,)
    half = 0.5 * ARENA_LENGTH - 0.05
    assert ranges[AHEAD] == pytest.approx(half - LIDAR_POSITION[0], abs=0.05)
    assert ranges[0] == pytest.approx(half + LIDAR_POSITION[0], abs=0.05)
    assert ranges.min() > 3.0


def test_the_lidar_sees_a_pillar_where_it_stands() -> None:
    ranges = Robot(BLOCKED).scan()
    assert ranges[AHEAD] == pytest.approx(2.0 - 0.3 - LIDAR_POSITION[0], abs=0.05)
    assert ranges[AHEAD + 20] > 3.0
    assert (ranges[np.isfinite(ranges)] <= RANGE_MAX).all()


def test_a_collision_is_felt() -> None:
    robot = Robot(BLOCKED)
    assert not robot.touches_obstacle()
    drive(robot, 0.8, 0.0, 3.5)
    assert robot.touches_obstacle()
    assert robot.true_pose().x < 1.7


def test_it_heads_for_the_goal_and_around_what_stands_before_it() -> None:
    origin = Pose(0.0, 0.0, 0.0)
    free = np.full(BEAMS, np.inf)
    assert steer(origin, (3.0, 0.0), free).linear == pytest.approx(CRUISE)
    assert steer(origin, (3.0, 0.0), free).angular == pytest.approx(0.0)
    assert steer(origin, (0.0, 3.0), free).angular > 1.0
    assert steer(origin, (0.0, -3.0), free).angular < -1.0
    blocked = free.copy()
    blocked[AHEAD - 25 : AHEAD + 25] = 0.6
    around = steer(origin, (3.0, 0.0), blocked)
    assert abs(around.angular) > 1.0
    assert around.linear < 0.5 * CRUISE
    assert clearances(blocked).min() < 0.6


@pytest.mark.parametrize("angle", [-7.0, -math.pi, 0.0, 3.0, math.pi, 100.0])
def test_angles_wrap(angle: float) -> None:
    wrapped = wrap_angle(angle)
    assert -math.pi <= wrapped < math.pi
    assert math.cos(wrapped) == pytest.approx(math.cos(angle))
    assert math.sin(wrapped) == pytest.approx(math.sin(angle))
