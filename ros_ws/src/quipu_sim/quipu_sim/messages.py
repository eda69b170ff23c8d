"""The robot's samples as ROS messages, in the frames of REP 103 and REP 105.

``odom`` -> ``base_link`` moves; ``base_link`` -> ``imu_link`` and ``lidar_link`` stand still.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from quipu_sim.recording import TYPES, Offer, Topic
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

CLOCK = Topic("/clock", "rosgraph_msgs/msg/Clock", Offer.SENSOR)
IMU = Topic("/imu", "sensor_msgs/msg/Imu", Offer.SENSOR)
JOINT_STATES = Topic("/joint_states", "sensor_msgs/msg/JointState", Offer.RELIABLE)
ODOM = Topic("/odom", "nav_msgs/msg/Odometry", Offer.RELIABLE)
SCAN = Topic("/scan", "sensor_msgs/msg/LaserScan", Offer.SENSOR)
TF = Topic("/tf", "tf2_msgs/msg/TFMessage", Offer.RELIABLE)
TF_STATIC = Topic("/tf_static", "tf2_msgs/msg/TFMessage", Offer.LATCHED)

TOPICS = (CLOCK, IMU, JOINT_STATES, ODOM, SCAN, TF, TF_STATIC)


def _new(kind: str, **fields: Any) -> Any:
    """A message of ``kind``; its Python class exists only at run time."""
    return TYPES.types[kind](**fields)


def clock(stamp_ns: int) -> Any:
    """rosgraph_msgs/Clock."""
    return _new(CLOCK.type, clock=_time(stamp_ns))


def imu(stamp_ns: int, sample: ImuSample) -> Any:
    """sensor_msgs/Imu."""
    return _new(
        IMU.type,
        header=_header(stamp_ns, "imu_link"),
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
        JOINT_STATES.type,
        header=_header(stamp_ns, ""),
        name=["left_wheel_joint", "right_wheel_joint"],
        position=sample.positions,
        velocity=sample.velocities,
        effort=np.empty(0),
    )


def odom(stamp_ns: int, sample: Odometry) -> Any:
    """nav_msgs/Odometry."""
    # x, y, yaw are measured (variances below); z, roll and pitch are held fixed.
    pose_variance = [0.01, 0.01, 1e-6, 1e-6, 1e-6, 0.001]
    twist_variance = [0.001, 1e-6, 1e-6, 1e-6, 1e-6, 0.001]
    pose = sample.pose
    return _new(
        ODOM.type,
        header=_header(stamp_ns, "odom"),
        child_frame_id="base_link",
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


def scan(stamp_ns: int, ranges: Floats, period: float) -> Any:
    """sensor_msgs/LaserScan; all beams of a scan are taken at once."""
    return _new(
        SCAN.type,
        header=_header(stamp_ns, "lidar_link"),
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


def tf(stamp_ns: int, sample: Odometry) -> Any:
    """tf2_msgs/TFMessage from ``odom`` to ``base_link``."""
    position = (sample.pose.x, sample.pose.y, BASE_HEIGHT)
    moving = _transform(stamp_ns, "odom", "base_link", position, sample.pose.yaw)
    return _new(TF.type, transforms=[moving])


def tf_static(stamp_ns: int) -> Any:
    """tf2_msgs/TFMessage from ``base_link`` to both sensors."""
    sensors = (("imu_link", IMU_POSITION), ("lidar_link", LIDAR_POSITION))
    return _new(
        TF_STATIC.type,
        transforms=[
            _transform(stamp_ns, "base_link", frame, position, 0.0) for frame, position in sensors
        ],
    )


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
