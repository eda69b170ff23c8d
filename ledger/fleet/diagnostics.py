"""What a robot's diagnostics and checkpoints say, as facts for the board. No ROS here.

A status is called ``<node's full name>: recording|memory|witness``; its values are
text, as ROS has them. What cannot be read is left out: diagnostics are shown, never
believed. A checkpoint counts only as far as the fleet's policy verifies it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping

from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError
from ledger.fleet.board import RobotFacts
from ledger.fleet.model import Fleet, Robot, RobotNode
from ledger.witnessing.policy import Policy


class Subject(enum.Enum):
    """What a diagnostic status is about."""

    RECORDING = "recording"
    MEMORY = "memory"
    WITNESS = "witness"


def robot_of(fleet: Fleet, status_name: str) -> tuple[Robot, Subject] | None:
    """Whose status it is, and about what; None for a stranger's."""
    node, colon, subject = status_name.rpartition(": ")
    namespace = node.rpartition("/")[0]
    for robot in fleet.robots:
        if colon and robot.namespace == namespace:
            try:
                return robot, Subject(subject)
            except ValueError:
                return None
    return None


def facts_of_status(subject: Subject, values: Mapping[str, str], now_ns: int) -> RobotFacts:
    """The facts in one diagnostic status that was received at ``now_ns``."""
    match subject:
        case Subject.RECORDING:
            return RobotFacts(
                recorder_state=values.get("state") or None,
                dropped=_whole(values, "dropped"),
                queued_bytes=_whole(values, "queued_bytes"),
                disk_free_bytes=_whole(values, "disk_free_bytes"),
                uncovered_types=_words(values, "uncovered_types"),
            )
        case Subject.MEMORY:
            age_s = _number(values, "last_checkpoint_age_s")
            return RobotFacts(
                memory_state=values.get("state") or None,
                entries=_whole(values, "entries"),
                checkpoint_size=_whole(values, "last_checkpoint_size"),
                checkpoint_time_ns=None if age_s is None else now_ns - round(age_s * 1e9),
                backlog=_whole(values, "backlog_entries"),
                disk_free_bytes=_whole(values, "disk_free_bytes"),
                anchored_size=_whole(values, "anchored_size"),
                anchor_state=values.get("anchor_state") or None,
            )
        case Subject.WITNESS:
            return RobotFacts(
                cosignatures=_whole(values, "cosignatures"), quorum_met=_truth(values, "quorum")
            )


def facts_of_checkpoint(note: bytes, time_ns: int, policy: Policy) -> RobotFacts | None:
    """The facts in a signed checkpoint; None unless the policy verifies it."""
    try:
        verdict = policy.check(note)
        size = Checkpoint.of_note(note).size
    except LedgerError:
        return None
    return RobotFacts(
        checkpoint_size=size,
        checkpoint_time_ns=time_ns,
        cosigned_by=verdict.cosigned,
        cosignatures=len(verdict.cosigned),
        quorum_met=verdict.quorum_met,
    )


def read_policy(fleet: Fleet) -> Policy | None:
    """The fleet's policy, if there is one that can be read."""
    try:
        return Policy.parse(fleet.paths.policy.read_bytes())
    except (OSError, LedgerError):
        return None


def witness_name(policy: Policy | None, robot: Robot) -> str:
    """How a robot's witness is called in alarms: by the name of its key."""
    witness = policy.witness(robot.name) if policy else None
    return witness.key.name if witness else robot.name


def reporter_of(fleet: Fleet, policy: Policy | None, node: str) -> str:
    """Who a node that raised an alarm is: a robot's witness, or the node's own name."""
    for robot in fleet.robots:
        if node == f"{robot.namespace.rstrip('/')}/{RobotNode.WITNESS.value}":
            return witness_name(policy, robot)
    return node


def _number(values: Mapping[str, str], key: str) -> float | None:
    try:
        value = float(values[key])
    except (KeyError, ValueError):
        return None
    return value if 0 <= value < 1e18 else None


def _whole(values: Mapping[str, str], key: str) -> int | None:
    value = _number(values, key)
    return None if value is None else int(value)


def _truth(values: Mapping[str, str], key: str) -> bool | None:
    return {"true": True, "false": False}.get(values.get(key, "").lower())


def _words(values: Mapping[str, str], key: str) -> tuple[str, ...] | None:
    if key not in values:
        return None
    return tuple(word for word in values[key].replace(",", " ").split() if word)
