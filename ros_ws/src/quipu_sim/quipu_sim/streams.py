"""What the simulation sends: channels, and the messages on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quipu_sim import messages, wire
from quipu_sim.bodies import Bodies
from quipu_sim.contract import Contract, ContractError, ContractTopic
from quipu_sim.control import Driver, Step
from quipu_sim.navigation import Drive
from quipu_sim.pose import Pose
from quipu_sim.rhythm import CONTROL, Rhythm
from quipu_sim.sensors import Floats
from quipu_sim.task import ACTION_SIZE, OBSERVATION_SIZE

Send = Callable[[int, bytearray], None]
"""Takes the number of a channel and a message in CDR, which is overwritten afterwards."""

_TYPES = {
    "odom": messages.ODOMETRY,
    "imu": messages.IMU,
    "joint_states": messages.JOINT_STATES,
    "scan": messages.SCAN,
    "cmd_vel": messages.TWIST,
    "observation": messages.NUMBERS,
    "action": messages.NUMBERS,
    "reward": messages.NUMBER,
    "done": messages.FLAG,
    "/clock": messages.CLOCK,
    "/tf": messages.TRANSFORMS,
    "/tf_static": messages.TRANSFORMS,
}


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic of one ``robot``, or of the world (""), on which the simulation sends."""

    name: str
    topic: ContractTopic
    robot: str


class Channels:
    """The channels opened so far, numbered from 0."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self.opened: list[Channel] = []

    def open(self, name: str, robot: str = "") -> int:
        """The number of a new channel.

        Raises `ContractError` when the contract does not know it, or wants another type.
        """
        topic = self._contract[name]
        if topic.type != _TYPES[name]:
            raise ContractError(f"{name} is {_TYPES[name]} here, {topic.type} in the contract")
        self.opened.append(Channel(topic.full_name(robot), topic, robot))
        return len(self.opened) - 1


class WorldStreams:
    """What is said once for all robots: time and transforms."""

    def __init__(
        self, robots: Sequence[str], channels: Channels, rhythm: Rhythm, send: Send
    ) -> None:
        self._send = send
        self._prefixes = tuple(f"{robot}/" for robot in robots)
        self._clock_wire = wire.ClockWire()
        self._transforms_wire = wire.TransformsWire(self._prefixes)
        self._clock = channels.open("/clock")
        self._moving = channels.open("/tf")
        self._fixed = channels.open("/tf_static")
        self._clock_every = rhythm.every("/clock")
        self._moving_every = rhythm.every("/tf")

    def send_fixed(self) -> None:
        """What holds from the beginning to the end."""
        transforms = [
            transform
            for prefix in self._prefixes
            for transform in messages.fixed_transforms(0, prefix)
        ]
        message = messages.transforms(transforms)
        self._send(self._fixed, wire.serialize(messages.TRANSFORMS, message))

    def send(self, tick: int, stamp: wire.Stamp, poses: list[Pose]) -> None:
        """What is due at this tick; ``poses`` are those of the odometry."""
        if tick % self._clock_every == 0:
            self._send(self._clock, self._clock_wire.fill(stamp))
        if tick % self._moving_every == 0:
            self._send(self._moving, self._transforms_wire.fill(stamp, poses))


class BodyStreams:
    """What the sensors of one robot say at every tick at which they are due."""

    def __init__(self, robot: str, channels: Channels, rhythm: Rhythm, send: Send) -> None:
        self._send = send
        self._odom = (channels.open("odom", robot), rhythm.every("odom"))
        self._imu = (channels.open("imu", robot), rhythm.every("imu"))
        self._joints = (channels.open("joint_states", robot), rhythm.every("joint_states"))
        self._scan = channels.open("scan", robot)
        self._odom_wire = wire.OdometryWire(f"{robot}/")
        self._imu_wire = wire.ImuWire(f"{robot}/")
        self._joints_wire = wire.JointsWire()
        self._scan_wire = wire.ScanWire(f"{robot}/", rhythm.seconds(CONTROL))

    def send(
        self,
        tick: int,
        stamp: wire.Stamp,
        pose: Pose,
        speeds: Sequence[float],
        imu: list[float],
        wheels: tuple[list[float], list[float]],
    ) -> None:
        """Odometry (``pose``, ``speeds``), ``imu`` and ``wheels`` (angles, speeds)."""
        channel, every = self._odom
        if tick % every == 0:
            self._send(channel, self._odom_wire.fill(stamp, pose, *speeds))
        channel, every = self._imu
        if tick % every == 0:
            self._send(channel, self._imu_wire.fill(stamp, imu))
        channel, every = self._joints
        if tick % every == 0:
            self._send(channel, self._joints_wire.fill(stamp, *wheels))

    def send_scan(self, stamp: wire.Stamp, ranges: Floats) -> None:
        """A scan taken now."""
        self._send(self._scan, self._scan_wire.fill(stamp, ranges))


class StepStreams:
    """What one robot's driver and task say at every control cycle."""

    def __init__(
        self, robot: str, channels: Channels, send: Send, *, driver: Driver, task: bool
    ) -> None:
        self._send = send
        self._command: int | None = None
        if driver is Driver.GOAL:
            self._command = channels.open("cmd_vel", robot)
        if task:
            self._observation = channels.open("observation", robot)
            self._action = channels.open("action", robot)
            self._reward = channels.open("reward", robot)
            self._done = channels.open("done", robot)
        self._command_wire = wire.TwistWire()
        self._observation_wire = wire.NumbersWire("observation", OBSERVATION_SIZE)
        self._action_wire = wire.NumbersWire("action", ACTION_SIZE)
        self._reward_wire = wire.NumberWire()
        self._done_wire = wire.FlagWire()

    def send(self, command: Drive, step: Step | None) -> None:
        """The command in force, and the step of the attempt if one is going on."""
        if self._command is not None:
            self._send(self._command, self._command_wire.fill(command.linear, command.angular))
        if step is not None:
            action = np.array((step.action.linear, step.action.angular))
            self._send(self._observation, self._observation_wire.fill(step.observation))
            self._send(self._action, self._action_wire.fill(action))
            self._send(self._reward, self._reward_wire.fill(step.reward))
            self._send(self._done, self._done_wire.fill(step.done))


