"""The course and a differential-drive robot as a MuJoCo model, in MJCF of our own.

The robot is a box on two driven wheels and two frictionless casters, with an IMU in its
middle and a lidar on top. Its wheels are lens-shaped, so that each touches the ground in
one point and the track is what it is said to be. Geoms of the world are in group 0, those
of the robot in group 1, so that the lidar can look past its own carrier.
"""

from __future__ import annotations

import math

import mujoco

from quipu_sim.course import ARENA_LENGTH, ARENA_WIDTH, Course, Obstacle, Shape

WHEEL_RADIUS = 0.08  # m
TRACK = 0.32  # m, between the wheels' middles
MAX_WHEEL_SPEED = 14.0  # rad/s
TIME_STEP = 0.004  # s, of the physics

IMU_POSITION = (0.0, 0.0, 0.05)  # m, in base_link
LIDAR_POSITION = (0.08, 0.0, 0.16)  # m, in base_link
BASE_HEIGHT = WHEEL_RADIUS  # m, of base_link above the ground

WORLD_GROUP = 0
ROBOT_GROUP = 1

# The casters hang a little above the ground, so that the wheels carry the robot.
_CASTER_GAP = 0.002

_WALL_HEIGHT = 0.6
_OBSTACLE_HEIGHT = 0.5

_MJCF = """
<mujoco model="quipu_sim">
  <option timestep="{time_step}" integrator="implicitfast"
          cone="elliptic" impratio="10" noslip_iterations="4"/>
  <default>
    <geom group="{world_group}" friction="0.9 0.01 0.001"/>
    <default class="robot">
      <geom group="{robot_group}"/>
    </default>
    <default class="wheel">
      <joint type="hinge" axis="0 1 0" armature="0.005" damping="0.02"/>
      <geom type="ellipsoid" size="{wheel_radius} 0.02 {wheel_radius}" mass="0.4"
            group="{robot_group}" friction="1.2 0.01 0.001"/>
    </default>
    <default class="caster">
      <geom type="sphere" size="0.03" mass="0.1" condim="1" group="{robot_group}"/>
    </default>
  </default>
  <worldbody>
    <geom name="floor" type="plane" size="{half_length} {half_width} 0.1"/>
    {walls}
    {obstacles}
    <body name="base_link" pos="{start_x} {start_y} {base_height}" euler="0 0 {start_yaw}">
      <freejoint name="base"/>
      <geom name="chassis" class="robot" type="box" size="0.18 0.13 0.05" pos="0 0 0.05" mass="6"/>
      <geom name="mast" class="robot" type="cylinder" size="0.04 0.03" pos="0.08 0 0.13"
            mass="0.2"/>
      <geom class="caster" pos="0.14 0 {caster_z}"/>
      <geom class="caster" pos="-0.14 0 {caster_z}"/>
      <site name="imu" pos="{imu}"/>
      <site name="lidar" pos="{lidar}"/>
      <body name="left_wheel" pos="0 {half_track} 0" childclass="wheel">
        <joint name="left_wheel_joint"/>
        <geom/>
      </body>
      <body name="right_wheel" pos="0 -{half_track} 0" childclass="wheel">
        <joint name="right_wheel_joint"/>
        <geom/>
      </body>
    </body>
  </worldbody>
  <actuator>
    <velocity name="left" joint="left_wheel_joint" kv="2" forcerange="-0.8 0.8"
              ctrlrange="-{max_wheel_speed} {max_wheel_speed}"/>
    <velocity name="right" joint="right_wheel_joint" kv="2" forcerange="-0.8 0.8"
              ctrlrange="-{max_wheel_speed} {max_wheel_speed}"/>
  </actuator>
  <sensor>
    <framequat name="orientation" objtype="site" objname="imu"/>
    <gyro name="gyro" site="imu"/>
    <accelerometer name="accelerometer" site="imu"/>
  </sensor>
</mujoco>
"""


def course_mjcf(course: Course) -> str:
    """The MJCF text of the robot at the start of ``course``."""
    start_x, start_y, start_yaw = course.start
    return _MJCF.format(
        time_step=TIME_STEP,
        world_group=WORLD_GROUP,
        robot_group=ROBOT_GROUP,
        wheel_radius=WHEEL_RADIUS,
        half_length=0.5 * ARENA_LENGTH,
        half_width=0.5 * ARENA_WIDTH,
        walls=_walls(),
        obstacles="\n    ".join(_obstacle(obstacle) for obstacle in course.obstacles),
        start_x=start_x,
        start_y=start_y,
        start_yaw=math.degrees(start_yaw),
        base_height=BASE_HEIGHT,
        caster_z=0.03 - BASE_HEIGHT + _CASTER_GAP,
        imu=_numbers(IMU_POSITION),
        lidar=_numbers(LIDAR_POSITION),
        half_track=0.5 * TRACK,
        max_wheel_speed=MAX_WHEEL_SPEED,
    )


def load_course(course: Course) -> mujoco.MjModel:
    """Compile the model of ``course``."""
    return mujoco.MjModel.from_xml_string(course_mjcf(course))


def _walls() -> str:
    half_length, half_width, half_height = 0.5 * ARENA_LENGTH, 0.5 * ARENA_WIDTH, 0.5 * _WALL_HEIGHT
    sides = (
        ((half_length, 0.0), (0.05, half_width)),
        ((-half_length, 0.0), (0.05, half_width)),
        ((0.0, half_width), (half_length, 0.05)),
        ((0.0, -half_width), (half_length, 0.05)),
    )
    return "\n    ".join(
        f'<geom type="box" pos="{_numbers((*position, half_height))}"'
        f' size="{_numbers((*size, half_height))}"/>'
        for position, size in sides
    )


def _obstacle(obstacle: Obstacle) -> str:
    half_height = 0.5 * _OBSTACLE_HEIGHT
    size: tuple[float, ...]
    if obstacle.shape is Shape.BOX:
        side = obstacle.radius / math.sqrt(2)
        size = (side, side, half_height)
    else:
        size = (obstacle.radius, half_height)
    return (
        f'<geom type="{obstacle.shape.value}" size="{_numbers(size)}"'
        f' pos="{_numbers((obstacle.x, obstacle.y, half_height))}"'
        f' euler="0 0 {math.degrees(obstacle.yaw)}"/>'
    )


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(repr(value) for value in values)
