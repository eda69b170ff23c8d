"""The books: of each asset, what was minted, and in accounts of which kind it is."""

from __future__ import annotations

from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.facts import WHOLE, SaleStage
from ledger.chain.sponsorship import pool_account
from ledger.report.model import Book, BookLine

_KINDS = (
    "fleets' authorities",
    "fleets' pools",
    "robots",
    "one-time keys of grants",
    "the treasury",
    "other accounts",
    "open channels",
    "open sales",
)


def books(chronicle: Chronicle) -> tuple[Book, ...]:
    """A book for each asset; its lines add up to what was minted."""
    kinds = _kinds(chronicle)
    lines: dict[tuple[int, str], tuple[int, int]] = {}

    def count(asset: int, kind: str, units: int) -> None:
        if units:
            number, total = lines.get((asset, kind), (0, 0))
            lines[asset, kind] = number + 1, total + units

    for account, holdings in chronicle.books.accounts.items():
        for asset, units in holdings.items():
            count(asset, kinds.get(account, "other accounts"), units)
    for channel in chronicle.exchange.channels.values():
        if channel.closed is None:
            count(channel.asset, "open channels", channel.deposit)
    for sale in chronicle.exchange.sales.values():
        count(sale.asset, "open sales", sale.held)
    return tuple(
        Book(
            asset=asset,
            symbol=name.symbol,
            decimals=name.decimals,
            minted=chronicle.books.minted.get(asset, 0),
            lines=tuple(
                BookLine(kind, *lines[asset, kind]) for kind in _KINDS if (asset, kind) in lines
            ),
            royalties=_royalties(chronicle, asset),
        )
        for asset, name in sorted(chronicle.assets.items())
    )


def _kinds(chronicle: Chronicle) -> dict[bytes, str]:
    """What accounts are; where one is several, the last that is written here."""
    kinds = {grant.key: "one-time keys of grants" for grant in chronicle.sharing.grants.values()}
    for robot in chronicle.robots.values():
        kinds.update(dict.fromkeys(robot.keys, "robots"))
    for fleet in chronicle.fleets.values():
        kinds[fleet.authority] = "fleets' authorities"
        kinds[pool_account(fleet.id)] = "fleets' pools"
    kinds[chronicle.genesis.parameters.treasury] = "the treasury"
    return kinds


def _royalties(chronicle: Chronicle, asset: int) -> int:
    total = sum(
        channel.royalties
        for channel in chronicle.exchange.channels.values()
        if channel.asset == asset and channel.closed is not None
    )
    for sale in chronicle.exchange.sales.values():
        if sale.asset == asset and sale.stage is SaleStage.SETTLED:
            total += sum(sale.price * parts // WHOLE for _, parts in sale.royalties)
    return total
