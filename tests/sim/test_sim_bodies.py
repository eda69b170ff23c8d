from __future__ import annotations

import math

import numpy as np
import pytest
from quipu_sim.arena import Arena, make_arena, starting_poses
from quipu_sim.bodies import Bodies
from quipu_sim.pose import Pose
from quipu_sim.sensors import BEAMS

STEP = 0.01
AHEAD = BEAMS // 2
EMPTY = Arena(12.0, 12.0, ())


def bodies_of(*poses: Pose, arena: Arena = EMPTY, time_step: float = STEP) -> Bodies:
    starts = {f"r{number}": pose for number, pose in enumerate(poses, start=1)}
    return Bodies(arena, starts, seed=3, time_step=time_step)


def steps(bodies: Bodies, seconds: float, time_step: float = STEP) -> None:
    for _ in range(round(seconds / time_step)):
        bodies.step()


@pytest.mark.parametrize("time_step", [0.002, 0.004, 0.01])
def test_how_they_drive_does_not_depend_on_the_time_step(time_step: float) -> None:
    bodies = bodies_of(Pose(-4, -4, 0), Pose(0, 0, 0), time_step=time_step)
    bodies.command(0, 0.8, 0.0)
    bodies.command(1, 0.5, 1.0)
    steps(bodies, 4.0, time_step)
    assert bodies.true_pose(0).x == pytest.approx(-4 + 0.8 * 4, abs=0.25)
    linear, angular = zip(*(row[3:] for row in bodies.odometry()), strict=True)
    assert linear == pytest.approx([0.79, 0.5], abs=0.02)
    assert angular == pytest.approx([0.0, 1.0], abs=0.02)
    for robot in range(2):
        x, y = bodies.odometry()[robot][:2]
        true = bodies.true_pose(robot)
        assert math.dist((x, y), (true.x, true.y)) < 0.05


def test_a_command_moves_one_robot() -> None:
    bodies = bodies_of(Pose(0, 0, 0), Pose(0, 3, 0), Pose(0, -3, 0))
    bodies.command(1, 0.8, 0.0)
    steps(bodies, 2.0)
    assert bodies.true_pose(1).x > 1.0
    assert abs(bodies.true_pose(0).x) < 0.01
    assert abs(bodies.true_pose(2).x) < 0.01


def test_lidars_see_the_other_robots_and_not_their_own() -> None:
    bodies = bodies_of(Pose(0, 0, 0), Pose(3, 0, math.pi))
    steps(bodies, 0.2)
    first, second = bodies.scan(0), bodies.scan(1)
    # From lidar (0.08 m before the middle) to shell (0.13 m around the middle).
    assert first[AHEAD] == pytest.approx(3 - 0.08 - 0.13, abs=0.05)
    assert second[AHEAD] == pytest.approx(3 - 0.08 - 0.13, abs=0.05)
    assert first[AHEAD + 20] > 5
    assert first.min() > 2.5, "it sees itself"


def test_who_collides_is_told_and_nobody_else() -> None:
    bodies = bodies_of(Pose(-1, 0, 0), Pose(1, 0, math.pi), Pose(0, 4, 0))
    assert bodies.touching() == set()
    bodies.command(0, 0.8, 0.0)
    bodies.command(1, 0.8, 0.0)
    steps(bodies, 2.5)
    assert bodies.touching() == {0, 1}
    gap = bodies.true_pose(1).x - bodies.true_pose(0).x
    assert gap == pytest.approx(0.36, abs=0.03), "two chassis, nose to nose"


def test_a_wall_holds_and_is_felt() -> None:
    bodies = bodies_of(Pose(5, 0, 0), Pose(0, 0, 0))
    bodies.command(0, 1.0, 0.0)
    steps(bodies, 5.0)
    assert bodies.touching() == {0}
    assert bodies.true_pose(0).x < 6.0
    assert bodies.lost() == set()


def test_placing_one_leaves_the_others_alone() -> None:
    arena = make_arena(2, 3)
    starts = starting_poses(arena, 2, 3)
    worlds = [bodies_of(*starts, arena=arena) for _ in range(2)]
    for bodies in worlds:
        for robot in range(3):
            bodies.command(robot, 0.3, 1.5)
        steps(bodies, 1.0)
    placed, untouched = worlds
    placed.place(1, Pose(4.0, 0.5, 1.0))
    assert placed.odometry()[1] == pytest.approx([4.0, 0.5, 1.0, 0.0, 0.0])
    assert placed.wheel_angles()[1] == pytest.approx([0.0, 0.0])
    for bodies in worlds:
        steps(bodies, 1.0)
    for robot in (0, 2):
        assert placed.odometry()[robot] == pytest.approx(untouched.odometry()[robot], abs=1e-6)
    resting = placed.true_pose(1)
    assert (resting.x, resting.y, resting.yaw) == pytest.approx((4.0, 0.5, 1.0), abs=0.01)
    assert placed.odometry()[1][:3] == pytest.approx([4.0, 0.5, 1.0], abs=0.01)


def test_the_lost_are_known() -> None:
    bodies = bodies_of(Pose(0, 0, 0), Pose(30, 0, 0), Pose(0, 3, 0))
    positions = bodies._positions
    positions[2, 3:7] = (math.cos(0.5), math.sin(0.5), 0.0, 0.0)  # 1 rad of roll
    bodies.step()
    assert bodies.lost() == {1, 2}


def test_the_same_seed_gives_the_same_bits() -> None:
    one, other, third = (bodies_of(Pose(0, 0, 0), Pose(2, 2, 1)) for _ in range(3))
    third._random = np.random.default_rng(99)
    for bodies in (one, other, third):
        bodies.command(0, 0.5, 0.5)
        steps(bodies, 0.5)
    first, second = one.imu(), other.imu()
    assert first == second
    assert one.scan(1).tobytes() == other.scan(1).tobytes()
    assert one.odometry() == other.odometry()
    assert third.imu() != first


def test_the_imu_reads_turns_and_gravity() -> None:
    bodies = bodies_of(Pose(0, 0, 0), Pose(0, 3, 0))
    bodies.command(1, 0.0, 1.0)
    steps(bodies, 2.0)
    still, turning = np.mean([bodies.imu() for _ in range(300)], axis=0)
    assert np.linalg.norm(still[:4]) == pytest.approx(1.0)
    assert still[6] == pytest.approx(0.0, abs=0.01)
    assert turning[6] == pytest.approx(0.99, abs=0.03)
    assert still[9] == pytest.approx(9.81, abs=0.05)
