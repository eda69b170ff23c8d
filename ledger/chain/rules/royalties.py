"""Royalties: how what a seller is paid is divided, in a sale and in a stream alike.

A contract's terms name accounts and parts of 10,000. Each share is rounded down, so that all
together are never more than the whole; what is left is the seller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from ledger.chain.account import release
from ledger.chain.working_state import WorkingState
from ledger.schema.chain_sharing_pb2 import Royalty

WHOLE: Final = 10_000
"""The parts of a royalty that are all of a payment."""


def shares_of(
    amount: int, royalties: Iterable[Royalty], seller: bytes
) -> Iterator[tuple[bytes, int]]:
    """Who gets how much of an amount: the royalties' accounts in their order, then the seller.

    Shares of nothing are left out. All of them sum to ``amount``.
    """
    rest = amount
    for royalty in royalties:
        # floor(amount * parts / 10,000)
        share = amount * royalty.parts // WHOLE
        rest -= share
        if share:
            yield royalty.account, share
    if rest:
        yield seller, rest


def pay_shares(
    state: WorkingState, asset: int, amount: int, royalties: Iterable[Royalty], seller: bytes
) -> None:
    """Give an amount that was set aside to the royalties' accounts and the seller."""
    for account, share in shares_of(amount, royalties, seller):
        release(state, account, asset, share)
