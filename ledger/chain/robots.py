"""Robots as the state knows them: which key speaks for which log, and when it did.

A robot that is not retired has exactly one key without an announced end, its *current*
key; it alone changes the robot's keys. An older key that is still valid signs checkpoints
and transactions until its end, and can change nothing about that end.
"""

from __future__ import annotations

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context
from ledger.chain.state_keys import robot_by_key_key, robot_key
from ledger.chain.working_state import WorkingState
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_RETIRED,
    KeyPeriod,
    RobotRecord,
)


def read_robot(state: WorkingState, origin: str) -> RobotRecord:
    """The robot whose log has this name. Raises RefusalError `UNKNOWN_ROBOT`."""
    robot = state.read(RobotRecord, robot_key(origin))
    if robot is None:
        raise RefusalError(ResultCode.UNKNOWN_ROBOT, "no robot is registered under this origin")
    return robot


def current_key(robot: RobotRecord) -> bytes | None:
    """The key that has no end, or None for a robot that is retired."""
    if robot.status == ROBOT_STATUS_RETIRED:
        return None
    return next((period.key for period in robot.keys if not period.last_height), None)


def is_valid(period: KeyPeriod, height: int) -> bool:
    """Whether a key is valid at a height that the chain has reached."""
    return period.first_height <= height and not 0 < period.last_height < height


def valid_keys(robot: RobotRecord, height: int) -> list[bytes]:
    """The keys that speak for a robot at a height: none for one that is retired."""
    if robot.status == ROBOT_STATUS_RETIRED:
        return []
    return [period.key for period in robot.keys if is_valid(period, height)]


def robot_of_signer(context: Context) -> tuple[str, RobotRecord]:
    """Origin and record of the robot that the signer's key speaks for now.

    Raises RefusalError `UNKNOWN_ROBOT` for a key that is no robot's, or no longer valid.
    """
    origin = context.state.get(robot_by_key_key(context.signer))
    if origin is not None:
        name = origin.decode("utf-8")
        robot = read_robot(context.state, name)
        if context.signer in valid_keys(robot, context.height):
            return name, robot
    raise RefusalError(ResultCode.UNKNOWN_ROBOT, "the signer is no robot's valid key")
