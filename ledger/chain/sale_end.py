"""How a sale ended, by the results of transactions: its record is gone then.

::

    settled       the price went to royalties and seller, the deposit back to the seller
    complained    price and deposit went to the buyer: a unit was wrong
    refunded      nobody had locked: the deposit went back to the seller; or no key came in
                  time: price and deposit went to the buyer

Anybody may have asked for each of them. The amounts are those of the chain's events, so they
are as good as the results are: whoever reads them proves those first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ledger.chain.result import Result
from ledger.schema.chain_pb2 import (
    EVENT_KIND_ROYALTY_PAID,
    EVENT_KIND_SALE_COMPLAINED,
    EVENT_KIND_SALE_PROPOSED,
    EVENT_KIND_SALE_REFUNDED,
    EVENT_KIND_SALE_SETTLED,
)


class Ending(Enum):
    """What ended a sale."""

    SETTLED = EVENT_KIND_SALE_SETTLED
    COMPLAINED = EVENT_KIND_SALE_COMPLAINED
    REFUNDED = EVENT_KIND_SALE_REFUNDED


_ENDINGS: Final = {each.value: each for each in Ending}


@dataclass(frozen=True, slots=True)
class SaleEnd:
    """The end of a sale."""

    ending: Ending
    amount: int
    """Of the event: the price of a settlement; of the others all that went to one account."""
    royalties: tuple[tuple[bytes, int], ...] = ()
    """(account, share) of each that was paid out of the price."""
    deposit: int | None = None
    """The seller's, as its proposal's result says; None where that was not among the results."""

    @property
    def paid(self) -> int:
        """What the buyer has paid, in smallest units."""
        return self.amount if self.ending is Ending.SETTLED else 0

    def earned_by(self, seller: bytes) -> int:
        """What the seller has of that, after royalties to others."""
        return self.paid - sum(share for account, share in self.royalties if account != seller)

    def lost(self, price: int) -> int:
        """What the seller has lost of its deposit, the sale's price being ``price``."""
        if self.ending is Ending.SETTLED or self.amount == self.deposit:
            return 0
        return max(0, self.amount - price)


def sale_end(sale: bytes, results: Iterable[Result]) -> SaleEnd | None:
    """How the sale of this id ended; None where no result says."""
    deposit: int | None = None
    end: tuple[Ending, int, tuple[tuple[bytes, int], ...]] | None = None
    for result in results:
        for event in result.events:
            if event.subject != sale:
                continue
            if event.kind == EVENT_KIND_SALE_PROPOSED:
                deposit = event.amount
            elif event.kind in _ENDINGS:
                shares = tuple(
                    (each.subject, each.amount)
                    for each in result.events
                    if each.kind == EVENT_KIND_ROYALTY_PAID
                )
                end = _ENDINGS[event.kind], event.amount, shares
    return None if end is None else SaleEnd(*end, deposit)
