"""Messages in CDR that are written once and overwritten in place from then on.

A simulator of eight robots sends some 1,700 messages for each simulated second, all alike but for
a few numbers. So each is serialised once, from a sample by `quipu_sim.messages`; where its
numbers lie is found by looking for those of the sample; and ``fill`` puts the new ones
there. A buffer that ``fill`` returned is good until the next ``fill``.
"""

from __future__ import annotations

import math
import struct
from typing import Any, Final

import numpy as np

from quipu_sim import messages
from quipu_sim.pose import Pose
from quipu_sim.recording import TYPES
from quipu_sim.sensors import BEAMS, Floats, ImuSample, Odometry, WheelSample
from quipu_sim.world import BASE_HEIGHT

Stamp = tuple[int, int]
"""Seconds and nanoseconds."""

# Values that stand nowhere else in a message.
_SAMPLE_NS: Final = 1_234_567_891_987_654_321
_SAMPLE_POSE: Final = Pose(1.0625, 2.125, 0.53125)

_STAMP = struct.Struct("<iI")
_POSE = struct.Struct("<7d")  # position x y z, orientation x y z w
_TWIST = struct.Struct("<6d")  # linear x y z, angular x y z
_TWO = struct.Struct("<2d")
_THREE = struct.Struct("<3d")
_FOUR = struct.Struct("<4d")
_FLOAT = struct.Struct("<f")

_BODY = 4  # bytes of encapsulation before a message's first member


def split(stamp_ns: int) -> Stamp:
    """A stamp as messages hold it."""
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    return seconds, nanoseconds


def serialize(kind: str, message: Any) -> bytearray:
    """The CDR of a message, its encapsulation before it."""
    return bytearray(TYPES.serialize_cdr(message, kind))


def find(data: bytearray, layout: struct.Struct, *values: float) -> int:
    """Where ``values`` lie in ``data``.

    Raises `ValueError` when they lie nowhere, or in several places.
    """
    pattern = layout.pack(*values)
    at = data.find(pattern)
    if at < 0 or data.find(pattern, at + 1) >= 0:
        raise ValueError(f"{values} must be in the sample once")
    return at


def _sample(size: int) -> Floats:
    return np.arange(size, dtype=np.float64) + 0.125


def _planar(pose: Pose) -> tuple[float, ...]:
    half = 0.5 * pose.yaw
    return (pose.x, pose.y, BASE_HEIGHT, 0.0, 0.0, math.sin(half), math.cos(half))


class OdometryWire:
    """nav_msgs/Odometry."""

    def __init__(self, prefix: str) -> None:
        sample = messages.odom(_SAMPLE_NS, Odometry(_SAMPLE_POSE, 3.25, 4.5), prefix)
        self._data = serialize(messages.ODOMETRY, sample)
        self._stamp = find(self._data, _STAMP, *split(_SAMPLE_NS))
        self._pose = find(self._data, _POSE, *_planar(_SAMPLE_POSE))
        self._twist = find(self._data, _TWIST, 3.25, 0.0, 0.0, 0.0, 0.0, 4.5)

    def fill(self, stamp: Stamp, pose: Pose, linear: float, angular: float) -> bytearray:
        """A pose in ``odom`` and the speeds, m/s and rad/s."""
        data = self._data
        _STAMP.pack_into(data, self._stamp, *stamp)
        _POSE.pack_into(data, self._pose, *_planar(pose))
        _TWIST.pack_into(data, self._twist, linear, 0.0, 0.0, 0.0, 0.0, angular)
        return data


class ImuWire:
    """sensor_msgs/Imu."""

    def __init__(self, prefix: str) -> None:
        values = _sample(10)
        sample = ImuSample(values[:4], values[4:7], values[7:])
        self._data = serialize(messages.IMU, messages.imu(_SAMPLE_NS, sample, prefix))
        self._stamp = find(self._data, _STAMP, *split(_SAMPLE_NS))
        self._orientation = find(self._data, _FOUR, *values[:4])
        self._rates = find(self._data, _THREE, *values[4:7])
        self._accelerations = find(self._data, _THREE, *values[7:])

    def fill(self, stamp: Stamp, sample: list[float]) -> bytearray:
        """Quaternion (x, y, z, w), rates (rad/s) and accelerations (m/s^2), ten numbers."""
        data = self._data
        _STAMP.pack_into(data, self._stamp, *stamp)
        _FOUR.pack_into(data, self._orientation, *sample[:4])
        _THREE.pack_into(data, self._rates, *sample[4:7])
        _THREE.pack_into(data, self._accelerations, *sample[7:])
        return data


