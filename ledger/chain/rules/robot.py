"""Rule: robots. Which keys speak for which log, from registration to retirement.

A robot is its log: the origin that its checkpoints carry. Its fleet's authority registers
it; from then on it changes its own keys. Old and new key overlap, so that what is under way
is not cut off: `RotateKey` lets the older keys end ``overlap`` blocks later.

Who may do what, and why:

- Only the *current* key, the one without an announced end, rotates and retires. An older
  key in its overlap signs checkpoints and transactions, no more: whoever stole it cannot
  undo the rotation that shuts it out.
- Who stole the current key can rotate too, and the owner's other copies of it are shut out.
  The authority then retires the robot, at once, and registers a successor; `recovery` is
  for a key that was lost.
- A robot whose log forked is frozen for good. Its keys stay as they are: two hands may hold
  them, a change would shut out one of them, perhaps the honest one, from the fees of the
  fleet's pool, and from closing what is open; and nothing is gained, for money hangs on
  accounts, and the log is at its end. It cannot be retired either, which would hide that
  it forked. The authority registers a successor.

Origins are first come, first served: the chain does not know who owns a name. What counts
is which fleet registered it with which key.
"""

from __future__ import annotations

from typing import Final

from google.protobuf.message import Message

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import governed_fleet
from ledger.chain.robot_keys import (
    begin_key,
    changeable_robot,
    end_key,
    end_keys,
    require_new_key,
    require_robot,
    require_robot_or_authority,
    require_room,
)
from ledger.chain.robots import current_key, is_valid, read_robot
from ledger.chain.rules.action import Action, require_id, require_origin, require_text
from ledger.chain.state_keys import robot_key
from ledger.errors import MalformedError
from ledger.note import check_name
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_ACTIVE,
    ROBOT_STATUS_RETIRED,
    RegisterRobot,
    RetireKey,
    RetireRobot,
    RobotRecord,
    RotateKey,
)
from ledger.schema.chain_pb2 import (
    EVENT_KIND_KEY_ROTATED,
    EVENT_KIND_ROBOT_REGISTERED,
    EVENT_KIND_ROBOT_RETIRED,
)

MAX_ROLE: Final = 32
REGISTER_TAG: Final = b"quipu/register/v1\0"
ROTATE_TAG: Final = b"quipu/rotate/v1\0"


def register_message(chain: bytes, fleet: bytes, key: bytes, origin: str) -> bytes:
    """What a robot's first key signs to join a fleet."""
    # "quipu/register/v1\0" || chain id || fleet id || key || origin
    return REGISTER_TAG + chain + fleet + key + origin.encode("utf-8")


def rotate_message(chain: bytes, signer: bytes, new_key: bytes, origin: str) -> bytes:
    """What a robot's new key signs, for a rotation or a recovery that ``signer`` asks for."""
    # "quipu/rotate/v1\0" || chain id || signer || new key || origin
    return ROTATE_TAG + chain + signer + new_key + origin.encode("utf-8")


def check_register_robot(message: RegisterRobot) -> None:
    """Refuse what no robot can be called, and what is no key."""
    require_id(message.fleet, "fleet's id")
    require_id(message.key, "robot's key")
    require_origin(message.origin)
    try:
        # The log's checkpoints are signed notes, whose keys are named like the log.
        check_name(message.origin)
    except MalformedError as error:
        raise RefusalError(ResultCode.FIELD_REFUSED, error.message) from error
    require_text(message.role, MAX_ROLE, "role")
    if message.successor_of:
        require_origin(message.successor_of)


def register_robot(context: Context, message: RegisterRobot) -> None:
    """Register a robot of the signer's fleet, with its first key."""
    governed_fleet(context, message.fleet)
    state, origin = context.state, message.origin
    require(
        state.get(robot_key(origin)) is None,
        ResultCode.ROBOT_EXISTS,
        "a robot is registered under this origin",
    )
    if message.successor_of:
        before = read_robot(state, message.successor_of)
        require(
            before.fleet == message.fleet and before.status != ROBOT_STATUS_ACTIVE,
            ResultCode.NOT_ALLOWED,
            "a successor follows a frozen or retired robot of the same fleet",
        )
    require_new_key(
        context,
        message.key,
        message.signature,
        register_message(context.chain, message.fleet, message.key, origin),
    )
    robot = RobotRecord(fleet=message.fleet, role=message.role, successor_of=message.successor_of)
    begin_key(context, origin, robot, message.key)
    context.emit(EVENT_KIND_ROBOT_REGISTERED, origin.encode("utf-8"))


def check_rotate_key(message: RotateKey) -> None:
    """Refuse what is no key."""
    require_origin(message.origin)
    require_id(message.new_key, "new key")


def rotate_key(context: Context, message: RotateKey) -> None:
    """Begin a new key; the older ones end after the overlap, or when they would anyway.

    A recovery that is under way stays so: only `CancelRecovery` says that it is unwanted.
    """
    robot = changeable_robot(context, message.origin)
    require_robot(context, robot)
    require(
        message.overlap <= context.parameters.max_overlap,
        ResultCode.FIELD_REFUSED,
        f"keys overlap for {context.parameters.max_overlap} blocks at most",
    )
    require_room(robot)
    require_new_key(
        context,
        message.new_key,
        message.new_signature,
        rotate_message(context.chain, context.signer, message.new_key, message.origin),
    )
    end_keys(context, robot, context.height + message.overlap)
    begin_key(context, message.origin, robot, message.new_key)
    context.emit(EVENT_KIND_KEY_ROTATED, message.origin.encode("utf-8"))


def check_retire_key(message: RetireKey) -> None:
    """Refuse what is no key."""
    require_origin(message.origin)
    require_id(message.key, "key")


def retire_key(context: Context, message: RetireKey) -> None:
    """End an older key with this block, before its overlap does.

    The current key stays, so that one always does: it ends by a rotation, a recovery or
    the robot's retirement.
    """
    robot = changeable_robot(context, message.origin)
    require_robot_or_authority(context, robot)
    require(message.key != current_key(robot), ResultCode.LAST_KEY, "it is the current key")
    for period in robot.keys:
        if period.key == message.key and is_valid(period, context.height + 1):
            end_key(context, period, context.height)
            break
    else:
        raise RefusalError(ResultCode.UNKNOWN_ROBOT, "it is no valid key of the robot")
    context.state.write(robot_key(message.origin), robot)


def check_retire_robot(message: RetireRobot) -> None:
    """Refuse what names no log."""
    require_origin(message.origin)


def retire_robot(context: Context, message: RetireRobot) -> None:
    """Retire a robot for good: its keys end with this block, and nothing is valid any more."""
    robot = changeable_robot(context, message.origin)
    require_robot_or_authority(context, robot)
    end_keys(context, robot, context.height)
    robot.status = ROBOT_STATUS_RETIRED
    robot.ClearField("recovery_key")
    robot.ClearField("recovery_height")
    context.state.write(robot_key(message.origin), robot)
    context.emit(EVENT_KIND_ROBOT_RETIRED, message.origin.encode("utf-8"))


ACTIONS: Final[tuple[Action[Message], ...]] = (
    Action("register_robot", RegisterRobot, check_register_robot, register_robot),
    Action("rotate_key", RotateKey, check_rotate_key, rotate_key),
    Action("retire_key", RetireKey, check_retire_key, retire_key),
    Action("retire_robot", RetireRobot, check_retire_robot, retire_robot),
)
