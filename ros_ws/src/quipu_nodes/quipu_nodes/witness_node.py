"""The witness node: it follows the other robots' logs and cosigns what only grew.

Each checkpoint on /quipu/checkpoints is compared with what was recorded of its log; the
robot that published it is asked for the proof. What holds is cosigned, and the
signature published; a log that signed two histories is accused, with the evidence.

Service: ``~/add_checkpoint``, C2SP tlog-witness for those who want to ask.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from diagnostic_msgs.msg import DiagnosticStatus
from quipu_interfaces.msg import Alarm, Checkpoint, Cosignature
from quipu_interfaces.srv import AddCheckpoint

from ledger.errors import LedgerError, StorageError
from ledger.home import HomePaths, open_home
from ledger.note import CosignatureSigner
from ledger.storage import Storage
from ledger.witness import WitnessState
from ledger.witnessing.evidence import verify_evidence
from ledger.witnessing.follower import Cosigned, Follower, Forked, Outcome, Refused, Unchanged
from ledger.witnessing.policy import Policy
from ledger.witnessing.service import WitnessService
from ledger.witnessing.standalone import WitnessFolder
from ledger.witnessing.watching import Watch
from ledger.witnessing.witness_key import WitnessKey
from quipu_nodes import messages, parameters
from quipu_nodes.inbox import Inbox
from quipu_nodes.managed_node import Facts, ManagedNode
from quipu_nodes.memory_access import MemoryAccess, MemoryStorage
from quipu_nodes.memory_settings import read_policy
from quipu_nodes.parameters import WITNESS, ParameterError
from quipu_nodes.ros_witness import Peers

_NO_POLICY: Final = "no policy: nobody is witnessed"


@dataclass(slots=True)
class _Counts:
    """What happened since the node became active."""

    cosigned: int = 0
    refused: int = 0
    forks: set[str] = field(default_factory=set)
    last_refusal: str = ""


@dataclass(slots=True)
class _Active:
    """What runs; closed in the order of its making, the last first."""

    follower: Follower
    watch: Watch
    running: ExitStack = field(default_factory=ExitStack)
    counts: _Counts = field(default_factory=_Counts)


class WitnessNode(ManagedNode):
    """Witnesses the logs of a policy. ``access`` leads to the memory of this process, if any."""

    subject = "witness"

    def __init__(self, access: MemoryAccess | None = None, **node_kwargs: Any) -> None:
        super().__init__("witness", WITNESS, **node_kwargs)
        self._access = access
        self._follower: Follower | None = None
        self._opened = ExitStack()
        self._active: _Active | None = None
        self._speakers: dict[str, Any] = {}

    def configure(self) -> None:
        """Read the policy, and open key and store."""
        policy = read_policy(self)
        if policy is None:
            self.get_logger().warning(_NO_POLICY)
            return
        storage, signer, own = self._identity(policy)
        self._follower = Follower(policy, WitnessState(storage), signer, except_origins=own)
        kinds = (
            (Cosignature, messages.COSIGNATURES, messages.COSIGNATURE_QOS),
            (Alarm, messages.ALARMS, messages.ALARM_QOS),
        )
        for kind, topic, qos in kinds:
            publisher = self.create_publisher(kind, topic, qos)
            self._opened.callback(self.destroy_publisher, publisher)
            self._speakers[topic] = publisher
        self.get_logger().info(f"witness key: {signer.verifier_key.encode()}")
        if policy.witness_keys and signer.verifier_key not in policy.witness_keys:
            self.get_logger().warning("the policy does not list this witness's key")

    def activate(self) -> None:
        """Follow."""
        follower = self._follower
        if follower is None:
            return
        peers = Peers(self)
        watch = Watch(follower, peers.source_at)
        active = self._active = _Active(follower, watch)
        active.running.callback(peers.close)
        service = WitnessService(follower, lambda fork: self._accuse(active, fork))
        for origin, claim in follower.forks.all():
            active.counts.forks.add(origin)
            self._publish_alarm(messages.fork_alarm(claim, self._name, self.time.now()))

        def on_checkpoint(message: Checkpoint) -> None:
            watch.offer(bytes(message.note), message.node)

        def on_alarm(message: Alarm) -> None:
            if message.reporter != self._name:
                self._judge(active, message)

        def on_add_checkpoint(request: Any, response: Any) -> Any:
            answer = service.add_checkpoint(bytes(request.body))
            response.status, response.body = int(answer.status), answer.body
            return response

        def work() -> float | None:
            self._tell(active, watch.work())
            return watch.wait_s()

        inbox = Inbox(self, "quipu-witness", work)
        inbox.subscribe(Checkpoint, messages.CHECKPOINTS, messages.HEARING_QOS, on_checkpoint)
        inbox.subscribe(Alarm, messages.ALARMS, messages.HEARING_QOS, on_alarm)
        inbox.serve(AddCheckpoint, "~/add_checkpoint", on_add_checkpoint)
        inbox.start()
        active.running.callback(inbox.close)

    def deactivate(self) -> None:
        """End following."""
        active, self._active = self._active, None
        if active is not None:
            active.running.close()

    def release(self) -> None:
        """Close the store."""
        self._follower = None
        self._speakers = {}
        self._opened.close()

    def diagnose(self) -> tuple[bytes, str, Facts]:
        """What was cosigned, and who was caught."""
        active = self._active
        if active is None:
            said = "not active" if self._follower else _NO_POLICY
            return DiagnosticStatus.OK, said, {"state": "inactive"}
        counts, watch = active.counts, active.watch
        facts: dict[str, object] = {
            "state": "active",
            "logs": len([o for o in active.follower.policy.origins if active.follower.keys_of(o)]),
            "cosigned": counts.cosigned,
            "waiting": watch.waiting,
            "refused": counts.refused,
            "last_refusal": counts.last_refusal,
            "alarms": len(counts.forks),
            "forked": ",".join(sorted(counts.forks)),
            "fault": watch.failure,
        }
        if counts.forks:
            return DiagnosticStatus.ERROR, f"forked: {facts['forked']}", facts
        if watch.failure:
            return DiagnosticStatus.WARN, watch.failure, facts
        return DiagnosticStatus.OK, "witnessing", facts

    @property
    def _name(self) -> str:
        return str(self.get_fully_qualified_name())

    def _identity(self, policy: Policy) -> tuple[Storage, CosignatureSigner, tuple[str, ...]]:
        """Store, key, and the robot's own log, about which it says nothing."""
        name = parameters.text(self, "name")
        if self._access is not None:
            owner = self._access.owner
            origin = owner.status().origin
            key = WitnessKey(HomePaths(owner.root).root / "keys" / "witness")
            signer = key.load_or_create(name or f"{origin}/witness")
            return MemoryStorage(self._access), signer, (origin,)
        state = parameters.required_path(self, "state")
        home = parameters.path(self, "home")
        own: tuple[str, ...] = ()
        if home is not None:
            with open_home(home) as reader:
                own = (reader.log.origin,)
        folder = WitnessFolder(state)
        if not folder.key.exists:
            if not name and not own:
                raise ParameterError("parameter name: a new witness needs a name for its key")
            folder.create(name or f"{own[0]}/witness")
        follower = self._opened.enter_context(folder.open(policy))
        return follower.state.storage, follower.signer, own

    def _tell(self, active: _Active, outcomes: Iterable[Outcome]) -> None:
        for outcome in outcomes:
            match outcome:
                case Cosigned(checkpoint, lines) | Unchanged(checkpoint, lines):
                    active.counts.cosigned += isinstance(outcome, Cosigned)
                    self._speakers[messages.COSIGNATURES].publish(
                        messages.cosignature_message(
                            checkpoint, lines, active.follower.signer.name, self.time.now()
                        )
                    )
                case Forked():
                    self._accuse(active, outcome)
                case Refused(refusal, detail):
                    active.counts.refused += 1
                    active.counts.last_refusal = f"{refusal.value}: {detail}"

    def _accuse(self, active: _Active, fork: Forked) -> None:
        active.counts.forks.add(fork.evidence.origin)
        if fork.new:
            self.get_logger().error(f"{fork.evidence.origin} has signed two histories")
            self._publish_alarm(messages.alarm_of(fork.evidence, self._name, self.time.now()))

    def _judge(self, active: _Active, message: Alarm) -> None:
        """Believe another's alarm as far as its evidence goes."""
        follower = active.follower
        try:
            claim = messages.claim_of(message)
            evidence = verify_evidence(claim, follower.keys_of(message.origin))
            fork = follower.report(evidence)
        except StorageError:
            raise
        except LedgerError as error:
            active.counts.refused += 1
            active.counts.last_refusal = f"alarm of {message.reporter}: {error.message}"
            return
        active.counts.forks.add(evidence.origin)
        if fork.new:
            self.get_logger().error(f"{message.reporter} proves that {evidence.origin} forked")

    def _publish_alarm(self, alarm: Alarm) -> None:
        self._speakers[messages.ALARMS].publish(alarm)
