"""Rule: forks. Evidence that a robot's log has two histories, and what it does: freeze.

Evidence is two checkpoints of one registered origin that no log which only grew can have
signed (`ledger.witnessing.evidence`), each signed by a key of the robot

- that is valid now; or
- that has ended, if a quorum of the fleet's witnesses cosigned that very checkpoint inside
  the key's validity: ``first_time_ns <= t <= last_time_ns``, t being the second that the
  cosignature states, and under the policy that the fleet has had since t or before.

The second half keeps thieves of old keys from rewriting a past that the robot has left
behind: their signatures cost nothing, the witnesses' clocks do. So a fleet without a real
quorum dates nothing, and witnesses that were named afterwards do not either. A key whose end
was announced is valid until it ends; what dates its signatures is the time of the
announcement.

A frozen robot anchors nothing any more, for ever; its fleet may register a successor.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import read_fleet
from ledger.chain.robots import read_robot, valid_keys
from ledger.chain.rules.action import Action
from ledger.chain.rules.fleet_witnesses import fleet_witnesses
from ledger.chain.rules.robot_notes import log_key
from ledger.chain.state_keys import robot_key
from ledger.checkpoint import Checkpoint
from ledger.errors import MalformedError, VerificationError
from ledger.note import SignedNote, VerifierKey
from ledger.schema.chain_anchor_pb2 import ReportFork
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    RobotRecord,
)
from ledger.schema.chain_pb2 import EVENT_KIND_FROZEN
from ledger.witnessing.evidence import ForkClaim, find_contradiction

_NS: Final = 1_000_000_000


class _Signed(Enum):
    """What the robot's keys say of a checkpoint."""

    BY_NONE = "no key of the robot signed it"
    WHO_KNOWS_WHEN = "an ended key signed it, and no quorum says that it did so while valid"
    WHILE_VALID = "a key of the robot signed it while it was valid"


def check_report_fork(message: ReportFork) -> None:
    """Refuse what has not the form of evidence."""
    _read(message.evidence)


def report_fork(context: Context, message: ReportFork) -> None:
    """Freeze the robot whose log the evidence shows to have forked."""
    claim = _read(message.evidence)
    first, second = Checkpoint.of_note(claim.first), Checkpoint.of_note(claim.second)
    robot = read_robot(context.state, first.origin)
    require(robot.status != ROBOT_STATUS_FROZEN, ResultCode.ROBOT_FROZEN, "it is frozen")
    try:
        find_contradiction(first, second, claim.path)
    except VerificationError as error:
        raise RefusalError(ResultCode.NO_EVIDENCE, error.message) from error
    signed = [_signed(context, robot, first.origin, note) for note in (claim.first, claim.second)]
    require(_Signed.BY_NONE not in signed, ResultCode.NO_EVIDENCE, _Signed.BY_NONE.value)
    require(
        _Signed.WHO_KNOWS_WHEN not in signed,
        ResultCode.EVIDENCE_NOT_DATED,
        _Signed.WHO_KNOWS_WHEN.value,
    )
    robot.status = ROBOT_STATUS_FROZEN
    context.state.write(robot_key(first.origin), robot)
    context.emit(EVENT_KIND_FROZEN, first.origin.encode("utf-8"))


def _read(evidence: bytes) -> ForkClaim:
    try:
        return ForkClaim.parse(evidence)
    except MalformedError as error:
        raise RefusalError(ResultCode.NO_EVIDENCE, error.message) from error


def _signed(context: Context, robot: RobotRecord, origin: str, encoded: bytes) -> _Signed:
    """The best that a key of the robot makes of a checkpoint."""
    note = SignedNote.parse(encoded)
    valid = valid_keys(robot, context.height)
    ended = []
    for period in robot.keys:
        if _verified(log_key(origin, period.key), note):
            if period.key in valid:
                return _Signed.WHILE_VALID
            ended.append(period)
    if not ended:
        return _Signed.BY_NONE
    fleet = read_fleet(context.state, robot.fleet)
    witnesses = fleet_witnesses(fleet)
    if witnesses.quorum_is_real:
        seen = {
            key: [time_s * _NS for time_s in _verified(key, note) if time_s is not None]
            for key in witnesses.keys_in(note, robot)
        }
        for period in ended:
            since = max(period.first_time_ns, fleet.witness_policy_time_ns)
            inside = [
                key
                for key, times in seen.items()
                if any(since <= time_ns <= period.last_time_ns for time_ns in times)
            ]
            if witnesses.are_enough(witnesses.names_of(inside)):
                return _Signed.WHILE_VALID
    return _Signed.WHO_KNOWS_WHEN


def _verified(key: VerifierKey, note: SignedNote) -> list[int | None]:
    """What `VerifierKey.verify` gives for each line with which the key signed the note.

    Other lines of the note make no difference, not even wrong ones under the key's name:
    a robot could make two keys that share a key id, in 2^32 tries, and `open_checkpoint`
    could not tell them apart. Who brings evidence chooses the lines anyway.
    """
    signer, found = (key.name, key.key_id), []
    for line in note.signatures:
        if (line.name, line.key_id) == signer:
            try:
                found.append(key.verify(note.text, line.signature))
            except VerificationError:
                continue
    return found


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("report_fork", ReportFork, check_report_fork, report_fork),
)
