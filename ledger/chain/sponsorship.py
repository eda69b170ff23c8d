"""Sponsorship: a fleet's pool pays the fees of the fleet's robots, within a quota.

The quota is `FleetRecord.sponsored_amount` a robot and window of ``sponsored_period``
blocks. A robot's window begins with the first fee after the one before is over.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ledger.chain.account import FEE_ASSET, take
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context
from ledger.chain.robots import robot_of_signer
from ledger.chain.state_keys import fleet_key, robot_key
from ledger.schema.chain_identity_pb2 import FleetRecord

POOL_TAG: Final = b"quipu/pool/v1\0"


def pool_account(fleet: bytes) -> bytes:
    """The account of a fleet's pool, for which no key signs."""
    # SHA256("quipu/pool/v1\0" || fleet id)
    return sha256(POOL_TAG + fleet).digest()


def pay_from_sponsor(context: Context, fleet: bytes, fee: int) -> None:
    """Take the signer's fee from the pool of its fleet.

    Raises RefusalError: `NOT_SPONSORED`, `INSUFFICIENT_FUNDS`.
    """
    origin, robot = robot_of_signer(context)
    record = context.state.read(FleetRecord, fleet_key(fleet))
    if robot.fleet != fleet or record is None or not record.sponsored_period:
        raise RefusalError(ResultCode.NOT_SPONSORED, "the fleet does not pay for this account")
    if not robot.sponsored or context.height >= robot.sponsored_window + record.sponsored_period:
        robot.sponsored_window, robot.sponsored = context.height, 0
    spent = robot.sponsored + fee
    if spent > record.sponsored_amount:
        raise RefusalError(
            ResultCode.NOT_SPONSORED,
            f"the fleet pays {record.sponsored_amount} a robot in {record.sponsored_period} blocks",
        )
    robot.sponsored = spent
    context.state.write(robot_key(origin), robot)
    take(context.state, pool_account(fleet), FEE_ASSET, fee)
