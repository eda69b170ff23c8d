"""Rule: anchor. The newest checkpoint of each robot's log, and that the log only grew.

Anybody may bring one: what counts is who signed it. A checkpoint is anchored if a key of
the robot that is valid now signed it, if enough witnesses of the robot's fleet cosigned it,
and if an RFC 9162 consistency proof leads to it from the one that is anchored. One covers
all the leaves in between, so days offline are one transaction.

Nothing that is refused here says anything against the robot: an old checkpoint is an old
message, and a proof that fails may be a stranger's. What does is in `fork`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import read_fleet
from ledger.chain.robots import read_robot, valid_keys
from ledger.chain.rules.action import Action, require_id
from ledger.chain.rules.fleet_witnesses import fleet_witnesses
from ledger.chain.rules.robot_notes import log_key, read_note
from ledger.chain.state_keys import anchor_key
from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.errors import MalformedError, RefusedError, VerificationError
from ledger.merkle.consistency import verify_consistency
from ledger.note import SignedNote
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint, AnchorRecord
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    ROBOT_STATUS_RETIRED,
    RobotRecord,
)
from ledger.schema.chain_pb2 import EVENT_KIND_ANCHORED

MAX_PROOF: Final = 63
"""Most hashes between two trees of less than 2^63 leaves."""


def check_anchor_checkpoint(message: AnchorCheckpoint) -> None:
    """Refuse what is no checkpoint, and what is no list of hashes."""
    require(
        len(message.proof) <= MAX_PROOF,
        ResultCode.FIELD_REFUSED,
        f"a consistency proof has at most {MAX_PROOF} hashes",
    )
    for step in message.proof:
        require_id(step, "hash of a proof")
    read_note(message.note)


def anchor_checkpoint(context: Context, message: AnchorCheckpoint) -> None:
    """Remember a checkpoint as the newest of its log.

    What is cheap to see is refused first; who signed is asked last but for the proof.
    """
    state = context.state
    parsed, stated = read_note(message.note)
    robot = read_robot(state, stated.origin)
    require(robot.status != ROBOT_STATUS_FROZEN, ResultCode.ROBOT_FROZEN, "its log forked")
    require(robot.status != ROBOT_STATUS_RETIRED, ResultCode.ROBOT_RETIRED, "it was retired")
    key = anchor_key(stated.origin)
    anchored = state.read(AnchorRecord, key)
    size = anchored.size if anchored else 0
    require(stated.size > size, ResultCode.NOT_NEWER, f"{size} leaves are anchored")
    cosigned = _require_signed(context, message.note, parsed, stated, robot)
    _require_grown(anchored, stated, message.proof)
    state.write(
        key,
        AnchorRecord(
            size=stated.size,
            root=stated.root,
            height=context.height,
            time_ns=context.time_ns,
            cosigned=cosigned,
        ),
    )
    context.emit(EVENT_KIND_ANCHORED, stated.origin.encode("utf-8"), stated.size)


def _require_signed(
    context: Context, note: bytes, parsed: SignedNote, stated: Checkpoint, robot: RobotRecord
) -> int:
    """How many of the fleet's witnesses signed what a valid key of the robot did."""
    witnesses = fleet_witnesses(read_fleet(context.state, robot.fleet))
    keys = [log_key(stated.origin, key) for key in valid_keys(robot, context.height)]
    try:
        opened = open_checkpoint(note, keys, witnesses.keys_in(parsed, robot))
    except (MalformedError, VerificationError, RefusedError) as error:
        # RefusedError: two of the keys share a name and the four bytes of their key id.
        raise RefusalError(ResultCode.BAD_CHECKPOINT, error.message) from error
    cosigned = witnesses.names_of(signature.key for signature in opened.cosignatures)
    require(
        witnesses.are_enough(cosigned),
        ResultCode.QUORUM_NOT_MET,
        f"{len(cosigned)} of the fleet's witnesses cosigned it, and they are no quorum",
    )
    return len(cosigned)


def _require_grown(
    anchored: AnchorRecord | None, newer: Checkpoint, proof: Sequence[bytes]
) -> None:
    if anchored is None:
        require(not proof, ResultCode.INCONSISTENT, "a first anchor has no proof")
        return
    try:
        verify_consistency(anchored.size, newer.size, anchored.root, newer.root, tuple(proof))
    except (MalformedError, VerificationError) as error:
        raise RefusalError(ResultCode.INCONSISTENT, error.message) from error


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("anchor_checkpoint", AnchorCheckpoint, check_anchor_checkpoint, anchor_checkpoint),
)
