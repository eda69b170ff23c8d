"""Changes of a robot's keys: how one begins, how others end, and who may say so.

A key belongs to one robot for ever, so that whatever it signed is that robot's; the index
`state_keys.robot_by_key_key` remembers. What a key signed can be judged later by the heights
and the times of its `KeyPeriod`.
"""

from __future__ import annotations

from typing import Final

from ledger.chain.account import check_key, ensure_account
from ledger.chain.codes import ResultCode
from ledger.chain.context import Context, require
from ledger.chain.fleets import read_fleet
from ledger.chain.robots import current_key, is_valid, read_robot
from ledger.chain.state_keys import robot_by_key_key, robot_key
from ledger.ed25519 import is_signed
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    ROBOT_STATUS_RETIRED,
    KeyPeriod,
    RobotRecord,
)

MAX_KEYS: Final = 64
"""The most keys a robot can have had: its record is read with each of its transactions."""


def changeable_robot(context: Context, origin: str) -> RobotRecord:
    """The robot, if its keys may change.

    Raises RefusalError: `UNKNOWN_ROBOT`, `ROBOT_RETIRED`, `ROBOT_FROZEN`.
    """
    robot = read_robot(context.state, origin)
    require(robot.status != ROBOT_STATUS_RETIRED, ResultCode.ROBOT_RETIRED, "it was retired")
    require(robot.status != ROBOT_STATUS_FROZEN, ResultCode.ROBOT_FROZEN, "its log forked")
    return robot


def require_robot(context: Context, robot: RobotRecord) -> None:
    """Refuse, with `NOT_ALLOWED`, a signer that is not the robot's current key."""
    require(
        context.signer == current_key(robot),
        ResultCode.NOT_ALLOWED,
        "only the robot's current key may do this",
    )


def require_authority(context: Context, robot: RobotRecord) -> None:
    """Refuse, with `NOT_ALLOWED`, a signer that is not the authority of the robot's fleet."""
    require(
        context.signer == read_fleet(context.state, robot.fleet).authority,
        ResultCode.NOT_ALLOWED,
        "only the authority of the robot's fleet may do this",
    )


def require_robot_or_authority(context: Context, robot: RobotRecord) -> None:
    """Refuse, with `NOT_ALLOWED`, a signer that is neither."""
    if context.signer != current_key(robot):
        require_authority(context, robot)


def require_new_key(context: Context, key: bytes, signature: bytes, message: bytes) -> None:
    """Refuse a key that some robot had, or that did not sign ``message``.

    Raises RefusalError: `WEAK_KEY`, `KEY_IN_USE`, `NOT_PROVEN`.
    """
    check_key(key)
    require_unused(context, key)
    require(
        is_signed(key, signature, message),
        ResultCode.NOT_PROVEN,
        "the new key did not sign for the robot",
    )


def require_unused(context: Context, key: bytes) -> None:
    """Refuse, with `KEY_IN_USE`, a key that is or was a robot's."""
    require(
        context.state.get(robot_by_key_key(key)) is None,
        ResultCode.KEY_IN_USE,
        "the key is, or was, a robot's",
    )


def require_room(robot: RobotRecord) -> None:
    """Refuse, with `TOO_MANY_KEYS`, another key for a robot that has had as many as it can."""
    require(
        len(robot.keys) < MAX_KEYS,
        ResultCode.TOO_MANY_KEYS,
        f"a robot has at most {MAX_KEYS} keys in its life; register a successor",
    )


def begin_key(context: Context, origin: str, robot: RobotRecord, key: bytes) -> None:
    """Let a key speak for a robot from this block on, as its current one; write the robot."""
    robot.keys.append(
        KeyPeriod(key=key, first_height=context.height, first_time_ns=context.time_ns)
    )
    # The robot signs transactions with it, whose fees its fleet may pay.
    ensure_account(context.state, key)
    context.state.put(robot_by_key_key(key), origin.encode("utf-8"))
    context.state.write(robot_key(origin), robot)


def end_keys(context: Context, robot: RobotRecord, last_height: int) -> None:
    """Let every key end at ``last_height`` at the latest, which may lie ahead."""
    for period in robot.keys:
        end_key(context, period, last_height)


def end_key(context: Context, period: KeyPeriod, last_height: int) -> None:
    """Let a key end at ``last_height``, unless it ends sooner."""
    if is_valid(period, context.height) and not 0 < period.last_height <= last_height:
        period.last_height, period.last_time_ns = last_height, context.time_ns
