"""What is known of a fleet right now, from whoever has looked: the model of `quipu watch`.

Observers come and go, and none sees everything: homes tell what is durable, diagnostics
what is queued and dropped, alarms what went wrong. The board keeps the newest of each
fact with the time at which it was seen; times are nanoseconds since 1970.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Final, Protocol, TypeAlias

from ledger.fleet.model import Fleet
from ledger.fleet.state import FleetState, ProcessState, ProcessStatus
from ledger.memory.anchor_status import ALARMING

STALE_NS: Final = 5_000_000_000
"""A live fact that nobody has confirmed for so long is no longer shown."""

OLD_CHECKPOINT_NS: Final = 60_000_000_000
"""A robot with entries that no checkpoint has covered for so long needs a look."""

SETTLED_NS: Final = 30_000_000_000
"""A process that was started again is worth a remark for so long."""

LITTLE_DISK_BYTES: Final = 1 << 30


_ALARMING: Final = frozenset(state.name.lower() for state in ALARMING)


class Health(enum.Enum):
    """How a robot is, worst last."""

    GOOD = "good"
    UNKNOWN = "unknown"
    ATTENTION = "attention"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class RobotFacts:
    """What one look found; None where it did not show.

    The first block is durable, as good as the day it was read; the second is live and
    goes stale.
    """

    entries: int | None = None
    checkpoint_size: int | None = None
    checkpoint_time_ns: int | None = None
    cosigned_by: tuple[str, ...] | None = None
    cosignatures: int | None = None
    quorum_met: bool | None = None
    fault: str | None = None
    anchored_size: int | None = None
    anchor_state: str | None = None

    memory_state: str | None = None
    memory_pid: int | None = None
    recorder_state: str | None = None
    dropped: int | None = None
    queued_bytes: int | None = None
    backlog: int | None = None
    disk_free_bytes: int | None = None
    uncovered_types: tuple[str, ...] | None = None


_DURABLE: Final = frozenset(
    {
        "entries",
        "checkpoint_size",
        "checkpoint_time_ns",
        "cosigned_by",
        "cosignatures",
        "quorum_met",
        "fault",
        "anchored_size",
        "anchor_state",
    }
)


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of a robot, and when."""

    robot: str
    seen_ns: int
    facts: RobotFacts


@dataclass(frozen=True, slots=True)
class AlarmSeen:
    """An alarm about a log: not believed here, only shown."""

    kind: str
    origin: str
    reporter: str
    detail: str
    seen_ns: int


@dataclass(frozen=True, slots=True)
class ChainSeen:
    """Where the fleet's settlement chain stands; ``fault`` if it could not be seen."""

    seen_ns: int
    origin: str = ""
    chain: str = ""
    height: int = 0
    time_ns: int = 0
    served: bool = False
    """Whether an engine answered; else its home was read."""
    fault: str = ""


Sight: TypeAlias = Observation | AlarmSeen | ChainSeen


class Observer(Protocol):
    """Someone who looks at a fleet; `look` returns what is new since the last time."""

    def look(self) -> Iterable[Sight]:
        """What was seen. Never raises for a robot that cannot be reached."""
        ...

    def close(self) -> None:
        """Stop looking."""
        ...


ObserverFactory = Callable[[Fleet], Observer]
"""What an entry point of the group ``quipu.observers`` names; may raise LedgerError."""

OBSERVERS_GROUP: Final = "quipu.observers"


@dataclass(frozen=True, slots=True)
class RobotRow:
    """One robot on the board."""

    name: str
    origin: str
    facts: RobotFacts
    seen_ns: int
    process: ProcessStatus | None
    alarms: int
    health: Health
    remark: str


@dataclass(frozen=True, slots=True)
class _Seen:
    value: object
    when_ns: int


