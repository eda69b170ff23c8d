"""Spending: what leaves an account, and the caps that it has set for itself.

A cap allows ``amount`` of an asset in each window of ``period`` blocks. A window begins with
the first payment after the one before is over. A cap that asks for less acts at once. One
that allows more waits for `Parameters.cap_delay` blocks, so that whoever stole a key cannot
lift it. Either takes over the window that runs with what was spent in it: were windows
counted from block 0, ever longer periods, each "less", would begin a new one every time.
"""

from __future__ import annotations

from ledger.chain.account import HAS_CAP, MAX_AMOUNT, take
from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.context import Context
from ledger.chain.state_keys import cap_key
from ledger.schema.chain_payment_pb2 import CapRecord


def debit(context: Context, account: bytes, asset: int, amount: int) -> None:
    """Take from an account, within its caps.

    Raises RefusalError: `UNKNOWN_ACCOUNT`, `INSUFFICIENT_FUNDS`, `OVER_CAP`.
    """
    before = take(context.state, account, asset, amount)
    if before.flags & HAS_CAP:
        _count(context, account, asset, amount)


def acting_cap(record: CapRecord, height: int) -> CapRecord:
    """The cap as it acts at a height: a higher one takes over when its time has come."""
    if not record.next_period or height < record.next_height:
        return record
    return CapRecord(
        amount=record.next_amount,
        period=record.next_period,
        window=record.window,
        spent=record.spent,
    )


def _count(context: Context, account: bytes, asset: int, amount: int) -> None:
    key = cap_key(account, asset)
    stored = context.state.read(CapRecord, key)
    if stored is None:
        return
    cap = acting_cap(stored, context.height)
    if cap.amount == MAX_AMOUNT:
        return
    if not cap.spent or context.height >= cap.window + cap.period:
        cap.window, cap.spent = context.height, 0
    spent = cap.spent + amount
    if spent > cap.amount:
        raise RefusalError(
            ResultCode.OVER_CAP,
            f"the account's cap is {cap.amount} of asset {asset} in {cap.period} blocks",
        )
    cap.spent = spent
    context.state.write(key, cap)
