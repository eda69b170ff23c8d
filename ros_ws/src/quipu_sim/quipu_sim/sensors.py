"""What a robot's sensors are, and what they return."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quipu_sim.pose import Pose

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
