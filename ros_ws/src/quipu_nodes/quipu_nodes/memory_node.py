"""The memory node: it owns the robot's home, signs its log, and proves what is in it.

Configured, it has the home, serves other processes of its user over the home's control
socket, and answers for proofs; active, it signs the log at regular times and publishes
each checkpoint, gathers cosignatures, has it anchored on a chain, and makes room.

Services: ``~/prove_inclusion``, ``~/prove_consistency``; both only read. Nothing that
commits, signs or erases can be asked for over ROS.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticStatus
from quipu_interfaces.msg import Alarm, Checkpoint, Cosignature
from quipu_interfaces.srv import ProveConsistency, ProveInclusion

from ledger.errors import LedgerError, MalformedError, NotFoundError, RefusedError, StorageError
from ledger.follow import events as follow_events
from ledger.home import HomePaths, create_home
from ledger.memory.checkpointing import PeriodicCheckpoints, sign_if_grown
from ledger.memory.control_server import ControlServer
from ledger.memory.lasting import LastingCheckpoints
from ledger.memory.maintenance import PeriodicMaintenance
from ledger.memory.owner import MemoryOwner
from ledger.memory.status import CheckpointStored, MemoryEvent, OwnerState
from ledger.witnessing.collecting import Collector
from ledger.witnessing.gathering import Gatherer
from ledger.witnessing.periodic_gathering import PeriodicGathering
from ledger.witnessing.policy import Policy, PolicyVerdict
from ledger.witnessing.proof_source import join_hashes
from ledger.witnessing.transport import WitnessTransport
from quipu_nodes import messages
from quipu_nodes.following import Following
from quipu_nodes.inbox import Inbox
from quipu_nodes.managed_node import Facts, ManagedNode
from quipu_nodes.memory_access import MemoryAccess
from quipu_nodes.memory_diagnostics import memory_facts, memory_verdict
from quipu_nodes.memory_settings import AnchorSettings, MemorySettings
from quipu_nodes.parameters import MEMORY, ParameterError
from quipu_nodes.ros_witness import RosWitness

_LOG: Final = logging.getLogger(__name__)

ANSWER_S: Final = 3.0
"""How long a witness on another site may take."""

HURRY_S: Final = 3.0
"""How long commits wait for a home that is lent when the process is to end."""


@dataclass(slots=True)
class _Configured:
    """The home, and what answers from it."""

    settings: MemorySettings
    owner: MemoryOwner
    publisher: Any
    services: list[Any]


@dataclass(slots=True)
class _Active:
    """What runs; closed in the order of its making, the last first."""

    running: ExitStack = field(default_factory=ExitStack)
    maintenance: PeriodicMaintenance | None = None
    following: Following | None = None


class MemoryNode(ManagedNode):
    """Owns a home. ``access`` hands it to the other nodes of the process."""

    subject = "memory"

    def __init__(self, **node_kwargs: Any) -> None:
        super().__init__("memory", MEMORY, **node_kwargs)
        self.access: Final = MemoryAccess()
        self._configured: _Configured | None = None
        self._active: _Active | None = None
        self._verdict: PolicyVerdict | None = None

    def configure(self) -> None:
        """Open the home, and serve it."""
        settings = MemorySettings.of(self)
        if settings.create_home and not HomePaths(settings.home).exists:
            vkey = create_home(settings.home, settings.origin or None)
            self.get_logger().info(f"made {settings.home}; verifier key: {vkey.encode()}")
        owner = MemoryOwner.open(settings.home, wait_s=settings.open_timeout_s)
        try:
            origin = owner.status().origin
            if settings.origin not in ("", origin):
                raise ParameterError(f"parameter origin: the home is that of {origin}")
            ControlServer(owner)
            self._configured = _Configured(
                settings,
                owner,
                self.create_publisher(Checkpoint, messages.CHECKPOINTS, messages.CHECKPOINT_QOS),
                [
                    self.create_service(
                        ProveInclusion, "~/prove_inclusion", self._on_prove_inclusion
                    ),
                    self.create_service(
                        ProveConsistency, "~/prove_consistency", self._on_prove_consistency
                    ),
                ],
            )
        except BaseException:
            owner.close()
            raise
        self.access.give(owner)
        self.get_logger().info(f"owns {settings.home}, the home of {origin}")

    def activate(self) -> None:
        """Sign, publish, gather, make room."""
        configured = self._configured
        if configured is None:
            raise StorageError("the home is not open")
        settings, owner = configured.settings, configured.owner
        active = self._active = _Active()
        active.running.callback(owner.subscribe(self._on_event))
        note = LastingCheckpoints(owner).latest_checkpoint()
        if note is not None:
            self._publish(note)
        checkpoints = PeriodicCheckpoints(owner, settings.checkpoint_period_s)
        active.running.callback(checkpoints.close)
        if settings.policy is not None:
            self._gather(active, configured, settings.policy)
        if settings.follow:
            self._follow(active, configured)
        if settings.anchor is not None:
            self._anchor(active, owner, settings.anchor)
        if not settings.maintenance.does_nothing:
            active.maintenance = PeriodicMaintenance(
                owner, settings.maintenance, settings.maintenance_period_s
            )
            active.running.callback(active.maintenance.close)

    def deactivate(self) -> None:
        """End all that; what was committed since the last checkpoint is signed."""
        active, self._active = self._active, None
        if active is None:
            return
        configured = self._configured
        if configured is not None and configured.owner.status().state is OwnerState.OPEN:
            try:
                sign_if_grown(configured.owner)
            except LedgerError as error:
                self.get_logger().warning(f"no last checkpoint: {error}")
        active.running.close()

    def release(self) -> None:
        """Give the home back."""
        configured, self._configured = self._configured, None
        if configured is None:
            return
        self.access.give(None)
        for service in configured.services:
            self.destroy_service(service)
        configured.owner.close()
        self.destroy_publisher(configured.publisher)

    def hurry(self) -> None:
        """Wait no longer than a few seconds for a home that is lent."""
        if self._configured is not None:
            self._configured.owner.set_patience(HURRY_S)

    def diagnose(self) -> tuple[bytes, str, Facts]:
        """How the home is."""
        configured, active = self._configured, self._active
        if configured is None:
            return DiagnosticStatus.OK, "not configured", {"state": "unconfigured"}
        status = configured.owner.status()
        report = active.maintenance.report if active and active.maintenance else None
        facts = dict(memory_facts(status, self._verdict, report, active=active is not None))
        if active and active.following:
            facts["followed_sealed"] = active.following.sealed
            facts["alarms"] = active.following.alarms
        level, message = memory_verdict(status, self._verdict, report, active=active is not None)
        return level, message, facts

    def _gather(self, active: _Active, configured: _Configured, policy: Policy) -> None:
        """Take in the cosignatures that come, and ask those witnesses that want to be asked."""
        settings, owner = configured.settings, configured.owner
        store = LastingCheckpoints(owner)
        collector = Collector(owner.status().origin, store, policy.witness_keys)

        def receive(message: Cosignature) -> None:
            collector.offer(message.origin, message.size, bytes(message.lines))

        def work() -> float | None:
            for _ in collector.flush():
                pass
            return None

        inbox = Inbox(self, "quipu-cosignatures", work)
        inbox.subscribe(Cosignature, messages.COSIGNATURES, messages.HEARING_QOS, receive)
        inbox.start()
        active.running.callback(inbox.close)
        transports: dict[str, WitnessTransport] = {}
        for each in policy.witnesses:
            if each.url:
                # Not before it is needed: HTTP and TLS are slow to load.
                from ledger.witnessing.http_client import HttpWitness

                transports[each.name] = HttpWitness(each.url, ANSWER_S)
        for name, peer in settings.ask.items():
            asked = RosWitness(self, peer)
            active.running.callback(asked.close)
            transports[name] = asked
        if transports:
            gathering = PeriodicGathering(
                Gatherer(store, policy, transports), settings.checkpoint_period_s
            )
            active.running.callback(gathering.close)

    def _anchor(self, active: _Active, owner: MemoryOwner, settings: AnchorSettings) -> None:
        """Have a chain remember what is signed."""
        from quipu_nodes.anchoring import Anchoring  # what chains need is slow to load

        active.running.callback(Anchoring(self, owner, settings).close)

    def _follow(self, active: _Active, configured: _Configured) -> None:
        """Commit the bags of another recorder; what was altered is an alarm."""
        publisher = self.create_publisher(Alarm, messages.ALARMS, messages.ALARM_QOS)
        active.running.callback(self.destroy_publisher, publisher)
        origin = configured.owner.status().origin

        def accuse(alarm: follow_events.Alarm) -> None:
            publisher.publish(
                messages.prefix_alarm(
                    alarm, origin, self.get_fully_qualified_name(), self.time.now()
                )
            )

        active.following = Following(configured.owner, configured.settings.follow, accuse)
        active.running.callback(active.following.close)

    def _on_event(self, event: MemoryEvent) -> None:
        """Called by the thread that wrote."""
        if isinstance(event, CheckpointStored):
            self._publish(event.note)
        elif event.fault:
            self.get_logger().error(f"the home cannot be written: {event.fault}")
        else:
            self.get_logger().info(f"the home is {event.state.name.lower()}")

    def _publish(self, note: bytes) -> None:
        configured = self._configured
        if configured is None:
            return
        policy = configured.settings.policy
        try:
            self._verdict = policy.check(note) if policy else None
        except LedgerError as error:
            self._verdict = None
            _LOG.debug("the policy does not list this log: %s", error)
        configured.publisher.publish(
            messages.checkpoint_message(note, self.get_fully_qualified_name(), self.time.now())
        )

    def _on_prove_inclusion(self, request: Any, response: Any) -> Any:
        try:
            proof = self.access.owner.prove_inclusion(request.index, request.size)
            response.proof = proof
        except LedgerError as error:
            response.error_code = _code(error)
            response.error_msg = str(error)
        return response

    def _on_prove_consistency(self, request: Any, response: Any) -> Any:
        try:
            answer = self.access.owner.prove_consistency(request.old_size, request.new_size)
            response.new_size = answer.new_size
            response.proof = join_hashes(answer.proof)
            response.note = answer.note
        except LedgerError as error:
            response.error_code = _code(error)
            response.error_msg = str(error)
        return response


def _code(error: LedgerError) -> int:
    answer = ProveConsistency.Response
    match error:
        case NotFoundError() | MalformedError():
            return int(answer.NOT_FOUND)
        case RefusedError():
            return int(answer.REFUSED)
        case _:
            return int(answer.UNAVAILABLE)