class Streams:
    """Everything that a simulation sends."""

    def __init__(
        self,
        robots: Sequence[str],
        contract: Contract,
        rhythm: Rhythm,
        send: Send,
        *,
        driver: Driver,
        task: bool,
    ) -> None:
        channels = Channels(contract)
        self._world = WorldStreams(robots, channels, rhythm, send)
        self._bodies = [BodyStreams(robot, channels, rhythm, send) for robot in robots]
        self._steps = [
            StepStreams(robot, channels, send, driver=driver, task=task) for robot in robots
        ]
        self._stamp = wire.split(0)
        self.channels: Sequence[Channel] = tuple(channels.opened)

    def send_fixed(self) -> None:
        """What is said once, at the beginning."""
        self._world.send_fixed()

    def send_bodies(self, tick: int, time_ns: int, bodies: Bodies) -> None:
        """Everything that is due at this tick; later calls go with its stamp."""
        stamp = self._stamp = wire.split(time_ns)
        odometry = bodies.odometry()
        poses = [Pose(x, y, yaw) for x, y, yaw, _, _ in odometry]
        imu, angles, speeds = bodies.imu(), bodies.wheel_angles(), bodies.wheel_speeds()
        self._world.send(tick, stamp, poses)
        for robot, streams in enumerate(self._bodies):
            wheels = (angles[robot], speeds[robot])
            streams.send(tick, stamp, poses[robot], odometry[robot][3:], imu[robot], wheels)

    def send_cycle(self, robot: int, ranges: Floats, command: Drive, step: Step | None) -> None:
        """A control cycle of one robot."""
        self._bodies[robot].send_scan(self._stamp, ranges)
        self._steps[robot].send(command, step)