@dataclass
class Board:
    """The board of one fleet."""

    fleet: Fleet
    alarms: list[AlarmSeen] = field(default_factory=list)
    chain: ChainSeen | None = None
    _seen: dict[tuple[str, str], _Seen] = field(default_factory=dict)
    _processes: Mapping[str, ProcessStatus] = field(default_factory=dict)

    def take(self, seen: Iterable[Sight]) -> None:
        """Note what observers saw; of two looks at one fact the later counts."""
        for each in seen:
            match each:
                case AlarmSeen():
                    if not any(_same(each, known) for known in self.alarms):
                        self.alarms.append(each)
                case Observation():
                    self._note(each)
                case ChainSeen():
                    if self.chain is None or each.seen_ns >= self.chain.seen_ns:
                        self.chain = each

    def take_state(self, state: FleetState | None) -> None:
        """Note what the supervisor says of its processes."""
        if state is None:
            self._processes = {}
            return
        known = {each.name: each for each in state.processes}
        if not state.supervised:
            known = {
                name: each if each.state is ProcessState.ENDED else _without_supervisor(each)
                for name, each in known.items()
            }
        self._processes = known

    @property
    def processes(self) -> tuple[ProcessStatus, ...]:
        """The supervised processes that are no robots."""
        robots = {robot.name for robot in self.fleet.robots}
        return tuple(each for name, each in self._processes.items() if name not in robots)

    def runs_by_others(self, now_ns: int) -> bool:
        """Whether all that should run does, though no supervisor of ours keeps it.

        So it is where ``ros2 launch`` or a service manager has started the fleet.
        """
        if self.fleet.settlement.has_process and not (self.chain and self.chain.served):
            return False
        return all(row.process is None and row.facts.memory_pid for row in self.rows(now_ns))

    def rows(self, now_ns: int) -> tuple[RobotRow, ...]:
        """One row a robot, in the order of the fleet file."""
        return tuple(self._row(robot.name, robot.origin, now_ns) for robot in self.fleet.robots)

    def _note(self, observation: Observation) -> None:
        for each in fields(RobotFacts):
            value = getattr(observation.facts, each.name)
            if value is None:
                continue
            key = (observation.robot, each.name)
            known = self._seen.get(key)
            if known is None or known.when_ns <= observation.seen_ns:
                self._seen[key] = _Seen(value, observation.seen_ns)

    def _row(self, name: str, origin: str, now_ns: int) -> RobotRow:
        found = {}
        newest = 0
        for each in fields(RobotFacts):
            seen = self._seen.get((name, each.name))
            if seen is None:
                continue
            if each.name in _DURABLE or now_ns - seen.when_ns <= STALE_NS:
                found[each.name] = seen.value
                newest = max(newest, seen.when_ns)
        facts = replace(RobotFacts(), **found)  # type: ignore[arg-type]
        alarms = sum(alarm.origin == origin for alarm in self.alarms)
        process = self._processes.get(name)
        if process is not None and _started_anew(process, facts):
            process = None
        health, remark = _judge(facts, process, alarms, now_ns)
        return RobotRow(name, origin, facts, newest, process, alarms, health, remark)


def _same(one: AlarmSeen, other: AlarmSeen) -> bool:
    """Whether two alarms are one: a witness says it over ROS, and keeps it in its home."""
    return (one.kind, one.origin, one.reporter) == (other.kind, other.origin, other.reporter)


def _started_anew(process: ProcessStatus, facts: RobotFacts) -> bool:
    """Whether others have started the robot since its supervisor, or `process` itself, ended."""
    over = process.state in (ProcessState.ENDED, ProcessState.LOST)
    return over and facts.memory_pid not in (None, process.pid)


def _without_supervisor(status: ProcessStatus) -> ProcessStatus:
    """Its supervisor is gone; the process may be there still."""
    return replace(status, state=ProcessState.LOST)


def _judge(
    facts: RobotFacts, process: ProcessStatus | None, alarms: int, now_ns: int
) -> tuple[Health, str]:
    """How a robot is, and the one thing about it that a person should know first."""
    if alarms:
        return Health.BAD, "accused of a fork, see the alarms"
    if facts.fault:
        return Health.BAD, facts.fault
    if facts.anchor_state in _ALARMING:
        return Health.BAD, f"nothing more is anchored: {facts.anchor_state}"
    if process is not None and process.state is ProcessState.WAITING:
        return Health.BAD, f"ended ({process.last_exit}), starts again"
    if process is not None and process.state is ProcessState.LOST:
        return Health.BAD, "its supervisor is gone"
    if process is not None and process.state is ProcessState.ENDED:
        return Health.UNKNOWN, "does not run"
    if facts.entries is None:
        return Health.UNKNOWN, "not seen yet"
    if process is not None and process.restarts and now_ns - process.since_ns < SETTLED_NS:
        return Health.ATTENTION, f"started again after {process.last_exit}"
    if facts.dropped:
        return Health.ATTENTION, f"dropped {facts.dropped} messages"
    if facts.uncovered_types:
        return Health.ATTENTION, f"cannot record {', '.join(facts.uncovered_types)}"
    if facts.disk_free_bytes is not None and facts.disk_free_bytes < LITTLE_DISK_BYTES:
        return Health.ATTENTION, "little disk left"
    waited_ns = now_ns - (facts.checkpoint_time_ns or now_ns)
    if facts.entries > (facts.checkpoint_size or 0) and waited_ns > OLD_CHECKPOINT_NS:
        return Health.ATTENTION, "newest entries not in a checkpoint"
    if facts.quorum_met is False and facts.checkpoint_size:
        return Health.ATTENTION, "too few witnesses have cosigned"
    return Health.GOOD, ""
