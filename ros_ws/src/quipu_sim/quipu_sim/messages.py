"""A robot's samples as ROS messages, in the frames of REP 103 and REP 105.

``odom`` -> ``base_link`` moves; ``base_link`` -> ``imu_link`` and ``lidar_link`` stand still.
Where there are several robots, a ``prefix`` of every frame tells them apart ("r1/").
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from quipu_sim.pose import Pose
from quipu_sim.recording import TYPES
from quipu_sim.sensors import (
    BEAM_ANGLES,
    BEAMS,
    IMU_ACCELERATION_SIGMA,
    IMU_GYRO_SIGMA,
    RANGE_MAX,
    RANGE_MIN,
    Floats,
    ImuSample,
    Odometry,
    WheelSample,
)
from quipu_sim.world import BASE_HEIGHT, IMU_POSITION, LIDAR_POSITION

CLOCK: Final = "rosgraph_msgs/msg/Clock"
IMU: Final = "sensor_msgs/msg/Imu"
JOINT_STATES: Final = "sensor_msgs/msg/JointState"
ODOMETRY: Final = "nav_msgs/msg/Odometry"
SCAN: Final = "sensor_msgs/msg/LaserScan"
TRANSFORMS: Final = "tf2_msgs/msg/TFMessage"
TWIST: Final = "geometry_msgs/msg/Twist"
NUMBERS: Final = "std_msgs/msg/Float32MultiArray"
NUMBER: Final = "std_msgs/msg/Float32"
FLAG: Final = "std_msgs/msg/Bool"

WHEEL_JOINTS: Final = ("left_wheel_joint", "right_wheel_joint")


def _new(kind: str, **fields: Any) -> Any:
    """A message of ``kind``; its Python class exists only at run time."""
    return TYPES.types[kind](**fields)


def clock(stamp_ns: int) -> Any:
    """rosgraph_msgs/Clock."""
    return _new(CLOCK, clock=_time(stamp_ns))


def imu(stamp_ns: int, sample: ImuSample, prefix: str = "") -> Any:
    """sensor_msgs/Imu."""
    return _new(
        IMU,
        header=_header(stamp_ns, f"{prefix}imu_link"),
        orientation=_quaternion(*sample.orientation.tolist()),
        orientation_covariance=_diagonal(3, [1e-6] * 3),
        angular_velocity=_vector(*sample.angular_velocity.tolist()),
        angular_velocity_covariance=_diagonal(3, [IMU_GYRO_SIGMA**2] * 3),
        linear_acceleration=_vector(*sample.linear_acceleration.tolist()),
        linear_acceleration_covariance=_diagonal(3, [IMU_ACCELERATION_SIGMA**2] * 3),
    )


def joint_states(stamp_ns: int, sample: WheelSample) -> Any:
    """sensor_msgs/JointState of both wheels."""
    return _new(
        JOINT_STATES,
        header=_header(stamp_ns, ""),
        name=list(WHEEL_JOINTS),
        position=sample.positions,
        velocity=sample.velocities,
        effort=np.empty(0),
    )


def odom(stamp_ns: int, sample: Odometry, prefix: str = "") -> Any:
    """nav_msgs/Odometry."""
    # x, y, yaw are measured (variances below); z, roll and pitch are held fixed.
    pose_variance = [0.01, 0.01, 1e-6, 1e-6, 1e-6, 0.001]
    twist_variance = [0.001, 1e-6, 1e-6, 1e-6, 1e-6, 0.001]
    pose = sample.pose
    return _new(
        ODOMETRY,
        header=_header(stamp_ns, f"{prefix}odom"),
        child_frame_id=f"{prefix}base_link",
        pose=_new(
            "geometry_msgs/msg/PoseWithCovariance",
            pose=_new(
                "geometry_msgs/msg/Pose",
                position=_new("geometry_msgs/msg/Point", x=pose.x, y=pose.y, z=BASE_HEIGHT),
                orientation=_yaw(pose.yaw),
            ),
            covariance=_diagonal(6, pose_variance),
        ),
        twist=_new(
            "geometry_msgs/msg/TwistWithCovariance",
            twist=_new(
                "geometry_msgs/msg/Twist",
                linear=_vector(sample.linear, 0.0, 0.0),
                angular=_vector(0.0, 0.0, sample.angular),
            ),
            covariance=_diagonal(6, twist_variance),
        ),
    )


def scan(stamp_ns: int, ranges: Floats, period: float, prefix: str = "") -> Any:
    """sensor_msgs/LaserScan; all beams of a scan are taken at once."""
    return _new(
        SCAN,
        header=_header(stamp_ns, f"{prefix}lidar_link"),
        angle_min=float(BEAM_ANGLES[0]),
        angle_max=float(BEAM_ANGLES[-1]),
        angle_increment=2 * math.pi / BEAMS,
        time_increment=0.0,
        scan_time=period,
        range_min=RANGE_MIN,
        range_max=RANGE_MAX,
        ranges=ranges.astype(np.float32),
        intensities=np.empty(0, dtype=np.float32),
    )


def transforms(moving: Iterable[Any]) -> Any:
    """tf2_msgs/TFMessage."""
    return _new(TRANSFORMS, transforms=list(moving))


def moving_transform(stamp_ns: int, pose: Pose, prefix: str = "") -> Any:
    """The transform from ``odom`` to ``base_link``."""
    position = (pose.x, pose.y, BASE_HEIGHT)
    return _transform(stamp_ns, f"{prefix}odom", f"{prefix}base_link", position, pose.yaw)


def fixed_transforms(stamp_ns: int, prefix: str = "") -> list[Any]:
    """The transforms from ``base_link`` to both sensors."""
    sensors = (("imu_link", IMU_POSITION), ("lidar_link", LIDAR_POSITION))
    return [
        _transform(stamp_ns, f"{prefix}base_link", f"{prefix}{frame}", position, 0.0)
        for frame, position in sensors
    ]


def twist(linear: float, angular: float) -> Any:
    """geometry_msgs/Twist of a robot that drives in the plane."""
    return _new(TWIST, linear=_vector(linear, 0.0, 0.0), angular=_vector(0.0, 0.0, angular))


def numbers(label: str, values: Floats) -> Any:
    """std_msgs/Float32MultiArray of one dimension."""
    size = len(values)
    dimension = _new("std_msgs/msg/MultiArrayDimension", label=label, size=size, stride=size)
    layout = _new("std_msgs/msg/MultiArrayLayout", dim=[dimension], data_offset=0)
    return _new(NUMBERS, layout=layout, data=values.astype(np.float32))


def number(value: float) -> Any:
    """std_msgs/Float32."""
    return _new(NUMBER, data=value)


def flag(value: bool) -> Any:
    """std_msgs/Bool."""
    return _new(FLAG, data=value)


def _transform(
    stamp_ns: int, parent: str, child: str, position: tuple[float, float, float], yaw: float
) -> Any:
    return _new(
        "geometry_msgs/msg/TransformStamped",
        header=_header(stamp_ns, parent),
        child_frame_id=child,
        transform=_new(
            "geometry_msgs/msg/Transform", translation=_vector(*position), rotation=_yaw(yaw)
        ),
    )


def _header(stamp_ns: int, frame: str) -> Any:
    return _new("std_msgs/msg/Header", stamp=_time(stamp_ns), frame_id=frame)


def _time(stamp_ns: int) -> Any:
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    return _new("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)


def _vector(x: float, y: float, z: float) -> Any:
    return _new("geometry_msgs/msg/Vector3", x=x, y=y, z=z)


def _quaternion(x: float, y: float, z: float, w: float) -> Any:
    return _new("geometry_msgs/msg/Quaternion", x=x, y=y, z=z, w=w)


def _yaw(yaw: float) -> Any:
    return _quaternion(0.0, 0.0, math.sin(0.5 * yaw), math.cos(0.5 * yaw))


def _diagonal(size: int, variances: list[float]) -> Floats:
    return np.diag(np.array(variances[:size])).reshape(-1)
