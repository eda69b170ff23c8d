"""``quipu buy order``: begin a purchase, or take it up, and drive it to its end."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click

from ledger.chain.notices import Held, notice_of
from ledger.cli.amounts import parse_amount
from ledger.cli.buy_locked import locked_first, warn_of_locked
from ledger.cli.buy_progress import shown_progress, stopping
from ledger.cli.buy_refusals import told_plainly
from ledger.cli.buy_result import Ended, result_lines, result_of
from ledger.cli.buy_tools import (
    credential_options,
    home_to_keep,
    member_file,
    proven_chain,
    shelf_of,
    shelf_option,
    tools_of,
)
from ledger.cli.chain_access import ChainWork, chain_option, working
from ledger.cli.chain_names import asset_of, money
from ledger.cli.chain_submit import open_wallet, wallet_option
from ledger.cli.failure import PartlyDoneError, advice
from ledger.cli.main import Invocation, verb
from ledger.cli.market import find_offer
from ledger.cli.market_view import robot_text
from ledger.cli.ui import human_bytes, printable, short
from ledger.errors import LedgerError, NotFoundError, RefusedError
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Closed, Granted, Kept
from ledger.market.buying import AcquisitionCancelledError, acquire, progress_of
from ledger.market.delivery import kept_deed
from ledger.market.listing import Listing
from ledger.market.placing import place, placed
from ledger.market.shelf import Shelf, Shelved
from ledger.market.tools import Home, Progress, Tools
from ledger.market.uses import Uses
from ledger.market.wish import Mode, Wish
from ledger.schema.chain_payment_pb2 import Asset

_PATH: Final = click.Path(path_type=Path, readable=False)
_DIGITS: Final = re.compile(r"[0-9a-fA-F]{4,64}")


@verb("order")
@click.argument("offer", required=False)
@click.option("--purpose", help="What it is for; on the chain for ever.")
@click.option("--whole", is_flag=True, help="All of it at once, or the money back.")
@click.option("--max-price", metavar="AMOUNT", help="The most that the whole of it may cost.")
@click.option("--yes", is_flag=True, help="Do not ask whether the price is right.")
@click.option("--into", type=_PATH, help="The folder to make of it [its name, here].")
@click.option("--keep", is_flag=True, help="Keep it in the home, as --home DIRECTORY does.")
@click.option("--encrypt", is_flag=True, help="With --keep: sealed under a key of its own.")
@click.option("--level", type=click.IntRange(min=0), help="To prove [the least that will do].")
@click.option("--role", help="To show [none, unless the contract asks for it].")
@click.option("--again", is_flag=True, help="Buy it though it was bought before.")
@click.option("--resume", is_flag=True, help="Go on with OFFER, or all that was stopped.")
@credential_options
@wallet_option
@shelf_option
@chain_option
def order(
    invocation: Invocation,
    offer: str | None,
    purpose: str | None,
    whole: bool,
    max_price: str | None,
    yes: bool,
    into: Path | None,
    keep: bool,
    encrypt: bool,
    level: int | None,
    role: str | None,
    again: bool,
    resume: bool,
    credential: Path | None,
    gaps: Path | None,
    own_money: bool,
    storefront: Path | None,
    wallet_folder: Path | None,
    purchases: Path | None,
    chain_home: Path | None,
) -> None:
    """Buy OFFER, an id or the first digits of one, chunk by chunk.

    A purchase that was stopped is taken up by the same command. The fleet's pool pays, by the
    wallet of its authority; the seller learns the fleet and no more of who buys.

    With --whole the seller puts up the contract's deposit and gives everything locked. The
    price is locked too, and the key comes: if it opens all that was offered the seller is
    paid, else price and deposit come back. Stopped in between, go on soon: a wrong chunk
    is complained of only in time.
    """
    if offer is None and not resume:
        raise click.UsageError("name the OFFER to buy, or give --resume")
    if offer is None and into is not None:
        raise click.UsageError("--into is of one OFFER")
    if into is not None and (into.exists() or into.is_symlink()):
        raise RefusedError(f"{into} is there already", hint="name a new folder with --into")
    home = home_to_keep(invocation, keep)
    if encrypt and home is None:
        raise click.UsageError("--encrypt needs --home or --keep")
    member, wallet = member_file(credential), open_wallet(wallet_folder)
    if home is not None:
        _require_home(home)
    with working(chain_home) as work:
        shelf = shelf_of(work, purchases)

        def go_on(acquisition: Acquisition, rest_to: bytes | None, asset: Asset) -> Ended:
            budget = shelf.budget(asset.id)
            try:
                with acquisition:
                    tools = tools_of(
                        work,
                        shelf,
                        member=member,
                        gaps=gaps,
                        wallet=wallet,
                        rest_to=rest_to,
                        storefront=storefront,
                        budget=budget if budget.path.exists() else None,
                        home=home,
                        seal=encrypt,
                    )
                    end = _driven(invocation, acquisition, tools, asset)
                    folder = _placed(acquisition, offer, into, home is None or into is not None)
            finally:
                # Where nobody gave anything, nothing stays.
                shelf.clear(acquisition.wish.offer, Uses(member))
            return Ended(acquisition, end, folder, asset)

        mode = Mode.WHOLE if whole else Mode.STREAM
        started = [] if again else _started(work, shelf, offer, resume, into)
        warn_of_locked(invocation, work, shelf, [each.folder for each in started])
        if whole:
            for each in started:
                each.require_mode(mode)
        if started:
            ended = []
            for each in started:
                invocation.output.note(
                    f"going on with the purchase of {short(each.wish.offer)}, {each.folder}"
                )
                asset = _asset_of(work, each)
                ended.append(go_on(Acquisition.open(each.folder), each.rest_to, asset))
        elif resume:
            ended = []
        else:
            listing = find_offer(work, offer or "")
            asset = asset_of(work, listing.terms.asset)
            wish = _wish(listing, asset, purpose, max_price, level, role, mode)
            if not yes and max_price is None:
                _confirm(invocation, shelf, listing, asset, wish)
            rest_to = wallet.account if own_money else None
            shelf.clear(listing.offer, Uses(member))
            ended = [go_on(shelf.begin(wish, rest_to), rest_to, asset)]
    told = [result_of(each) for each in ended]
    data = told[0] if len(told) == 1 and offer else {"purchases": told}
    lines = [line for each in ended for line in result_lines(each)]
    invocation.output.text(data, *(lines or ["no purchase is under way"]))


def _started(
    work: ChainWork, shelf: Shelf, offer: str | None, resume: bool, into: Path | None
) -> list[Shelved]:
    """Purchases to go on with. Raises RefusedError for what is had already."""
    if offer is None:
        return locked_first([each for each in shelf.under_way() if not each.is_naught])
    name = offer.lower()
    if not _DIGITS.fullmatch(name):
        return []
    known = [each for each in shelf.all() if each.wish.offer.hex().startswith(name)]
    open_ = [each for each in known if each in shelf.under_way() and not each.is_naught]
    if open_:
        return open_[-1:]
    had = [each for each in known if each.is_had]
    if not had:
        if resume:
            raise NotFoundError(
                f"no purchase of {offer} is under way", hint="`quipu buy list` lists them"
            )
        return []
    last = had[-1]
    there = [place for place in placed(last.folder) if place.exists()]
    is_kept = isinstance(last.state, Kept) and into is None
    if there or is_kept or not (last.folder / "files").is_dir():
        raise RefusedError(
            f"it was bought already{_where(last, there)}",
            hint="--again buys it once more, for another use of the contract",
        )
    chain = proven_chain(work, shelf)
    notice = notice_of(chain, Held(last.grant, last.wish.offer))
    chain.keep()
    if notice is not None:
        raise RefusedError(
            "consent of it was withdrawn since it was bought",
            hint=f"quipu grant erase {short(last.grant)}",
        )
    return [last]  # its copies are gone: it is placed once more, and costs nothing


def _where(shelved: Shelved, there: list[Path]) -> str:
    """Where something is that was bought, in words."""
    if there:
        return f": {there[0]}"
    if isinstance(shelved.state, Kept):
        return f", and kept in a home as record {short(shelved.state.record_id)}"
    return ", and erased"


def _wish(
    listing: Listing,
    asset: Asset,
    purpose: str | None,
    max_price: str | None,
    level: int | None,
    role: str | None,
    mode: Mode,
) -> Wish:
    if not purpose:
        raise click.UsageError("say what it is for: --purpose")
    # The price that was seen is the most: a contract may be amended before it is granted.
    most = listing.price if max_price is None else parse_amount(max_price, asset.decimals)
    with advice("see: quipu buy order --help"):
        return Wish(listing.offer, purpose, most, level, role, mode=mode)


def _confirm(
    invocation: Invocation, shelf: Shelf, listing: Listing, asset: Asset, wish: Wish
) -> None:
    """Ask a person whether the price is right, unless a budget says so. Raises RefusedError."""
    price = money(listing.price, asset)
    budget = shelf.budget(asset.id)
    if not listing.price or (
        budget.path.exists() and budget.standing().left(wish.purpose) is not None
    ):
        return
    if not invocation.output.as_json and sys.stdin is not None and sys.stdin.isatty():
        record = listing.record
        what = f"{record.kind}, {human_bytes(record.content_size)} of {robot_text(record.origin)}"
        if click.confirm(f"Buy {printable(what)} for {price}?", err=True):
            return
    raise RefusedError(
        f"nothing was bought: it costs {price}, and nobody said that it may",
        hint=f"--max-price {price.split()[0]}, --yes, or quipu buy budget set",
    )


def _driven(invocation: Invocation, acquisition: Acquisition, tools: Tools, asset: Asset) -> Closed:
    """Drive it, showing how far it is. What was done goes into the JSON of an error."""
    last = progress_of(acquisition)

    def heard(progress: Progress) -> None:
        nonlocal last
        last = progress
        told(progress)

    with (
        stopping(invocation.output) as cancelled,
        shown_progress(invocation.output, last, lambda units: money(units, asset)) as told,
    ):
        try:
            with (
                told_plainly(asset, acquisition.wish.mode, lambda: last.paid),
                _not_kept_yet(acquisition),
            ):
                return acquire(acquisition, tools, heard, cancelled)
        except Exception as problem:
            raise PartlyDoneError(_so_far(acquisition, last)) from problem


def _require_home(home: Home) -> None:
    """Find out that nothing could be kept before anything is paid."""
    with home():
        pass


@contextmanager
def _not_kept_yet(acquisition: Acquisition) -> Iterator[None]:
    """Say of what keeps the home from keeping it that the money is not lost."""
    try:
        yield
    except (RefusedError, AcquisitionCancelledError):  # consent was withdrawn; Ctrl-C
        raise
    except LedgerError as error:
        if type(acquisition.state) is Closed:
            error.message = f"it is bought, and not yet kept: {error.message}"
            first = f"{error.hint}; then " if error.hint else ""
            error.hint = f"{first}the same command, without --again, keeps it and pays nothing"
        raise


def _so_far(acquisition: Acquisition, progress: Progress) -> dict[str, Any]:
    return {
        "offer": acquisition.wish.offer.hex(),
        "folder": str(acquisition.folder),
        "stage": progress.stage.name.lower(),
        "chunks": progress.units,
        "chunks_here": progress.kept,
        "chunks_opened": progress.opened,
        "paid": progress.paid,
    }


def _placed(
    acquisition: Acquisition, offer: str | None, into: Path | None, wanted: bool
) -> Path | None:
    """Put the files where they are wanted; the folder."""
    if not wanted:
        return None
    target = into if offer is not None else None
    if target is None:
        name = Path(kept_deed(acquisition.folder).experience.name).name
        target = Path(name or "bought")
        beside, number = f"{target}-{short(acquisition.wish.offer)}", 1
        while target.exists() or target.is_symlink():
            target = Path(beside if number == 1 else f"{beside}.{number}")
            number += 1
    try:
        place(acquisition.folder, target)
    except LedgerError as error:
        error.message = f"it is bought, and not yet in its place: {error.message}"
        error.hint = "the same command puts it there, and pays nothing; --into names a place"
        raise
    return target


def _asset_of(work: ChainWork, shelved: Shelved) -> Asset:
    state = shelved.state
    if isinstance(state, Granted):
        return asset_of(work, state.grant.asset)
    return asset_of(work, find_offer(work, shelved.wish.offer.hex()).terms.asset)
