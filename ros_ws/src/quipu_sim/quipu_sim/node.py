"""The simulator as a ROS node: ``python -m quipu_sim.node --ros-args -p robots:="['r1', 'r2']"``.

Moves all robots in one world, and publishes what their sensors say by the topic contract.
Ends on SIGINT, SIGTERM or after ``duration_s``, and prints a summary as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

# Serialised messages are handed to a thread of the middleware instead of sent by ours.
os.environ.setdefault("RMW_FASTRTPS_PUBLICATION_MODE", "ASYNCHRONOUS")
os.environ.setdefault(
    "FASTRTPS_DEFAULT_PROFILES_FILE", str(Path(__file__).with_name("fast_dds.xml"))
)

import rclpy
from ament_index_python.packages import PackageNotFoundError, get_package_share_directory
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from quipu_sim.bursts import PERIOD, Bursts
from quipu_sim.contract import CHECKED_OUT, Contract, read_contract
from quipu_sim.control import Driver
from quipu_sim.health import Health
from quipu_sim.navigation import Drive
from quipu_sim.pacing import Pacer
from quipu_sim.parameters import Parameters, declare
from quipu_sim.publishing import Publishers, message_type, profile
from quipu_sim.recorder_client import RecorderClient
from quipu_sim.recording_gate import RecordingGate
from quipu_sim.simulation import Simulation

NAME: Final = "simulator"

_FLUSH_TIME = 10.0  # s to let subscribers have the last messages, where none may be lost
_PACED_FLUSH_TIME = 1.0  # s for the same, where they may
_CLOSE_TIME = 10.0  # s to let recorders commit the last episodes
_LOOK_AGAIN = 0.02  # s between two looks at something that is awaited
_REMIND = 5.0  # s between two lines about it


class Simulator:
    """The simulation between its publishers and its subscriptions."""

    def __init__(self, node: Any, parameters: Parameters, contract: Contract) -> None:
        self._node = node
        self._log = node.get_logger()
        self._parameters = parameters
        self._stopping = threading.Event()
        self._gate = self._recording_gate() if parameters.episodes else None
        self._simulation = Simulation(parameters.setting, contract, self._send, self._gate)
        self._publishers = Publishers(
            node,
            self._simulation.channels,
            paced=parameters.paced,
            clock_limit=parameters.clock_limit_hz,
            stopping=self._stopping.is_set,
        )
        self._bursts = None
        if not parameters.paced:
            self._bursts = Bursts(self._simulation.channels, self._publishers.send)
        if parameters.setting.driver is Driver.NONE:
            self._subscribe(contract)
        self._health = Health(node, self._simulation, self._publishers, self._gate)

    def stop(self) -> None:
        """End `run` at the next tick."""
        self._stopping.set()

    def run(self) -> dict[str, Any]:
        """Simulate until stopped, or until the duration is over; the summary."""
        parameters, simulation = self._parameters, self._simulation
        simulation.begin()
        self._release()
        self._wait_for_readers()
        self._health.start()
        pacer = Pacer(simulation.period_ns / 1e9) if parameters.paced else None
        burst_ns = round(PERIOD * 1e9)
        end_ns = round(parameters.duration_s * 1e9)
        while not self._stopping.is_set():
            if pacer is None:
                self._hold()
            simulation.tick()
            if pacer is not None:
                pacer.wait()
            elif simulation.time_ns % burst_ns < simulation.period_ns:
                self._release()
            self._health.look()
            if 0 < end_ns <= simulation.time_ns:
                break
        self._release()
        summary = self._health.summary()
        self._close()
        return {**summary, **self._health.episodes()}

    def _hold(self) -> None:
        """Let no time pass in the world while a recorder is waited for.

        Else who meets whom, and so what is recorded, would depend on how fast recorders are.
        """
        if self._gate is None or not self._gate.waits():
            return
        self._release()
        while self._gate.waits() and not self._stopping.is_set():
            self._health.look()
            time.sleep(_LOOK_AGAIN)

    def _send(self, channel: int, data: bytearray) -> None:
        if self._bursts is None:
            self._publishers.send(channel, data)
        else:
            self._bursts.send(channel, data)

    def _release(self) -> None:
        if self._bursts is not None:
            self._bursts.release()

    def _recording_gate(self) -> RecordingGate:
        setting = self._parameters.setting
        tags = ("simulator=mujoco", f"seed={setting.seed}")
        attempts = self._parameters.attempts
        clients = {
            robot: RecorderClient(self._node, robot, tags, self._heard(robot), attempts)
            for robot in setting.robots
        }
        # Names must be new in each robot's log, whatever has been simulated before.
        prefix = time.strftime("goal-%Y%m%dT%H%M%SZ", time.gmtime())
        return RecordingGate(clients, prefix, self._log.warning, attempts=attempts)

    def _heard(self, robot: str) -> Callable[[], bool]:
        return lambda: self._publishers.heard(robot)

    def _subscribe(self, contract: Contract) -> None:
        topic = contract["cmd_vel"]
        for number, robot in enumerate(self._parameters.setting.robots):
            self._node.create_subscription(
                message_type(topic.type),
                topic.full_name(robot),
                lambda message, number=number: self._hear(number, message),
                profile(topic.quality),
            )

    def _hear(self, robot: int, message: Any) -> None:
        try:
            self._simulation.hear(robot, Drive(message.linear.x, message.angular.z))
        except ValueError as error:
            self._log.warning(f"cmd_vel: {error}", throttle_duration_sec=_REMIND)

    def _wait_for_readers(self) -> None:
        wanted = self._parameters.wait_for_readers
        reminded = time.monotonic()
        while not self._stopping.is_set():
            missing = self._publishers.missing_readers(wanted)
            absent = self._gate.absent() if wanted and self._gate else []
            if not missing and not absent:
                return
            if time.monotonic() - reminded > _REMIND:
                reminded = time.monotonic()
                if missing:
                    self._log.info(f"waiting for {wanted} subscribers to {', '.join(missing)}")
                if absent:
                    self._log.info(f"waiting for the recorders of {', '.join(absent)}")
            time.sleep(_LOOK_AGAIN)

    def _close(self) -> None:
        """Let recorders commit, and everybody have what was sent."""
        if self._gate is not None:
            self._gate.close()
            end = time.monotonic() + _CLOSE_TIME
            while not self._gate.settled() and time.monotonic() < end:
                time.sleep(_LOOK_AGAIN)
        if not self._publishers.flush(_PACED_FLUSH_TIME if self._parameters.paced else _FLUSH_TIME):
            self._log.warning("a subscriber did not take the last messages")


def find_contract(given: Path | None) -> Contract:
    """The contract named, or that of the checkout, or of the installed launch package.

    Raises `ContractError` when there is none to read.
    """
    if given is None and not CHECKED_OUT.is_file():
        try:
            share = Path(get_package_share_directory("quipu_bringup"))
        except PackageNotFoundError:
            pass
        else:
            given = share / "config" / "topics.yaml"
    return read_contract(given)


def main(arguments: list[str] | None = None) -> None:
    """Run the node until it is told to end."""
    rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    node = rclpy.create_node(NAME)
    try:
        parameters = declare(node)
        simulator = Simulator(node, parameters, find_contract(parameters.contract))
    except (ValueError, ImportError, ParameterException, NameValidationException) as error:
        node.get_logger().fatal(" ".join(str(error).split()))
        rclpy.shutdown()
        raise SystemExit(2) from None
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: simulator.stop())
    executor = SingleThreadedExecutor()
    executor.add_node(node)
    spinning = threading.Thread(target=_spin, args=(executor,), name="executor", daemon=True)
    spinning.start()
    try:
        summary = simulator.run()
    finally:
        executor.shutdown()
        spinning.join(_CLOSE_TIME)
        rclpy.try_shutdown()
    sys.stdout.write(json.dumps(summary, indent=2) + "\n")


def _spin(executor: Any) -> None:
    try:
        executor.spin()
    except ExternalShutdownException:
        return


if __name__ == "__main__":
    main()
