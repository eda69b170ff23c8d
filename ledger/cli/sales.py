"""``quipu sales``: what was sold, and the storefront that sells it."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from ledger.chain.proven.chain import ProvenChain
from ledger.chain.state_keys import sale_key
from ledger.cli.chain_access import ChainAccess, ChainWork, chain_option, reading, working
from ledger.cli.chain_names import asset_of, money, parse_fleet, parse_id
from ledger.cli.chain_robot import sponsor_option
from ledger.cli.chain_submit import open_wallet, wallet_option, wallet_root
from ledger.cli.default_verb import DefaultVerb
from ledger.cli.failure import advice
from ledger.cli.main import Function, Invocation, verb
from ledger.cli.market_view import robot_text
from ledger.cli.ui import escape, human_bytes, short, table
from ledger.errors import LockedError, NotFoundError, RefusedError
from ledger.exchange.socket_server import SocketServer
from ledger.exchange.swap_file import read_swap
from ledger.experience.private_folder import make_private_folder
from ledger.home import existing_home
from ledger.market.challenge import CHALLENGE_BLOCKS
from ledger.market.sales_view import WHOLE, SaleView, list_sales, seller_folder
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.market.storefront_places import announced
from ledger.market.till import SellingSettings
from ledger.schema.chain_exchange_pb2 import SaleRecord

DEFAULT_SALES: Final = Path("~/.quipu-sales")
_FOLDER: Final = click.Path(path_type=Path, readable=False, file_okay=False)
_LOOK_EVERY_S: Final = 0.5
_CLOSE_S: Final = 30.0


@click.group("sales", cls=DefaultVerb, default="list")
def command() -> None:
    """Sell what robots' homes offer, and see what it brought.

    \b
    quipu sales                            is short for quipu sales list
    quipu sales serve HOME... --wallet AUTHORITY
    """


def _sales_option(function: Function) -> Function:
    return click.option(
        "--sales",
        "folder",
        type=_FOLDER,
        help="The storefront's folder [QUIPU_SALES, else ~/.quipu-sales].",
    )(function)


def _sales_folder(chosen: Path | None) -> Path:
    return (chosen or Path(os.environ.get("QUIPU_SALES") or DEFAULT_SALES)).expanduser()


@verb("list")
@_sales_option
@chain_option
def list_(invocation: Invocation, folder: Path | None, chain_home: Path | None) -> None:
    """List every sale: to whom nobody knows, of what, how far it is, and what was earned.

    What was earned is after royalties to others.
    """
    root = _sales_folder(folder)
    with reading(chain_home) as access:
        sales = list_sales(root) if root.is_dir() else ()
        rows = [_row(access, root, each) for each in sales]
        earned = _total(access, [(each.asset, each.earned) for each in sales])
        lost = _total(access, [(each.asset, each.lost) for each in sales if each.lost])

    def show(console: Console) -> None:
        if not rows:
            console.print("nothing was sold yet: quipu sales serve")
            return
        shown = table("grant", "robot", "entry", "chunks", "size", "earned", "state")
        for row in rows:
            shown.add_row(
                row["grant"][:8],
                escape(robot_text(row["origin"] or "-")),
                str(row["index"]),
                f"{row['units']}/{row['chunks']}",
                human_bytes(row["size"]),
                escape(row["earned_text"]),
                row["state"]
                + (f", until block {row['closing_until']}" if row["closing_until"] else ""),
            )
        console.print(shown)
        open_ = sum(not each.stage.is_over for each in sales)
        lost_too = f", lost {escape(lost)} of deposits" if lost else ""
        console.print(
            f"[dim]{len(rows)} sale(s), {open_} not settled; earned {escape(earned)}{lost_too}[/]",
            soft_wrap=True,
        )

    invocation.output.result({"folder": str(root), "sales": rows}, show)


def _total(access: ChainAccess, amounts: list[tuple[int, int]]) -> str:
    totals: dict[int, int] = {}
    for asset, units in amounts:
        totals[asset] = totals.get(asset, 0) + units
    return ", ".join(
        money(units, asset_of(access, asset)) for asset, units in sorted(totals.items())
    )


def _row(access: ChainAccess, folder: Path, sale: SaleView) -> dict[str, Any]:
    asset = asset_of(access, sale.asset)
    return {
        "grant": sale.grant.hex(),
        "seller": sale.seller.hex(),
        "offer": sale.offer.hex(),
        "origin": sale.origin,
        "index": sale.index,
        "size": sale.size,
        "chunks": sale.count,
        "units": sale.units,
        "asset": asset.symbol,
        "price": sale.price,
        "paid_by_buyer": sale.paid_by_buyer,
        "earned": sale.earned,
        "earned_text": money(sale.earned, asset),
        "lost": sale.lost,
        "state": sale.stage.name.lower(),
        "atomic": sale.is_atomic,
        "expiry_height": sale.expiry_height,
        "closing_until": _closing_until(access, folder, sale) or None,
    }


def _closing_until(access: ChainAccess, folder: Path, sale: SaleView) -> int:
    """The last height that an atomic sale gives for what comes next; 0 where none is known."""
    if not sale.is_atomic or sale.stage.is_over:
        return 0
    swap = read_swap(seller_folder(folder, sale.seller) / WHOLE, sale.grant)
    record = access.read(SaleRecord, sale_key(swap.sale)) if swap is not None else None
    if record is None:
        return 0
    return record.complaint_height or record.reveal_height or record.lock_height


def _selling_options(function: Function) -> Function:
    function = click.argument("homes", nargs=-1, type=_FOLDER)(function)
    return chain_option(_sales_option(wallet_option(sponsor_option(function))))


@verb("serve")
@click.option(
    "--challenge",
    type=click.IntRange(1),
    metavar="BLOCKS",
    help="Be paid only through channels whose close can be answered for so long "
    f"[{CHALLENGE_BLOCKS}, or what the chain asks for].",
)
@_selling_options
def serve(
    invocation: Invocation,
    challenge: int | None,
    homes: tuple[Path, ...],
    sponsor: str | None,
    wallet_folder: Path | None,
    folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Sell what HOMES [that of --home] offer, until Ctrl-C or SIGTERM.

    Who offered is paid: the authority whose wallet this is, or a robot by its own key. Buyers of
    this user find the storefront by themselves; the socket is in its folder.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with working(chain_home) as work:
        if not work.served:
            raise RefusedError(
                "nobody serves the chain, and buyers could not reach it", hint="quipu chain serve"
            )
        with (
            _storefront(
                invocation, work, homes, sponsor, wallet_folder, folder, challenge
            ) as front,
            ExitStack() as held,
        ):
            held.enter_context(front.watching())
            server = held.enter_context(SocketServer(front.folder, front.answer))
            for account in front.accounts:
                held.enter_context(announced(account, server.path))
            invocation.output.text(
                {
                    "socket": str(server.path),
                    "accounts": [account.hex() for account in front.accounts],
                },
                f"[green]selling[/] at {escape(str(server.path))}, for "
                f"{', '.join(map(short, front.accounts))}",
            )
            sys.stdout.flush()
            _tell(invocation, work, front, stop)


def _tell(
    invocation: Invocation, work: ChainWork, front: Storefront, stop: threading.Event
) -> None:
    """Say of each sale that it began, and how it ended."""
    known = {(each.grant, each.is_atomic): each.stage for each in front.sales}
    while not stop.wait(_LOOK_EVERY_S):
        for each in front.sales:
            which = each.grant, each.is_atomic
            if known.get(which) is each.stage:
                continue
            known[which] = each.stage
            name = f"{each.grant.hex()[:8]}, entry {each.index} of {robot_text(each.origin)}"
            asset = asset_of(work, each.asset)
            says = f"lost {money(each.lost, asset)}" if each.lost else money(each.earned, asset)
            invocation.output.note(f"{each.stage.name.lower()}: {name}, {says}")


@verb("close")
@click.argument("grant")
@_selling_options
def close(
    invocation: Invocation,
    grant: str,
    homes: tuple[Path, ...],
    sponsor: str | None,
    wallet_folder: Path | None,
    folder: Path | None,
    chain_home: Path | None,
) -> None:
    """Take no more payments under GRANT, and have the chain pay what was earned.

    A storefront that runs does so by itself once all is paid, or the grant is over.
    """
    root = _sales_folder(folder)
    with advice("quipu sales serve begins to sell"):
        sales = list_sales(root)
    name = _chosen(sales, grant)
    if all(each.is_atomic for each in sales if each.grant == name):
        raise RefusedError(
            "it is sold whole, and the chain pays once nobody can complain any more",
            hint="quipu sales serve sees to it",
        )
    with (
        working(chain_home) as work,
        _storefront(invocation, work, homes, sponsor, wallet_folder, folder) as front,
    ):
        front.close_sale(name)
        until = time.monotonic() + _CLOSE_S
        sale = _sale(front.sales, name)
        while not sale.stage.is_over and time.monotonic() < until:
            front.look(_LOOK_EVERY_S)
            sale = _sale(front.sales, name)
        row = _row(work, root, sale)
    says = "[green]settled[/]" if sale.stage.is_over else "closing, and waits for a block"
    invocation.output.text(row, f"{says}: {escape(row['earned_text'])} of {name.hex()[:8]}")


def _sale(sales: tuple[SaleView, ...], grant: bytes) -> SaleView:
    return next(each for each in sales if each.grant == grant and not each.is_atomic)


def _chosen(sales: tuple[SaleView, ...], text: str) -> bytes:
    """The grant of one sale, by its id or the first digits of that."""
    # Whole and by the unit are two sales of one grant.
    found = list({each.grant for each in sales if each.grant.hex().startswith(text.lower())})
    if len(text) >= 4 and len(found) == 1:
        return found[0]
    if not found or len(text) < 4:
        raise NotFoundError(f"no sale under {text[:70]!r}", hint="`quipu sales` lists them")
    return parse_id(text, "grant")


@contextmanager
def _storefront(
    invocation: Invocation,
    work: ChainWork,
    homes: tuple[Path, ...],
    sponsor: str | None,
    wallet_folder: Path | None,
    folder: Path | None,
    challenge: int | None = None,
) -> Iterator[Storefront]:
    roots = [root.expanduser() for root in homes] or [invocation.home]
    for root in roots:
        existing_home(root)
    # Robots that offer by themselves need no wallet beside their keys.
    has_wallet = wallet_folder is not None or (wallet_root(None) / "key").is_file()
    wallets = [open_wallet(wallet_folder)] if has_wallet else []
    settings = SellingSettings(challenge, parse_fleet(sponsor, work.chain) if sponsor else b"")
    make_private_folder(_sales_folder(folder))
    # Not shown what is older, later.
    chain = ProvenChain(work.service, work.trust, _sales_folder(folder))
    with SellingHomes(roots) as opened:
        try:
            front = Storefront(_sales_folder(folder), chain, wallets, opened, settings)
        except LockedError as error:
            error.message = f"a storefront runs at {_sales_folder(folder)}: {error.message}"
            error.hint = "it closes what is paid by itself; end it first, or name another --sales"
            raise
        with front:
            yield front


for _each in (list_, serve, close):
    command.add_command(_each)
