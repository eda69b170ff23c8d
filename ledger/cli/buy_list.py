"""``quipu buy list|give-up``: purchases that were made, or are under way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.cli.buy_locked import warn_of_locked
from ledger.cli.buy_progress import stage_text
from ledger.cli.buy_tools import (
    credential_option,
    member_file,
    shelf_of,
    shelf_option,
    tools_of,
)
from ledger.cli.chain_access import ChainAccess, chain_option, reading, working
from ledger.cli.chain_names import asset_of, money
from ledger.cli.chain_submit import open_wallet, wallet_option
from ledger.cli.main import Invocation, verb
from ledger.cli.market_view import robot_text
from ledger.cli.ui import escape, human_bytes, short, table
from ledger.errors import MalformedError, NotFoundError, RefusedError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_file import stage_of
from ledger.market.acquisition_states import Abandoned, Abandoning, Bought, Closed, Granted
from ledger.market.buying import NotYetError, abandon
from ledger.market.locked_price import locked_sale, locked_until
from ledger.market.shelf import Shelf, Shelved
from ledger.market.tools import Tools


@verb("list")
@shelf_option
@chain_option
def list_(invocation: Invocation, purchases: Path | None, chain_home: Path | None) -> None:
    """List purchases on the chain, and how far each is."""
    with reading(chain_home) as access:
        shelf = shelf_of(access, purchases)
        rows = [_row(access, each) for each in shelf.all()]
        warn_of_locked(invocation, access, shelf)

    def show(console: Console) -> None:
        if not rows:
            console.print("nothing was bought yet")
            return
        shown = table("offer", "robot", "purpose", "size", "cost", "state")
        for row in rows:
            shown.add_row(
                row["offer"][:8],
                escape(robot_text(row["origin"] or "-")),
                escape(row["purpose"]),
                human_bytes(row["size"]) if row["size"] else "-",
                escape(row["cost"] or "-"),
                row["state"] + (", whole" if row["mode"] == "whole" else ""),
            )
        console.print(shown)

    invocation.output.result({"purchases": rows}, show)


def _row(access: ChainAccess, shelved: Shelved) -> dict[str, Any]:
    state = shelved.state
    granted = state if isinstance(state, Granted) else None
    spent = state.spent if isinstance(state, Closed | Abandoned) else None
    cost = None
    locked = locked_sale(shelved)
    if granted is not None:
        units = granted.grant.price if spent is None else spent
        cost = money(units, asset_of(access, granted.grant.asset))
    return {
        "offer": shelved.wish.offer.hex(),
        "purpose": shelved.wish.purpose,
        "grant": shelved.grant.hex() or None,
        "origin": granted.offer.origin if granted else None,
        "size": granted.grant.content_size if granted else None,
        "spent": spent,
        "cost": cost,
        "state": stage_text(stage_of(state)) if locked is None else "price locked",
        "mode": shelved.wish.mode.name.lower(),
        "stage": stage_of(state).name.lower(),
        "over": shelved.is_over,
        "locked_until": (locked_until(access, locked) or None) if locked else None,
        "folder": str(shelved.folder),
    }


@verb("give-up")
@click.argument("offer")
@credential_option
@wallet_option
@shelf_option
@chain_option
def give_up(
    invocation: Invocation,
    offer: str,
    credential: Path | None,
    wallet_folder: Path | None,
    purchases: Path | None,
    chain_home: Path | None,
) -> None:
    """Give up the purchase of OFFER: close its channel, and take back what was not paid.

    The seller has some blocks to answer; run it again when it says so. What is bought
    whole is not given up while its price is locked.
    """
    member, wallet = member_file(credential), open_wallet(wallet_folder)
    with working(chain_home) as work:
        shelf = shelf_of(work, purchases)
        chosen = _chosen(shelf, offer)
        warn_of_locked(invocation, work, shelf, (chosen.folder,))
        _require_open(chosen)
        state = chosen.state
        asset = asset_of(work, state.grant.asset) if isinstance(state, Granted) else None
        budget = shelf.budget(asset.id if asset else 0)
        tools = tools_of(
            work,
            shelf,
            member=member,
            gaps=None,
            wallet=wallet,
            rest_to=chosen.rest_to,
            storefront=None,
            budget=budget if budget.path.exists() else None,
        )
        with Acquisition.open(chosen.folder) as acquisition:
            over = _abandoned(invocation, acquisition, tools)
    cost = f", {money(over.spent, asset)} spent" if asset else ""
    invocation.output.text(
        {"offer": chosen.wish.offer.hex(), "folder": str(chosen.folder), "spent": over.spent},
        f"[green]given up[/]: the purchase of {short(chosen.wish.offer)}{escape(cost)}",
    )


def _abandoned(invocation: Invocation, acquisition: Acquisition, tools: Tools) -> Abandoned:
    """Give it up, and say what is waited for, if anything is."""
    try:
        return abandon(acquisition, replace(tools, settle_wait_s=0.0))
    except NotYetError as not_yet:
        if not isinstance(acquisition.state, Abandoning):  # its price is locked
            raise
        invocation.output.note(
            f"the channel is closing: waiting up to {tools.settle_wait_s:g} s for the seller to"
            f" agree, or for block {not_yet.until}"
        )
        return abandon(acquisition, tools)


def _require_open(shelved: Shelved) -> None:
    """Refuse what there is nothing to give up of, by how far it is. Raises RefusedError."""
    if isinstance(shelved.state, Closed):
        raise RefusedError(
            "it was bought and paid to the end: there is nothing to give up",
            hint="`quipu buy list` lists what is under way",
        )
    if isinstance(shelved.state, Bought):
        raise RefusedError(
            "all of it was bought and paid: no money is left to bring back",
            hint=f"`quipu buy {short(shelved.wish.offer)} --resume` settles it",
        )


def _chosen(shelf: Shelf, offer: str) -> Shelved:
    if len(offer) < 4:
        raise MalformedError(f"{offer!r} is no offer", hint="give 4 digits of its id or more")
    known = [each for each in shelf.all() if each.wish.offer.hex().startswith(offer.lower())]
    if not known:
        raise NotFoundError(
            f"no purchase of {offer[:70]} was begun", hint="`quipu buy list` lists them"
        )
    return next((each for each in known if not each.is_over), known[-1])
