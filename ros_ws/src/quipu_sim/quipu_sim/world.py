"""An arena and the robots in it as a MuJoCo model, in MJCF of our own.

A robot is a box on two driven wheels and two frictionless casters, with an IMU in its
middle and a lidar on top. Its wheels are lens-shaped, so that each touches the ground in
one point and the track is what it is said to be. Around the lidar stands a shell that
nothing collides with: it is what other lidars see of the robot. Every name in the model
begins with that of its robot.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

import mujoco

from quipu_sim.arena import Arena, Obstacle, Shape
from quipu_sim.pose import Pose

WHEEL_RADIUS: Final = 0.08  # m
TRACK: Final = 0.32  # m, between the wheels' middles
MAX_WHEEL_SPEED: Final = 14.0  # rad/s

IMU_POSITION: Final = (0.0, 0.0, 0.05)  # m, in base_link
LIDAR_POSITION: Final = (0.08, 0.0, 0.16)  # m, in base_link
BASE_HEIGHT: Final = WHEEL_RADIUS  # m, of base_link above the ground

WORLD_GROUP: Final = 0
ROBOT_GROUP: Final = 1
SHELL_GROUP: Final = 2

# The casters hang a little above the ground, so that the wheels carry the robot. Without
# their priority the floor's friction would be theirs too: the greater of the two counts.
_CASTER_GAP = 0.002

_WALL_HEIGHT = 0.6
_OBSTACLE_HEIGHT = 0.5

_MJCF = """
<mujoco model="quipu_sim">
  <option timestep="{time_step}" integrator="implicitfast"
          cone="elliptic" impratio="10"/>
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
      <geom type="sphere" size="0.03" mass="0.1" condim="1" priority="1" group="{robot_group}"/>
    </default>
    <default class="shell">
      <geom type="cylinder" size="0.13 0.1" mass="0" contype="0" conaffinity="0"
            group="{shell_group}"/>
    </default>
    <velocity kv="2" forcerange="-0.8 0.8" ctrlrange="-{max_wheel_speed} {max_wheel_speed}"/>
  </default>
  <worldbody>
    <geom name="floor" type="plane" size="{half_length} {half_width} 0.1"/>
    {walls}
    {obstacles}{robots}
  </worldbody>
  <actuator>{actuators}
  </actuator>
  <sensor>{sensors}
  </sensor>
</mujoco>
"""

_ROBOT = """
    <body name="{name}/base_link" pos="{x} {y} {base_height}" euler="0 0 {yaw}">
      <freejoint name="{name}/base"/>
      <geom class="robot" type="box" size="0.18 0.13 0.05" pos="0 0 0.05" mass="6"/>
      <geom class="robot" type="cylinder" size="0.04 0.03" pos="0.08 0 0.13" mass="0.2"/>
      <geom class="shell" pos="0 0 0.16"/>
      <geom class="caster" pos="0.14 0 {caster_z}"/>
      <geom class="caster" pos="-0.14 0 {caster_z}"/>
      <site name="{name}/imu" pos="{imu}"/>
      <site name="{name}/lidar" pos="{lidar}"/>
      <body pos="0 {half_track} 0" childclass="wheel">
        <joint name="{name}/left_wheel_joint"/>
        <geom/>
      </body>
      <body pos="0 -{half_track} 0" childclass="wheel">
        <joint name="{name}/right_wheel_joint"/>
        <geom/>
      </body>
    </body>"""

_ACTUATORS = """
    <velocity joint="{name}/left_wheel_joint"/>
    <velocity joint="{name}/right_wheel_joint"/>"""

_SENSORS = """
    <framequat objtype="site" objname="{name}/imu"/>
    <gyro site="{name}/imu"/>
    <accelerometer site="{name}/imu"/>"""


def world_mjcf(arena: Arena, starts: Mapping[str, Pose], time_step: float) -> str:
    """The MJCF text of the ``arena`` with a robot of each name at its start.

    ``time_step`` is in seconds, at most 0.01: the contacts are stiffer than that allows
    beyond.
    """
    return _MJCF.format(
        time_step=time_step,
        world_group=WORLD_GROUP,
        robot_group=ROBOT_GROUP,
        shell_group=SHELL_GROUP,
        wheel_radius=WHEEL_RADIUS,
        max_wheel_speed=MAX_WHEEL_SPEED,
        half_length=0.5 * arena.length,
        half_width=0.5 * arena.width,
        walls=_walls(arena),
        obstacles="\n    ".join(_obstacle(obstacle) for obstacle in arena.obstacles),
        robots="".join(_robot(name, pose) for name, pose in starts.items()),
        actuators="".join(_ACTUATORS.format(name=name) for name in starts),
        sensors="".join(_SENSORS.format(name=name) for name in starts),
    )


def load_world(arena: Arena, starts: Mapping[str, Pose], time_step: float) -> mujoco.MjModel:
    """Compile that model."""
    return mujoco.MjModel.from_xml_string(world_mjcf(arena, starts, time_step))


def _robot(name: str, pose: Pose) -> str:
    return _ROBOT.format(
        name=name,
        x=pose.x,
        y=pose.y,
        yaw=math.degrees(pose.yaw),
        base_height=BASE_HEIGHT,
        caster_z=0.03 - BASE_HEIGHT + _CASTER_GAP,
        imu=_numbers(IMU_POSITION),
        lidar=_numbers(LIDAR_POSITION),
        half_track=0.5 * TRACK,
    )


def _walls(arena: Arena) -> str:
    half_length, half_width = 0.5 * arena.length, 0.5 * arena.width
    half_height = 0.5 * _WALL_HEIGHT
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
