"""A storefront that sells whole what it does not have: its key opens one wrong unit.

The node and all that it works with are the real ones, but for the unit, and for the leaves
that it says are those of what was granted. ``cheating_storefront.py ORIGIN`` streams a wrong
unit instead, of what that robot recorded; all else it sells as it should.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from quipu_nodes import market

from ledger.chain.sale.identity import sale_id
from ledger.exchange import swap_counter
from ledger.exchange.fairswap import MaskedContent
from ledger.exchange.grant import Grant
from ledger.exchange.swap_file import write_swap
from ledger.exchange.swap_seller import PreparedSwap, SwapDesk
from ledger.market.selling_stock import Stock

WRONG = 1


class Spoilt:
    """A seller's content with one bit of one unit turned over."""

    def __init__(self, honest: Any) -> None:
        self.honest = honest

    def __getattr__(self, name: str) -> Any:
        return getattr(self.honest, name)

    def unit(self, index: int) -> bytes:
        """The unit as it is sold."""
        unit = bytearray(self.honest.unit(index))
        if index == WRONG:
            unit[100] ^= 1
        return bytes(unit)


def main() -> int:
    if sys.argv[1] == "sell":
        spoil_whole_sales()
    else:
        spoil_streams(sys.argv.pop(1))
    return market.main()


def spoil_streams(origin: str) -> None:
    find = Stock.find

    def find_spoilt(stock: Stock, grant: Grant) -> Any:
        content = find(stock, grant)
        return Spoilt(content) if stock.recording(grant.grant).origin == origin else content

    Stock.find = find_spoilt  # type: ignore[method-assign]


def spoil_whole_sales() -> None:
    find, prepare = Stock.find, swap_counter.prepare

    def find_spoilt(stock: Stock, grant: Grant) -> Spoilt:
        return Spoilt(find(stock, grant))

    def prepare_spoilt(
        desk: SwapDesk, grant: Grant, content: Any, told: Callable[[int], None]
    ) -> PreparedSwap:
        row = prepare(desk, grant, content.honest, told).row
        sale = sale_id(grant.chain, grant.grant, row.sequence)
        masked = MaskedContent(sale, content, grant.count)
        row = replace(
            row,
            key=masked.reveal().key,
            unit_root=masked.sold.unit_root,
            masked_leaves=masked.masked_leaves,
        )
        write_swap(desk.folder, row)
        return PreparedSwap(desk, row)

    Stock.find = find_spoilt  # type: ignore[assignment, method-assign]
    swap_counter.prepare = prepare_spoilt  # type: ignore[assignment]


if __name__ == "__main__":
    sys.exit(main())
