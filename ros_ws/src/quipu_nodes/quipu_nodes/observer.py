"""Looks at a fleet over ROS, for `quipu watch`: diagnostics, checkpoints, alarms.

Found by the entry point group ``quipu.observers``. It only listens; what it hears is
translated by `ledger.fleet.diagnostics`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from quipu_interfaces.msg import Alarm, ChainHead, Checkpoint
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions

from ledger.chain.light.signed_header import verify_signed_header
from ledger.chain.light.trust_file import read_trust
from ledger.errors import LedgerError
from ledger.fleet.board import AlarmSeen, ChainSeen, Observation, Sight
from ledger.fleet.diagnostics import (
    facts_of_checkpoint,
    facts_of_status,
    read_policy,
    reporter_of,
    robot_of,
)
from ledger.fleet.model import Fleet, SettlementKind

_DEPTH = 200
_LIVE = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=_DEPTH)
_LATCHED = QoSProfile(
    history=HistoryPolicy.KEEP_LAST,
    depth=_DEPTH,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_ALARM_KINDS = {Alarm.FORK: "fork", Alarm.PREFIX_CHANGED: "changed prefix"}


class RosObserver:
    """An observer of the robots' topics; see `ledger.fleet.board.Observer`."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._lock = threading.Lock()
        self._seen: list[Sight] = []
        if fleet.discovery is not None:
            # Read by ROS when a context is made; as far as the robots look, so do we.
            os.environ["ROS_AUTOMATIC_DISCOVERY_RANGE"] = fleet.discovery.value.upper()
        domains = {
            fleet.domain_id if robot.domain_id is None else robot.domain_id
            for robot in fleet.robots
        }
        self._ears = [_Ear(domain, self) for domain in sorted(domains, key=lambda d: d or 0)]

    def look(self) -> Iterable[Sight]:
        """What was heard since the last time."""
        with self._lock:
            seen, self._seen = self._seen, []
        return seen

    def close(self) -> None:
        """Leave every domain."""
        for ear in self._ears:
            ear.close()

    def on_diagnostics(self, message: DiagnosticArray) -> None:
        """Note the statuses of our robots."""
        now_ns = time.time_ns()
        for status in message.status:
            whose = robot_of(self._fleet, status.name)
            if whose is not None:
                robot, subject = whose
                values = {each.key: each.value for each in status.values}
                self._note(
                    Observation(robot.name, now_ns, facts_of_status(subject, values, now_ns))
                )

    def on_checkpoint(self, message: Checkpoint) -> None:
        """Note a checkpoint of one of our robots, if the policy verifies it."""
        robot = next((r for r in self._fleet.robots if r.origin == message.origin), None)
        policy = read_policy(self._fleet)
        if robot is None or policy is None:
            return
        time_ns = message.stamp.sec * 1_000_000_000 + message.stamp.nanosec
        facts = facts_of_checkpoint(bytes(message.note), time_ns, policy)
        if facts is not None:
            self._note(Observation(robot.name, time.time_ns(), facts))

    def on_alarm(self, message: Alarm) -> None:
        """Note an alarm, whoever raised it."""
        kind = _ALARM_KINDS.get(message.kind, f"alarm {message.kind}")
        reporter = reporter_of(self._fleet, read_policy(self._fleet), message.reporter)
        self._note(AlarmSeen(kind, message.origin, reporter, message.detail, time.time_ns()))

    def on_head(self, message: ChainHead) -> None:
        """Note where the fleet's chain stands, where nobody on this machine can tell, and its
        operator's keys verify it."""
        if self._fleet.settlement.kind is not SettlementKind.ROS:
            return
        try:
            trust = read_trust(self._fleet.settlement.trust)
            header = verify_signed_header(bytes(message.signed_header), trust).header
        except LedgerError:
            return
        self._note(
            ChainSeen(
                time.time_ns(),
                trust.origin,
                trust.chain.hex(),
                header.height,
                header.time_ns,
                served=True,
            )
        )

    def _note(self, seen: Sight) -> None:
        with self._lock:
            self._seen.append(seen)


class _Ear:
    """One participant in one domain, heard on a thread of its own."""

    def __init__(self, domain: int | None, observer: RosObserver) -> None:
        self._context = rclpy.Context()
        rclpy.init(
            context=self._context,
            domain_id=domain,
            args=[],
            signal_handler_options=SignalHandlerOptions.NO,
        )
        self._node = Node(
            f"quipu_watch_{os.getpid()}",
            context=self._context,
            enable_rosout=False,
            start_parameter_services=False,
        )
        heard: tuple[tuple[Any, str, Callable[[Any], None], QoSProfile], ...] = (
            (DiagnosticArray, "/diagnostics", observer.on_diagnostics, _LIVE),
            (Checkpoint, "/quipu/checkpoints", observer.on_checkpoint, _LATCHED),
            (Alarm, "/quipu/alarms", observer.on_alarm, _LATCHED),
            (ChainHead, "/quipu/chain/head", observer.on_head, _LATCHED),
        )
        for kind, topic, callback, qos in heard:
            self._node.create_subscription(kind, topic, callback, qos)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Leave the domain."""
        self._executor.shutdown()
        self._thread.join(timeout=5.0)
        self._node.destroy_node()
        self._context.try_shutdown()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return
