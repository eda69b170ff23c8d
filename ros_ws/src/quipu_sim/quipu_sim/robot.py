"""One robot alone on its course."""

from __future__ import annotations

from typing import Final

import numpy as np

from quipu_sim.bodies import Bodies
from quipu_sim.course import Course
from quipu_sim.pose import Pose
from quipu_sim.sensors import Floats, ImuSample, Odometry, WheelSample

TIME_STEP: Final = 0.004  # s, of the physics

_NAME = "robot"
_ONLY = 0


class Robot:
    """The robot of one course, in MuJoCo; a step is `TIME_STEP` seconds."""

    def __init__(self, course: Course) -> None:
        starts = {_NAME: Pose(*course.start)}
        self._bodies = Bodies(course.arena, starts, seed=course.seed, time_step=TIME_STEP)

    @property
    def time(self) -> float:
        """Simulated seconds since the start."""
        return self._bodies.time

    def command(self, linear: float, angular: float) -> None:
        """Set the wanted speeds: ``linear`` m/s ahead, ``angular`` rad/s to the left."""
        self._bodies.command(_ONLY, linear, angular)

    def step(self) -> None:
        """Advance physics and odometry by one step."""
        self._bodies.step()

    def odometry(self) -> Odometry:
        """What wheels and IMU say about pose and speed."""
        x, y, yaw, linear, angular = self._bodies.odometry()[_ONLY]
        return Odometry(Pose(x, y, yaw), linear, angular)

    def wheels(self) -> WheelSample:
        """The wheel encoders."""
        return WheelSample(
            np.array(self._bodies.wheel_angles()[_ONLY]),
            np.array(self._bodies.wheel_speeds()[_ONLY]),
        )

    def imu(self) -> ImuSample:
        """The inertial unit, with white noise on rates and accelerations."""
        sample = np.array(self._bodies.imu()[_ONLY])
        return ImuSample(sample[:4], sample[4:7], sample[7:])

    def scan(self) -> Floats:
        """One turn of the lidar: a range a beam in metres, infinite where nothing is seen."""
        return self._bodies.scan(_ONLY)

    def true_pose(self) -> Pose:
        """Where the robot really is, which only the referee may look at."""
        return self._bodies.true_pose(_ONLY)

    def touches_obstacle(self) -> bool:
        """Whether any part of the robot is in contact with a wall or an obstacle."""
        return bool(self._bodies.touching())
