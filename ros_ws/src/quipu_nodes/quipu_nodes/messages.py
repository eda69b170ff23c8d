"""Messages of `quipu_interfaces`, to and from what `ledger` works with."""

from __future__ import annotations

from typing import Any, Final

from quipu_interfaces.msg import Alarm, Checkpoint, Cosignature
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.time import Time

from ledger import checkpoint as ledger_checkpoint
from ledger.errors import MalformedError
from ledger.follow.events import Alarm as FollowAlarm
from ledger.witnessing.evidence import ForkClaim, ForkEvidence
from ledger.witnessing.proof_source import join_hashes, split_hashes

CHECKPOINTS: Final = "/quipu/checkpoints"
COSIGNATURES: Final = "/quipu/cosignatures"
ALARMS: Final = "/quipu/alarms"

_HEARD: Final = 256
"""Messages of all publishers of a topic that may wait for a subscriber."""


def latched(depth: int) -> QoSProfile:
    """Reliable, and the last ``depth`` messages reach whoever comes late."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=depth,
        reliability=ReliabilityPolicy.RELIABLE,
        durability=DurabilityPolicy.TRANSIENT_LOCAL,
    )


CHECKPOINT_QOS: Final = latched(1)
COSIGNATURE_QOS: Final = latched(64)
ALARM_QOS: Final = latched(100)
HEARING_QOS: Final = latched(_HEARD)


def checkpoint_message(note: bytes, node: str, now: Time) -> Checkpoint:
    """A checkpoint, as the memory node ``node`` publishes it."""
    of = ledger_checkpoint.Checkpoint.of_note(note)
    return Checkpoint(
        stamp=now.to_msg(), origin=of.origin, size=of.size, node=node, note=bytes(note)
    )


def cosignature_message(
    of: ledger_checkpoint.Checkpoint, lines: bytes, witness: str, now: Time
) -> Cosignature:
    """Signature lines under a checkpoint."""
    return Cosignature(
        stamp=now.to_msg(), origin=of.origin, size=of.size, witness=witness, lines=bytes(lines)
    )


def fork_alarm(claim: ForkClaim, reporter: str, now: Time) -> Alarm:
    """The alarm that a log has forked."""
    first = ledger_checkpoint.Checkpoint.of_note(claim.first)
    second = ledger_checkpoint.Checkpoint.of_note(claim.second)
    return Alarm(
        stamp=now.to_msg(),
        kind=Alarm.FORK,
        origin=first.origin,
        reporter=reporter,
        detail=f"{first.origin} signed two histories, of {first.size} and {second.size} entries",
        first=claim.first,
        second=claim.second,
        proof=join_hashes(claim.path),
    )


def prefix_alarm(alarm: FollowAlarm, origin: str, reporter: str, now: Time) -> Alarm:
    """The alarm that a recording is not what was committed of it."""
    return Alarm(
        stamp=now.to_msg(),
        kind=Alarm.PREFIX_CHANGED,
        origin=origin,
        reporter=reporter,
        detail=f"{alarm.kind.value}: {alarm.path}: {alarm.detail}",
    )


def claim_of(message: Any) -> ForkClaim:
    """What an alarm claims, unverified. Raises `MalformedError`."""
    if message.kind != Alarm.FORK:
        raise MalformedError("the alarm is not about a fork")
    return ForkClaim.of(
        bytes(message.first), bytes(message.second), split_hashes(bytes(message.proof))
    )


def alarm_of(evidence: ForkEvidence, reporter: str, now: Time) -> Alarm:
    """The alarm for evidence that was verified."""
    return fork_alarm(evidence.claim, reporter, now)
