"""Royalties: how what a seller is paid is divided, in a sale and in a stream alike.

A contract's terms name accounts and parts of 10,000. Each share is rounded down, so that all
together are never more than the whole; what is left is the seller's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.chain.account import release
from ledger.chain.context import Context
from ledger.schema.chain_pb2 import EVENT_KIND_ROYALTY_PAID
from ledger.schema.chain_sharing_pb2 import Royalty

WHOLE: Final = 10_000
"""The parts of a royalty that are all of a payment."""


def shares_of(
    amount: int, royalties: Iterable[Royalty]
) -> tuple[tuple[tuple[bytes, int], ...], int]:
    """(account, share) of each royalty that is not nothing, and what is left for the seller."""
    # floor(amount * parts / 10,000)
    shares = tuple((each.account, amount * each.parts // WHOLE) for each in royalties)
    rest = amount - sum(share for _, share in shares)
    return tuple(each for each in shares if each[1]), rest


def pay_out(
    context: Context, asset: int, amount: int, royalties: Iterable[Royalty], seller: bytes
) -> None:
    """Give an amount that was set aside to the royalties' accounts and the seller."""
    shares, rest = shares_of(amount, royalties)
    for account, share in shares:
        release(context.state, account, asset, share)
        context.emit(EVENT_KIND_ROYALTY_PAID, account, share)
    if rest:
        release(context.state, seller, asset, rest)
