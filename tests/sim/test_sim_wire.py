"""What is overwritten in place is what serialising a new message would have given."""

from __future__ import annotations

from struct import Struct
from typing import Any

import numpy as np
import pytest
from quipu_sim import messages, wire
from quipu_sim.pose import Pose
from quipu_sim.recording import TYPES
from quipu_sim.sensors import BEAMS, ImuSample, Odometry, WheelSample

NS = 1_700_000_000_123_456_789
STAMP = wire.split(NS)
# Every length of a name moves what follows by another number of bytes.
PREFIXES = ["", "a/", "ab/", "r10/", "robot/", "longer/", "longest/", "site/robot/"]
POSE = Pose(-1.5, 2.75, -2.9)


def same(kind: str, data: bytearray, message: Any) -> None:
    assert bytes(data) == bytes(wire.serialize(kind, message))
    TYPES.deserialize_cdr(bytes(data), kind)


def test_a_stamp_is_split() -> None:
    assert STAMP == (1_700_000_000, 123_456_789)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_odometry(prefix: str) -> None:
    filler = wire.OdometryWire(prefix)
    filler.fill(wire.split(5), Pose(9, 9, 9), 9.0, 9.0)
    data = filler.fill(STAMP, POSE, 0.25, -0.5)
    same(messages.ODOMETRY, data, messages.odom(NS, Odometry(POSE, 0.25, -0.5), prefix))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_imu(prefix: str) -> None:
    values = np.linspace(-1, 1, 10)
    data = wire.ImuWire(prefix).fill(STAMP, values.tolist())
    sample = ImuSample(values[:4], values[4:7], values[7:])
    same(messages.IMU, data, messages.imu(NS, sample, prefix))


def test_joint_states() -> None:
    data = wire.JointsWire().fill(STAMP, [1.0, 2.0], [3.0, 4.0])
    sample = WheelSample(np.array([1.0, 2.0]), np.array([3.0, 4.0]))
    same(messages.JOINT_STATES, data, messages.joint_states(NS, sample))


@pytest.mark.parametrize("prefix", PREFIXES)
def test_scan(prefix: str) -> None:
    ranges = np.linspace(0.12, 8.0, BEAMS)
    ranges[7] = np.inf
    data = wire.ScanWire(prefix, 0.1).fill(STAMP, ranges)
    same(messages.SCAN, data, messages.scan(NS, ranges, 0.1, prefix))


def test_transforms_of_names_of_different_lengths() -> None:
    poses = [Pose(number, -number, 0.1 * number) for number in range(len(PREFIXES))]
    data = wire.TransformsWire(tuple(PREFIXES)).fill(STAMP, poses)
    moving = [
        messages.moving_transform(NS, pose, prefix)
        for pose, prefix in zip(poses, PREFIXES, strict=True)
    ]
    same(messages.TRANSFORMS, data, messages.transforms(moving))


def test_small_messages() -> None:
    same(messages.CLOCK, wire.ClockWire().fill(STAMP), messages.clock(NS))
    same(messages.TWIST, wire.TwistWire().fill(0.5, -1.0), messages.twist(0.5, -1.0))
    same(messages.NUMBER, wire.NumberWire().fill(-2.5), messages.number(-2.5))
    for value in (True, False):
        same(messages.FLAG, wire.FlagWire().fill(value), messages.flag(value))


@pytest.mark.parametrize("size", [1, 2, 29])
def test_numbers(size: int) -> None:
    values = np.linspace(-3, 3, size)
    data = wire.NumbersWire("action", size).fill(values)
    same(messages.NUMBERS, data, messages.numbers("action", values))


@pytest.mark.parametrize("data", [b"", b"abcd", bytes(16)])
def test_a_sample_must_show_where_its_values_are(data: bytes) -> None:
    with pytest.raises(ValueError, match="in the sample once"):
        wire.find(bytearray(data), Struct("<d"), 0.0)
