"""Runs one episode and records it: ``python -m quipu_sim.episode OUT --seconds 20 --seed 1``.

The robot drives from goal to goal, round and round, until the time is up. A referee who
knows the true pose gives the reward; the robot itself knows only its sensors.

    reward = metres won towards the goals + 10 for each goal reached - 5 for each collision

The episode is a success when every goal was reached at least once and nothing was touched.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from quipu_sim import messages
from quipu_sim.course import Course, make_course
from quipu_sim.navigation import steer
from quipu_sim.recording import BagWriter, Offer, Topic
from quipu_sim.robot import TIME_STEP, Robot

CLOCK: Final = Topic("/clock", messages.CLOCK, Offer.SENSOR)
IMU: Final = Topic("/imu", messages.IMU, Offer.SENSOR)
JOINT_STATES: Final = Topic("/joint_states", messages.JOINT_STATES, Offer.RELIABLE)
ODOM: Final = Topic("/odom", messages.ODOMETRY, Offer.RELIABLE)
SCAN: Final = Topic("/scan", messages.SCAN, Offer.SENSOR)
TF: Final = Topic("/tf", messages.TRANSFORMS, Offer.RELIABLE)
TF_STATIC: Final = Topic("/tf_static", messages.TRANSFORMS, Offer.LATCHED)
TOPICS: Final = (CLOCK, IMU, JOINT_STATES, ODOM, SCAN, TF, TF_STATIC)

GOAL_REWARD: Final = 10.0
COLLISION_REWARD: Final = -5.0

ARRIVED: Final = 0.2  # m by odometry: the robot believes it is there
ACCEPTED: Final = 0.5  # m in truth: the referee agrees

# Physics steps between two samples: 250 Hz / 5 = 50 Hz, and so on.
_IMU_EVERY = 2  # 125 Hz
_STATE_EVERY = 5  # 50 Hz: clock, joints, odometry, tf, control
_SCAN_EVERY = 25  # 10 Hz

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class EpisodeSummary:
    """What happened, as the referee saw it. Metres, seconds, nanoseconds since 1970."""

    bag: Path
    seed: int
    start_ns: int
    seconds: float
    distance: float
    goals_reached: int
    collisions: int
    reward: float
    success: bool
    odometry_error: float
    messages: Mapping[str, int]


class Referee:
    """Keeps the score of one episode from the true pose."""

    def __init__(self, course: Course, robot: Robot) -> None:
        self._course = course
        self._robot = robot
        self._pose = robot.true_pose()
        self._touching = False
        self.goal = 0
        self.goals_reached = 0
        self.collisions = 0
        self.distance = 0.0
        self.reward = 0.0

    @property
    def target(self) -> tuple[float, float]:
        """The goal being driven to."""
        return self._course.goals[self.goal % len(self._course.goals)]

    @property
    def success(self) -> bool:
        """Whether every goal was reached, without a collision."""
        return self.goals_reached >= len(self._course.goals) and self.collisions == 0

    def observe(self) -> None:
        """Look once at the robot; called at a steady rate."""
        before, self._pose = self._pose, self._robot.true_pose()
        here = (self._pose.x, self._pose.y)
        self.distance += math.dist(here, (before.x, before.y))
        self.reward += math.dist((before.x, before.y), self.target) - math.dist(here, self.target)
        touching = self._robot.touches_obstacle()
        if touching and not self._touching:
            self.collisions += 1
            self.reward += COLLISION_REWARD
        self._touching = touching
        believed = self._robot.odometry().pose
        if math.dist((believed.x, believed.y), self.target) < ARRIVED:
            if math.dist(here, self.target) < ACCEPTED:
                self.goals_reached += 1
                self.reward += GOAL_REWARD
            self.goal += 1

    def odometry_error(self) -> float:
        """How far the believed position is from the true one, in metres."""
        believed = self._robot.odometry().pose
        return math.dist((believed.x, believed.y), (self._pose.x, self._pose.y))


def run_episode(
    bag: Path, *, seconds: float, seed: int, start_ns: int, progress: Progress | None = None
) -> EpisodeSummary:
    """Drive the course of ``seed`` for ``seconds`` and record it as the bag ``bag``.

    Message stamps are ``start_ns`` (ns since 1970) plus the simulated time, so the same
    arguments give the same bytes. ``progress`` is told the seconds done, ten times a second.

    Raises `FileExistsError` when ``bag`` exists and `ValueError` for no time at all.
    """
    steps = round(seconds / TIME_STEP)
    if steps < 1:
        raise ValueError(f"an episode of {seconds} s is shorter than a step of {TIME_STEP} s")
    course = make_course(seed)
    robot = Robot(course)
    referee = Referee(course, robot)
    with BagWriter(bag, TOPICS) as writer:
        still = messages.transforms(messages.fixed_transforms(start_ns))
        writer.write(TF_STATIC.name, start_ns, still)
        ranges = robot.scan()
        for step in range(steps):
            stamp_ns = start_ns + step * round(TIME_STEP * 1e9)
            if step % _IMU_EVERY == 0:
                writer.write(IMU.name, stamp_ns, messages.imu(stamp_ns, robot.imu()))
            if step % _SCAN_EVERY == 0:
                ranges = robot.scan()
                message = messages.scan(stamp_ns, ranges, _SCAN_EVERY * TIME_STEP)
                writer.write(SCAN.name, stamp_ns, message)
                if progress is not None:
                    progress(step * TIME_STEP)
            if step % _STATE_EVERY == 0:
                _record_state(writer, stamp_ns, robot)
                referee.observe()
                drive = steer(robot.odometry().pose, referee.target, ranges)
                robot.command(drive.linear, drive.angular)
            robot.step()
        summary = EpisodeSummary(
            bag=bag,
            seed=seed,
            start_ns=start_ns,
            seconds=steps * TIME_STEP,
            distance=referee.distance,
            goals_reached=referee.goals_reached,
            collisions=referee.collisions,
            reward=referee.reward,
            success=referee.success,
            odometry_error=referee.odometry_error(),
            messages=dict(writer.counts),
        )
        writer.custom_data.update(
            task="reach_goals",
            seed=str(seed),
            reward=f"{summary.reward:.3f}",
            success=str(summary.success).lower(),
        )
    return summary


def _record_state(writer: BagWriter, stamp_ns: int, robot: Robot) -> None:
    odometry = robot.odometry()
    writer.write(CLOCK.name, stamp_ns, messages.clock(stamp_ns))
    joints = messages.joint_states(stamp_ns, robot.wheels())
    writer.write(JOINT_STATES.name, stamp_ns, joints)
    writer.write(ODOM.name, stamp_ns, messages.odom(stamp_ns, odometry))
    moving = messages.transforms([messages.moving_transform(stamp_ns, odometry.pose)])
    writer.write(TF.name, stamp_ns, moving)


def main(arguments: list[str] | None = None) -> None:
    """The command: run one episode and print its summary as JSON."""
    parser = argparse.ArgumentParser(prog="python -m quipu_sim.episode", description=__doc__)
    parser.add_argument("out", type=Path, help="the bag directory to write; must not exist")
    parser.add_argument("--seconds", type=float, default=20.0, help="simulated seconds (20)")
    parser.add_argument("--seed", type=int, default=1, help="which course (1)")
    parser.add_argument("--start-ns", type=int, help="stamp of the start, ns since 1970 (now)")
    given = parser.parse_args(arguments)
    start_ns = time.time_ns() if given.start_ns is None else given.start_ns
    try:
        summary = run_episode(given.out, seconds=given.seconds, seed=given.seed, start_ns=start_ns)
    except FileExistsError:
        parser.error(f"{given.out} exists already; name a new directory")
    except ValueError as error:
        parser.error(str(error))
    print(json.dumps(dataclasses.asdict(summary), default=str, indent=2))


if __name__ == "__main__":
    main()