class JointsWire:
    """sensor_msgs/JointState of both wheels."""

    def __init__(self) -> None:
        values = _sample(4)
        sample = messages.joint_states(_SAMPLE_NS, WheelSample(values[:2], values[2:]))
        self._data = serialize(messages.JOINT_STATES, sample)
        self._stamp = find(self._data, _STAMP, *split(_SAMPLE_NS))
        self._angles = find(self._data, _TWO, *values[:2])
        self._speeds = find(self._data, _TWO, *values[2:])

    def fill(self, stamp: Stamp, angles: list[float], speeds: list[float]) -> bytearray:
        """Angles (rad) and speeds (rad/s), left and right."""
        data = self._data
        _STAMP.pack_into(data, self._stamp, *stamp)
        _TWO.pack_into(data, self._angles, *angles)
        _TWO.pack_into(data, self._speeds, *speeds)
        return data


class ScanWire:
    """sensor_msgs/LaserScan; ``period`` is the time between two scans in seconds."""

    def __init__(self, prefix: str, period: float) -> None:
        ranges = _sample(BEAMS)
        sample = messages.scan(_SAMPLE_NS, ranges, period, prefix)
        self._data = serialize(messages.SCAN, sample)
        self._stamp = find(self._data, _STAMP, *split(_SAMPLE_NS))
        begin = find(self._data, struct.Struct(f"<{BEAMS}f"), *ranges)
        self._ranges = slice(begin, begin + 4 * BEAMS)

    def fill(self, stamp: Stamp, ranges: Floats) -> bytearray:
        """`BEAMS` ranges in metres."""
        _STAMP.pack_into(self._data, self._stamp, *stamp)
        self._data[self._ranges] = ranges.astype("<f4").tobytes()
        return self._data


class TransformsWire:
    """tf2_msgs/TFMessage from ``odom`` to ``base_link``, one transform a prefix."""

    def __init__(self, prefixes: tuple[str, ...]) -> None:
        stamps = [_SAMPLE_NS + number for number in range(len(prefixes))]
        poses = [Pose(1.0 + number, 0.0, 0.0) for number in range(len(prefixes))]
        sample = messages.transforms(map(messages.moving_transform, stamps, poses, prefixes))
        self._data = serialize(messages.TRANSFORMS, sample)
        self._stamps = [find(self._data, _STAMP, *split(stamp)) for stamp in stamps]
        self._poses = [find(self._data, _POSE, *_planar(pose)) for pose in poses]

    def fill(self, stamp: Stamp, poses: list[Pose]) -> bytearray:
        """A pose for each prefix."""
        data = self._data
        for stamp_at, pose_at, pose in zip(self._stamps, self._poses, poses, strict=True):
            _STAMP.pack_into(data, stamp_at, *stamp)
            _POSE.pack_into(data, pose_at, *_planar(pose))
        return data


class ClockWire:
    """rosgraph_msgs/Clock."""

    def __init__(self) -> None:
        self._data = serialize(messages.CLOCK, messages.clock(_SAMPLE_NS))

    def fill(self, stamp: Stamp) -> bytearray:
        """The simulated time."""
        _STAMP.pack_into(self._data, _BODY, *stamp)
        return self._data


class TwistWire:
    """geometry_msgs/Twist of a robot that drives in the plane."""

    def __init__(self) -> None:
        self._data = serialize(messages.TWIST, messages.twist(0.0, 0.0))

    def fill(self, linear: float, angular: float) -> bytearray:
        """A speed in m/s and a turning in rad/s."""
        _TWIST.pack_into(self._data, _BODY, linear, 0.0, 0.0, 0.0, 0.0, angular)
        return self._data


class NumbersWire:
    """std_msgs/Float32MultiArray of ``size`` numbers in one dimension called ``label``."""

    def __init__(self, label: str, size: int) -> None:
        values = _sample(size)
        self._data = serialize(messages.NUMBERS, messages.numbers(label, values))
        begin = find(self._data, struct.Struct(f"<{size}f"), *values)
        self._values = slice(begin, begin + 4 * size)

    def fill(self, values: Floats) -> bytearray:
        """The numbers."""
        self._data[self._values] = values.astype("<f4").tobytes()
        return self._data


class NumberWire:
    """std_msgs/Float32."""

    def __init__(self) -> None:
        self._data = serialize(messages.NUMBER, messages.number(0.0))

    def fill(self, value: float) -> bytearray:
        """The number."""
        _FLOAT.pack_into(self._data, _BODY, value)
        return self._data


class FlagWire:
    """std_msgs/Bool."""

    def __init__(self) -> None:
        self._data = serialize(messages.FLAG, messages.flag(False))

    def fill(self, value: bool) -> bytearray:
        """The flag."""
        self._data[_BODY] = value
        return self._data
