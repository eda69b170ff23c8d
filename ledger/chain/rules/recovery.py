"""Rule: recovery. A new key for a robot whose current key is lost.

The authority of the fleet names the key; once `Parameters.recovery_delay` blocks have passed
it takes over, and every older key ends at once. In between the robot itself, if it still has
its key after all, can say no, and so can the authority.

That makes recovery useless against a thief of the current key, who says no too. There the
authority retires the robot, which needs no delay, and registers a successor. The delay is
there for the robot's owner, who may not be the fleet: nobody takes over its log unnoticed.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import ResultCode
from ledger.chain.context import Context, require
from ledger.chain.robot_keys import (
    begin_key,
    changeable_robot,
    end_keys,
    require_authority,
    require_new_key,
    require_robot_or_authority,
    require_room,
    require_unused,
)
from ledger.chain.rules.action import Action, require_id, require_origin
from ledger.chain.rules.robot import rotate_message
from ledger.chain.state_keys import robot_key
from ledger.schema.chain_identity_pb2 import (
    BeginRecovery,
    CancelRecovery,
    CompleteRecovery,
    RobotRecord,
)
from ledger.schema.chain_pb2 import EVENT_KIND_KEY_ROTATED, EVENT_KIND_RECOVERY_BEGUN


def check_begin_recovery(message: BeginRecovery) -> None:
    """Refuse what is no key."""
    require_origin(message.origin)
    require_id(message.new_key, "new key")


def begin_recovery(context: Context, message: BeginRecovery) -> None:
    """Announce the key that is to take over."""
    robot = changeable_robot(context, message.origin)
    require_authority(context, robot)
    require(
        not robot.recovery_key,
        ResultCode.RECOVERY_STATE,
        f"a recovery is under way, until block {robot.recovery_height}",
    )
    require_room(robot)
    require_new_key(
        context,
        message.new_key,
        message.new_signature,
        rotate_message(context.chain, context.signer, message.new_key, message.origin),
    )
    robot.recovery_key = message.new_key
    robot.recovery_height = context.height + context.parameters.recovery_delay
    context.state.write(robot_key(message.origin), robot)
    context.emit(EVENT_KIND_RECOVERY_BEGUN, message.origin.encode("utf-8"))


def check_cancel_recovery(message: CancelRecovery) -> None:
    """Refuse what names no log."""
    require_origin(message.origin)


def cancel_recovery(context: Context, message: CancelRecovery) -> None:
    """Call a recovery off."""
    robot = _recovering_robot(context, message.origin)
    require_robot_or_authority(context, robot)
    _clear(robot)
    context.state.write(robot_key(message.origin), robot)


def check_complete_recovery(message: CompleteRecovery) -> None:
    """Refuse what names no log."""
    require_origin(message.origin)


def complete_recovery(context: Context, message: CompleteRecovery) -> None:
    """Let the new key take over, and end all others with this block."""
    robot = _recovering_robot(context, message.origin)
    require_authority(context, robot)
    require(
        context.height >= robot.recovery_height,
        ResultCode.RECOVERY_STATE,
        f"the recovery can be completed from block {robot.recovery_height} on",
    )
    # Between its two steps the robot may have rotated, and the key come to another robot.
    require_room(robot)
    key = robot.recovery_key
    require_unused(context, key)
    _clear(robot)
    end_keys(context, robot, context.height)
    begin_key(context, message.origin, robot, key)
    context.emit(EVENT_KIND_KEY_ROTATED, message.origin.encode("utf-8"))


def _recovering_robot(context: Context, origin: str) -> RobotRecord:
    robot = changeable_robot(context, origin)
    require(bool(robot.recovery_key), ResultCode.RECOVERY_STATE, "no recovery is under way")
    return robot


def _clear(robot: RobotRecord) -> None:
    robot.ClearField("recovery_key")
    robot.ClearField("recovery_height")


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("begin_recovery", BeginRecovery, check_begin_recovery, begin_recovery),
    Action("cancel_recovery", CancelRecovery, check_cancel_recovery, cancel_recovery),
    Action("complete_recovery", CompleteRecovery, check_complete_recovery, complete_recovery),
)
