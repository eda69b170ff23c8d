"""The robot's body: wheels to command, sensors to read, and the odometry of its wheels.

What the sensors return is what a real robot would know: wheel angles, an IMU with noise,
a scan with noise, and a pose integrated from wheels and heading. The true pose is there for
the referee, under its own name.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from quipu_sim.course import Course
from quipu_sim.world import (
    MAX_WHEEL_SPEED,
    ROBOT_GROUP,
    TRACK,
    WHEEL_RADIUS,
    WORLD_GROUP,
    load_course,
)

Floats = NDArray[np.float64]

BEAMS: Final = 360
RANGE_MIN: Final = 0.12  # m
RANGE_MAX: Final = 8.0  # m

IMU_GYRO_SIGMA: Final = 0.002  # rad/s
IMU_ACCELERATION_SIGMA: Final = 0.03  # m/s^2
SCAN_SIGMA: Final = 0.008  # m

# Beam k looks at angle -pi + k * (2 pi / BEAMS), counter-clockwise, 0 straight ahead.
BEAM_ANGLES: Final[Floats] = np.arange(BEAMS, dtype=np.float64) * (2 * math.pi / BEAMS) - math.pi


@dataclass(frozen=True, slots=True)
class Pose:
    """Metres and radians in the ``odom`` frame."""

    x: float
    y: float
    yaw: float


@dataclass(frozen=True, slots=True)
class Odometry:
    """The pose integrated from wheels and heading, and the speeds it moves at (m/s, rad/s)."""

    pose: Pose
    linear: float
    angular: float


@dataclass(frozen=True, slots=True)
class ImuSample:
    """Orientation quaternion (x, y, z, w), rotation rate (rad/s), acceleration (m/s^2)."""

    orientation: Floats
    angular_velocity: Floats
    linear_acceleration: Floats


@dataclass(frozen=True, slots=True)
class WheelSample:
    """Angles (rad) and speeds (rad/s) of the left and the right wheel."""

    positions: Floats
    velocities: Floats


class Robot:
    """The robot of one course, in MuJoCo; a step is `world.TIME_STEP` seconds."""

    def __init__(self, course: Course) -> None:
        self._model = load_course(course)
        self._data = mujoco.MjData(self._model)
        self._random = np.random.default_rng((course.seed, 0x51))
        self._odom = Pose(*course.start)
        joints = [self._model.joint(name) for name in ("left_wheel_joint", "right_wheel_joint")]
        self._angle_at = np.array([joint.qposadr[0] for joint in joints])
        self._speed_at = np.array([joint.dofadr[0] for joint in joints])
        self._wheels = self._wheel_angles()
        self._seen = np.zeros(6, dtype=np.uint8)  # geom groups that the lidar sees
        self._seen[WORLD_GROUP] = 1
        groups = self._model.geom_group
        self._solid = groups == WORLD_GROUP
        self._solid[self._model.geom("floor").id] = False
        self._own = groups == ROBOT_GROUP
        mujoco.mj_forward(self._model, self._data)

    @property
    def time(self) -> float:
        """Simulated seconds since the start."""
        return float(self._data.time)

    def command(self, linear: float, angular: float) -> None:
        """Set the wanted speeds: ``linear`` m/s ahead, ``angular`` rad/s to the left."""
        # wheel speed = (v -+ w * track / 2) / r
        half = 0.5 * TRACK * angular
        speeds = np.array([linear - half, linear + half]) / WHEEL_RADIUS
        # Both wheels slow down together, so that the curve stays the one asked for.
        self._data.ctrl[:] = speeds * min(1.0, MAX_WHEEL_SPEED / max(1e-9, np.abs(speeds).max()))

    def step(self) -> None:
        """Advance physics and odometry by one step."""
        mujoco.mj_step(self._model, self._data)
        wheels = self._wheel_angles()
        distance = 0.5 * WHEEL_RADIUS * float((wheels - self._wheels).sum())
        self._wheels = wheels
        # Distance from the wheels, heading from the IMU: wheels slip most in turns.
        yaw = self._heading()
        middle = self._odom.yaw + 0.5 * wrap_angle(yaw - self._odom.yaw)
        self._odom = Pose(
            self._odom.x + distance * math.cos(middle),
            self._odom.y + distance * math.sin(middle),
            yaw,
        )

    def odometry(self) -> Odometry:
        """What wheels and IMU say about pose and speed."""
        left, right = (self.wheels().velocities * WHEEL_RADIUS).tolist()
        return Odometry(self._odom, 0.5 * (left + right), (right - left) / TRACK)

    def wheels(self) -> WheelSample:
        """The wheel encoders."""
        return WheelSample(self._wheel_angles(), self._data.qvel[self._speed_at])

    def imu(self) -> ImuSample:
        """The inertial unit, with white noise on rates and accelerations."""
        w, x, y, z = self._data.sensor("orientation").data
        gyro = self._data.sensor("gyro").data
        acceleration = self._data.sensor("accelerometer").data
        return ImuSample(
            np.array([x, y, z, w]),
            gyro + self._random.normal(0.0, IMU_GYRO_SIGMA, 3),
            acceleration + self._random.normal(0.0, IMU_ACCELERATION_SIGMA, 3),
        )

    def scan(self) -> Floats:
        """One turn of the lidar: `BEAMS` ranges in metres, infinite where nothing is seen."""
        lidar = self._data.site("lidar")
        rotation = lidar.xmat.reshape(3, 3)
        beams = np.stack([np.cos(BEAM_ANGLES), np.sin(BEAM_ANGLES), np.zeros(BEAMS)], axis=1)
        directions = np.ascontiguousarray(beams @ rotation.T)
        ranges = np.empty(BEAMS)
        mujoco.mj_multiRay(
            self._model,
            self._data,
            lidar.xpos,
            directions.reshape(-1),
            self._seen,
            True,  # static geoms: walls and obstacles are all of the world
            -1,  # no body is left out; the groups do that
            np.empty(BEAMS, dtype=np.int32),
            ranges,
            None,
            BEAMS,
            RANGE_MAX,
        )
        ranges += self._random.normal(0.0, SCAN_SIGMA, BEAMS) * (ranges >= 0)
        return np.where((ranges >= RANGE_MIN) & (ranges <= RANGE_MAX), ranges, np.inf)

    def true_pose(self) -> Pose:
        """Where the robot really is, which only the referee may look at."""
        base = self._data.body("base_link")
        rotation = base.xmat
        x, y = base.xpos[:2]
        return Pose(float(x), float(y), math.atan2(rotation[3], rotation[0]))

    def touches_obstacle(self) -> bool:
        """Whether any part of the robot is in contact with a wall or an obstacle."""
        pairs = self._data.contact.geom
        return bool((self._solid[pairs].any(axis=1) & self._own[pairs].any(axis=1)).any())

    def _heading(self) -> float:
        w, x, y, z = self._data.sensor("orientation").data.tolist()
        return math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z))

    def _wheel_angles(self) -> Floats:
        angles: Floats = self._data.qpos[self._angle_at]
        return angles


def wrap_angle(angle: float) -> float:
    """The same angle in [-pi, pi)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi
