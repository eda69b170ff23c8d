"""The bodies of all robots in one MuJoCo world: wheels to command, sensors to read.

What the sensors return is what real robots would know: wheel angles, an IMU with noise,
a scan with noise, and a pose integrated from wheels and heading. The true pose is there
for the referee, under its own name. There is a row for each robot, in the order in which they
were named; the same calls with the same seed give the same bits.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import mujoco
import numpy as np

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
_WHEEL_SPEEDS = slice(6, 8)
# A row of sensor values: quaternion (w, x, y, z), gyroscope, accelerometer.
_SENSORS = 10

# What a geom belongs to, besides robots 0, 1, ...
_FLOOR = -2
_STANDING = -1

# For a handful of robots plain floats are quicker than arrays of so few rows: where every
# tick passes, rows are taken out of MuJoCo's arrays as lists.
Row = list[float]

_IMU_SIGMAS = (IMU_GYRO_SIGMA,) * 3 + (IMU_ACCELERATION_SIGMA,) * 3

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
        self._odometry: list[Row] = [
            [pose.x, pose.y, pose.yaw, 0.0, 0.0] for pose in starts.values()
        ]
        self._rolled = [0.0] * count  # m, the mean of both rims so far
        self._lost = [False] * count
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
        half_length, half_width = 0.5 * self.arena.length, 0.5 * self.arena.width
        speeds = self._speeds[:, _WHEEL_SPEEDS].tolist()
        for robot, place in enumerate(self._positions.tolist()):
            x, y, _, w, i, j, k, left, right = place
            odometry = self._odometry[robot]
            rolled = 0.5 * WHEEL_RADIUS * (left + right)
            distance = rolled - self._rolled[robot]
            self._rolled[robot] = rolled
            # Distance from the wheels, heading from the IMU: wheels slip most in turns.
            yaw = math.atan2(2 * (w * k + i * j), 1 - 2 * (j * j + k * k))
            middle = odometry[2] + 0.5 * wrap_angle(yaw - odometry[2])
            left, right = speeds[robot]
            odometry[0] += distance * math.cos(middle)
            odometry[1] += distance * math.sin(middle)
            odometry[2] = yaw
            odometry[3] = 0.5 * WHEEL_RADIUS * (left + right)
            odometry[4] = WHEEL_RADIUS * (right - left) / TRACK
            standing = 1 - 2 * (i * i + j * j) > UPRIGHT
            self._lost[robot] = not (standing and abs(x) < half_length and abs(y) < half_width)

    def odometry(self) -> list[Row]:
        """What wheels and IMU say: x, y (m), yaw (rad), speed (m/s), turning (rad/s)."""
        return [row[:] for row in self._odometry]

    def wheel_angles(self) -> list[Row]:
        """Angles of the left and the right wheel, in radians."""
        angles: list[Row] = self._positions[:, _WHEELS].tolist()
        return angles

    def wheel_speeds(self) -> list[Row]:
        """Speeds of the left and the right wheel, in radians a second."""
        speeds: list[Row] = self._speeds[:, _WHEEL_SPEEDS].tolist()
        return speeds

    def imu(self) -> list[Row]:
        """Quaternion (x, y, z, w), rates (rad/s) and accelerations (m/s^2) with white noise."""
        noise = self._random.normal(0.0, _IMU_SIGMAS, (len(self.names), 6)).tolist()
        return [
            [i, j, k, w, p + dp, q + dq, r + dr, x + dx, y + dy, z + dz]
            for (w, i, j, k, p, q, r, x, y, z), (dp, dq, dr, dx, dy, dz) in zip(
                self._sensed.tolist(), noise, strict=True
            )
        ]

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

    def touching(self) -> set[int]:
        """Which robots touch a wall, an obstacle or another robot."""
        touching: set[int] = set()
        owner = self._owner
        for first, second in self._data.contact.geom.tolist():
            one, other = owner[first], owner[second]
            if one != other and one != _FLOOR and other != _FLOOR:
                touching.update((one, other))
        touching.discard(_STANDING)
        return touching

    def lost(self) -> set[int]:
        """Which robots cannot go on by themselves: fallen over, or not between the walls."""
        return {robot for robot, lost in enumerate(self._lost) if lost}

    def place(self, robot: int, pose: Pose) -> None:
        """Put one robot, at rest, where its odometry then begins; the others go on."""
        half = 0.5 * pose.yaw
        base = (pose.x, pose.y, BASE_HEIGHT, math.cos(half), 0.0, 0.0, math.sin(half))
        self._positions[robot] = (*base, 0.0, 0.0)
        self._speeds[robot] = 0.0
        self._warmstart[robot] = 0.0
        self._control[robot] = 0.0
        self._odometry[robot] = [pose.x, pose.y, wrap_angle(pose.yaw), 0.0, 0.0]
        self._rolled[robot] = 0.0
        self._lost[robot] = False

    def _owners(self) -> list[int]:
        """For each geom the robot it belongs to, or what else it is."""
        roots = self._model.body_rootid[self._model.geom_bodyid]
        owners = np.full(self._model.ngeom, _STANDING)
        for robot, base in enumerate(self._bases):
            owners[roots == base] = robot
        owners[self._model.geom("floor").id] = _FLOOR
        return [int(owner) for owner in owners]
