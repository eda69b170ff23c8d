"""Sponsorship: a fleet's pool pays the fees of the fleet's robots, within a quota.

The quota is `FleetRecord.sponsored_amount` a robot and window of ``sponsored_period``
blocks. A robot's window begins with the first fee after the one before is over.

Members who do not say who they are have a quota of their own, `FleetRecord.anonymous_amount`
for all of them together in ``anonymous_period`` blocks: a count a member would tell them apart.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from ledger.chain.account import FEE_ASSET, take
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context
from ledger.chain.robots import robot_of_signer
from ledger.chain.state_keys import anonymous_fees_key, fleet_key, robot_key
from ledger.schema.chain_grant_pb2 import AnonymousFees
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


def pay_for_anonymous(context: Context, fleet: bytes, fee: int) -> None:
    """Take the fee of a member of ``fleet``, whoever it is, from the fleet's pool.

    Raises RefusalError: `NOT_SPONSORED`, `INSUFFICIENT_FUNDS`.
    """
    record = context.state.read(FleetRecord, fleet_key(fleet))
    if record is None or not record.anonymous_period:
        raise RefusalError(ResultCode.NOT_SPONSORED, "the fleet pays for nobody it cannot tell")
    fees = context.state.read(AnonymousFees, anonymous_fees_key(fleet))
    if fees is None or context.height >= fees.window + record.anonymous_period:
        fees = AnonymousFees(window=context.height)
    fees.paid += fee
    if fees.paid > record.anonymous_amount:
        raise RefusalError(
            ResultCode.NOT_SPONSORED,
            f"the fleet pays {record.anonymous_amount} for anonymous members"
            f" in {record.anonymous_period} blocks",
        )
    context.state.write(anonymous_fees_key(fleet), fees)
    take(context.state, pool_account(fleet), FEE_ASSET, fee)
