"""The bodies of all robots in one MuJoCo world: wheels to command, sensors to read.

What the sensors return is what real robots would know: wheel angles, an IMU with noise,
a scan with noise, and a pose integrated from wheels and heading. The true pose is there
for the referee, under its own name. Everything is in arrays with a row for each robot, in
the order in which they were named; the same calls with the same seed give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import mujoco
import numpy as np
from numpy.typing import NDArray

from quipu_sim.arena import Arena
from quipu_sim.pose import Pose, wrap_angle
from quipu_sim.sensors import (
    BEAM_ANGLES,
    BEAMS,
    IMU_ACCELERATION_SIGMA,
    IMU_GYRO_SIGMA,
    RANGE_MAX,
    RANGE_MIN,
    SCAN_SIGMA,
    Floats,
)
from quipu_sim.world import (
    BASE_HEIGHT,
    MAX_WHEEL_SPEED,
    SHELL_GROUP,
    TRACK,
    WHEEL_RADIUS,
    WORLD_GROUP,
    load_world,
)

UPRIGHT: Final = 0.8  # least cosine of a robot's tilt; beyond that it will not stand up again

# A row of positions: base (x, y, z, quaternion w, x, y, z), then both wheels.
_POSITIONS = 9
_WHEELS = slice(7, 9)
# A row of speeds: base (linear, angular), then both wheels.
_SPEEDS = 8
# A row of sensor values: quaternion (w, x, y, z), gyroscope, accelerometer.
_SENSORS = 10

# What a geom belongs to, besides robots 0, 1, ...
_FLOOR = -2
_STANDING = -1

_BEAMS: Final[Floats] = np.stack([np.cos(BEAM_ANGLES), np.sin(BEAM_ANGLES), np.zeros(BEAMS)])


class Bodies:
    """Robots in an arena; a step is ``time_step`` seconds."""

    def __init__(
        self, arena: Arena, starts: Mapping[str, Pose], *, seed: int, time_step: float
    ) -> None:
        self.arena = arena
        self.names = tuple(starts)
        self._model = load_world(arena, starts, time_step)
        self._data = mujoco.MjData(self._model)
        self._random = np.random.default_rng((seed, 0x51))
        count = len(self.names)
        # Views into the state that MuJoCo changes in place.
        self._positions: Floats = self._data.qpos.reshape(count, _POSITIONS)
        self._speeds: Floats = self._data.qvel.reshape(count, _SPEEDS)
        self._sensed: Floats = self._data.sensordata.reshape(count, _SENSORS)
        self._warmstart: Floats = self._data.qacc_warmstart.reshape(count, _SPEEDS)
        self._control: Floats = self._data.ctrl.reshape(count, 2)
        rows = [(pose.x, pose.y, pose.yaw, 0.0, 0.0) for pose in starts.values()]
        self._odometry: Floats = np.array(rows)
        self._wheels = self.wheel_angles()
        self._bases = [self._model.body(f"{name}/base_link").id for name in self.names]
        self._lidars = [self._model.site(f"{name}/lidar").id for name in self.names]
        self._owner = self._owners()
        self._seen = np.zeros(6, dtype=np.uint8)  # geom groups that lidars see
        self._seen[[WORLD_GROUP, SHELL_GROUP]] = 1
        self._struck = np.empty(BEAMS, dtype=np.int32)
        mujoco.mj_forward(self._model, self._data)

    @property
    def time(self) -> float:
        """Simulated seconds since the start."""
        return float(self._data.time)

    def command(self, robot: int, linear: float, angular: float) -> None:
        """Set the wanted speeds: ``linear`` m/s ahead, ``angular`` rad/s to the left."""
        # wheel speed = (v -+ w * track / 2) / r
        half = 0.5 * TRACK * angular
        left, right = (linear - half) / WHEEL_RADIUS, (linear + half) / WHEEL_RADIUS
        # Both wheels slow down together, so that the curve stays the one asked for.
        slower = min(1.0, MAX_WHEEL_SPEED / max(1e-9, abs(left), abs(right)))
        self._control[robot] = (left * slower, right * slower)

    def step(self, steps: int = 1) -> None:
        """Advance physics by so many steps, and the odometry once."""
        mujoco.mj_step(self._model, self._data, nstep=steps)
        wheels = self.wheel_angles()
        distance = 0.5 * WHEEL_RADIUS * (wheels - self._wheels).sum(axis=1)
        self._wheels = wheels
        # Distance from the wheels, heading from the IMU: wheels slip most in turns.
        odometry = self._odometry
        before, yaw = odometry[:, 2], self._headings()
        middle = before + 0.5 * ((yaw - before + math.pi) % (2 * math.pi) - math.pi)
        odometry[:, 0] += distance * np.cos(middle)
        odometry[:, 1] += distance * np.sin(middle)
        odometry[:, 2] = yaw
        rims = self._speeds[:, 6:8] * WHEEL_RADIUS
        odometry[:, 3] = 0.5 * (rims[:, 0] + rims[:, 1])
        odometry[:, 4] = (rims[:, 1] - rims[:, 0]) / TRACK

    def odometry(self) -> Floats:
        """What wheels and IMU say: x, y (m), yaw (rad), speed (m/s), turning (rad/s)."""
        return self._odometry.copy()

    def wheel_angles(self) -> Floats:
        """Angles of the left and the right wheel, in radians."""
        return self._positions[:, _WHEELS].copy()

    def wheel_speeds(self) -> Floats:
        """Speeds of the left and the right wheel, in radians a second."""
        return self._speeds[:, 6:8].copy()

    def imu(self) -> Floats:
        """Quaternion (x, y, z, w), rates (rad/s) and accelerations (m/s^2) with white noise."""
        sample = self._sensed[:, (1, 2, 3, 0, 4, 5, 6, 7, 8, 9)]
        rows = len(self.names)
        sample[:, 4:7] += self._random.normal(0.0, IMU_GYRO_SIGMA, (rows, 3))
        sample[:, 7:10] += self._random.normal(0.0, IMU_ACCELERATION_SIGMA, (rows, 3))
        return sample

    def scan(self, robot: int) -> Floats:
        """One turn of a lidar: `BEAMS` ranges in metres, infinite where nothing is seen."""
        lidar = self._lidars[robot]
        rotation = self._data.site_xmat[lidar].reshape(3, 3)
        ranges = np.empty(BEAMS)
        mujoco.mj_multiRay(
            self._model,
            self._data,
            self._data.site_xpos[lidar],
            np.ascontiguousarray((rotation @ _BEAMS).T).reshape(-1),
            self._seen,
            True,  # static geoms: walls and obstacles
            self._bases[robot],  # it looks out of its own shell
            self._struck,
            ranges,
            None,
            BEAMS,
            RANGE_MAX,
        )
        ranges += self._random.normal(0.0, SCAN_SIGMA, BEAMS) * (ranges >= 0)
        return np.where((ranges >= RANGE_MIN) & (ranges <= RANGE_MAX), ranges, np.inf)

    def true_pose(self, robot: int) -> Pose:
        """Where a robot really is, which only referee and localisation may look at."""
        x, y, _, w, i, j, k = self._positions[robot, :7].tolist()
        return Pose(x, y, math.atan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k)))

    def true_positions(self) -> list[tuple[float, float]]:
        """Where all robots really are."""
        return [(x, y) for x, y in self._positions[:, :2].tolist()]

    def touching(self) -> NDArray[np.bool_]:
        """Which robots touch a wall, an obstacle or another robot."""
        touched = np.zeros(len(self.names), dtype=np.bool_)
        pairs = self._owner[self._data.contact.geom]
        one, other = pairs[:, 0], pairs[:, 1]
        hit = pairs[(one != other) & (one != _FLOOR) & (other != _FLOOR)]
        touched[hit[hit >= 0]] = True
        return touched

    def lost(self) -> NDArray[np.bool_]:
        """Which robots cannot go on by themselves: fallen over, or not between the walls."""
        x, y, i, j = self._positions[:, (0, 1, 4, 5)].T
        standing = 1 - 2 * (i * i + j * j) > UPRIGHT
        inside = (np.abs(x) < 0.5 * self.arena.length) & (np.abs(y) < 0.5 * self.arena.width)
        lost: NDArray[np.bool_] = ~(standing & inside)
        return lost

    def place(self, robot: int, pose: Pose) -> None:
        """Put one robot, at rest, where its odometry then begins; the others go on."""
        half = 0.5 * pose.yaw
        base = (pose.x, pose.y, BASE_HEIGHT, math.cos(half), 0.0, 0.0, math.sin(half))
        self._positions[robot] = (*base, 0.0, 0.0)
        self._speeds[robot] = 0.0
        self._warmstart[robot] = 0.0
        self._control[robot] = 0.0
        self._wheels[robot] = 0.0
        self._odometry[robot] = (pose.x, pose.y, wrap_angle(pose.yaw), 0.0, 0.0)

    def _headings(self) -> Floats:
        w, i, j, k = self._positions[:, 3:7].T
        headings: Floats = np.arctan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k))
        return headings

    def _owners(self) -> NDArray[np.int64]:
        """For each geom the robot it belongs to, or what else it is."""
        roots = self._model.body_rootid[self._model.geom_bodyid]
        owners = np.full(self._model.ngeom, _STANDING, dtype=np.int64)
        for robot, base in enumerate(self._bases):
            owners[roots == base] = robot
        owners[self._model.geom("floor").id] = _FLOOR
        return owners
