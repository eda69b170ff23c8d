"""``quipu buy budget``: how much may be spent in all, on a purchase, and for each purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.cli.amounts import parse_amount
from ledger.cli.buy_locked import warn_of_locked
from ledger.cli.buy_tools import shelf_of, shelf_option
from ledger.cli.chain_access import ChainAccess, chain_option, reading
from ledger.cli.chain_names import fee_asset, find_asset, money
from ledger.cli.main import Function, Invocation, verb
from ledger.cli.ui import escape, table
from ledger.errors import MalformedError
from ledger.market.budget import Budget, Limits, Standing
from ledger.schema.chain_payment_pb2 import Asset

_NONE = "none"


@click.group("budget")
def budget() -> None:
    """Limit what purchases may cost, from when the first limit is set.

    What is under way counts as spent; what was bought before does not.
    """


def _options(function: Function) -> Function:
    function = click.option("--asset", "symbol", help="By symbol or number [that of fees].")(
        function
    )
    return shelf_option(chain_option(function))


@verb("show")
@_options
def show(
    invocation: Invocation, symbol: str | None, purchases: Path | None, chain_home: Path | None
) -> None:
    """Show the limits, what is spent, and what is left."""
    with reading(chain_home) as access:
        asset = _asset(access, symbol)
        shelf = shelf_of(access, purchases)
        warn_of_locked(invocation, access, shelf)
        kept = shelf.budget(asset.id)
        standing = kept.standing() if kept.path.exists() else Standing(asset.id, Limits())
    _show(invocation, standing, asset, is_made=kept.path.exists())


@verb("set")
@click.option("--total", metavar="AMOUNT", help="In all; 'none' for no limit.")
@click.option("--purchase", metavar="AMOUNT", help="On one purchase; 'none' for no limit.")
@click.option(
    "--purpose",
    "purposes",
    multiple=True,
    metavar="PURPOSE=AMOUNT",
    help="For a purpose; 'none' for no limit of its own; repeatable.",
)
@_options
def set_(
    invocation: Invocation,
    total: str | None,
    purchase: str | None,
    purposes: tuple[str, ...],
    symbol: str | None,
    purchases: Path | None,
    chain_home: Path | None,
) -> None:
    """Set limits; what is not named stays as it is, and what was spent stays spent.

    The first limit begins the count: what was bought before is not in it.
    """
    if total is None and purchase is None and not purposes:
        raise click.UsageError("name a limit: --total, --purchase or --purpose")
    with reading(chain_home) as access:
        asset = _asset(access, symbol)
        shelf = shelf_of(access, purchases)
        warn_of_locked(invocation, access, shelf)
        kept = shelf.budget(asset.id)
    before = kept.standing().limits if kept.path.exists() else Limits()
    limits = Limits(
        before.total if total is None else _limit(total, asset),
        before.purchase if purchase is None else _limit(purchase, asset),
        _purposes(before, purposes, asset),
    )
    begins = not kept.path.exists()
    if begins:
        Budget.create(kept.path, limits, asset.id)
    else:
        kept.set_limits(limits)
    _show(invocation, kept.standing(), asset, is_made=True, begins=begins)


def _purposes(before: Limits, given: tuple[str, ...], asset: Asset) -> dict[str, int]:
    limits = dict(before.purposes)
    for text in given:
        purpose, equals, amount = text.rpartition("=")
        if not equals or not purpose:
            raise MalformedError(
                f"{text[:70]!r} is no limit of a purpose", hint="write it like training=2.50"
            )
        limit = _limit(amount, asset)
        if limit is None:
            limits.pop(purpose, None)
        else:
            limits[purpose] = limit
    return limits


def _limit(text: str, asset: Asset) -> int | None:
    return None if text == _NONE else parse_amount(text, asset.decimals)


def _asset(access: ChainAccess, symbol: str | None) -> Asset:
    return find_asset(access, symbol) if symbol else fee_asset(access.genesis)


def _show(
    invocation: Invocation,
    standing: Standing,
    asset: Asset,
    *,
    is_made: bool,
    begins: bool = False,
) -> None:
    limits = standing.limits
    purposes = sorted({*limits.purposes, *standing.spent, *_reserved(standing)})
    data: dict[str, Any] = {
        "asset": asset.symbol,
        "total": limits.total,
        "purchase": limits.purchase,
        "used": standing.used(),
        "purposes": {
            each: {
                "limit": limits.purposes.get(each),
                "used": standing.used(each),
                "left": standing.left(each),
            }
            for each in purposes
        },
    }

    def text(units: int | None) -> str:
        return "-" if units is None else escape(money(units, asset))

    def show(console: Console) -> None:
        if not is_made:
            console.print("there is no limit: quipu buy budget set")
            return
        if begins:
            console.print("spending counts from now on, and not what was bought before")
        if limits.purchase is not None:
            console.print(f"one purchase may cost {text(limits.purchase)}")
        left = None if limits.total is None else max(0, limits.total - standing.used())
        rows = table("what for", "limit", "spent", "left")
        for column in rows.columns[1:]:
            column.justify = "right"
        for each in purposes:
            own = limits.purposes.get(each)
            rest = None if own is None else max(0, own - standing.used(each))
            rows.add_row(escape(each), text(own), text(standing.used(each)), text(rest))
        rows.add_row("all", text(limits.total), text(standing.used()), text(left))
        console.print(rows)

    invocation.output.result(data, show)


def _reserved(standing: Standing) -> set[str]:
    return {each.purpose for each in standing.reserved.values()}


for _each in (show, set_):
    budget.add_command(_each)
