"""Purchases whose price is locked: what people hear of those that nobody goes on with."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from ledger.cli.chain_access import ChainAccess
from ledger.cli.main import Invocation
from ledger.cli.ui import short
from ledger.market.acquisition import Acquisition
from ledger.market.locked_price import locked_sale, locked_until
from ledger.market.shelf import Shelf, Shelved


def warn_of_locked(
    invocation: Invocation, access: ChainAccess, shelf: Shelf, but: Collection[Path] = ()
) -> None:
    """Say in one line that prices are locked, ``but`` of what is gone on with now.

    The chain is asked only where one is. Raises as it does, and StorageError.
    """
    left = [
        (each, sale)
        for each in shelf.under_way()
        if each.folder not in but
        and (sale := locked_sale(each)) is not None
        and not Acquisition.is_open(each.folder)
    ]
    if not left:
        return
    ends = [locked_until(access, sale) for _, sale in left]
    if len(left) == 1:
        (name,) = (short(each.wish.offer) for each, _ in left)
        until = (
            f"is locked until block {ends[0]}" if ends[0] else "was locked, and its sale is over"
        )
        line = f"the purchase of {name}: its price {until}"
    else:
        first = min((end for end in ends if end), default=0)
        until = f" until block {first} or later" if first else ""
        line = f"{len(left)} purchases: their prices are locked{until}"
    invocation.output.note(f"{line}: quipu buy --resume")


def locked_first(purchases: list[Shelved]) -> list[Shelved]:
    """The same, with those first whose price is locked: the others can wait."""
    return sorted(purchases, key=lambda each: locked_sale(each) is None)
