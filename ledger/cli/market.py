"""``quipu market``: find what is offered on a chain, and what it asks for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from ledger.chain.policy import read_policy
from ledger.chain.proven.chain import ProvenChain
from ledger.cli.amounts import parse_amount
from ledger.cli.chain_access import ChainAccess, ChainWork, chain_option, working
from ledger.cli.chain_names import asset_of, fee_asset, find_asset
from ledger.cli.contract_terms import terms_text
from ledger.cli.contract_words import ContractWords
from ledger.cli.default_verb import DefaultVerb
from ledger.cli.main import Invocation, verb
from ledger.cli.market_view import listing_json, show_listing, show_table
from ledger.cli.ui import escape
from ledger.errors import CorruptStoreError, MalformedError, StorageError
from ledger.experience.private_folder import make_private_folder
from ledger.market.catalogue import Catalogue, find_listing
from ledger.market.listing import Listing, Search, Sort
from ledger.offering import QualityClaim
from ledger.schema.chain_payment_pb2 import Asset

_SPAN: Final = re.compile(r"([1-9][0-9]{0,8}) ?(s|min|h|d|seconds?|minutes?|hours?|days?)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_ID: Final = re.compile(r"[0-9a-fA-F]{64}")
_PREFIX: Final = re.compile(r"[0-9a-fA-F]{4,63}")


@click.group("market", cls=DefaultVerb, default="search")
def command() -> None:
    """Find recordings that are offered on a chain.

    \b
    quipu market                     is short for quipu market search
    quipu market harbour rain --quality 'reward>=0.8' --sort cheapest
    """


@verb("search")
@click.argument("words", nargs=-1)
@click.option("--tag", "tags", multiple=True, metavar="KEY[=VALUE]", help="With this tag.")
@click.option("--topic", "topics", multiple=True, metavar="NAME", help="With this topic.")
@click.option("--kind", default="", help="Of this kind: episode, continuous, recording...")
@click.option("--newer", metavar="SPAN", help="That ended no longer ago, like 12h or 30d.")
@click.option(
    "--quality",
    "claims",
    multiple=True,
    metavar="CLAIM",
    help="With this proven, like 'reward>=0.8' or 'length<=30'.",
)
@click.option("--max-price", metavar="AMOUNT", help="That cost no more, whole.")
@click.option("--asset", "symbol", help="Sold for this asset [with --max-price that of fees].")
@click.option(
    "--sort",
    type=click.Choice([each.value for each in Sort]),
    default=Sort.NEWEST.value,
    show_default=True,
    help="What comes first.",
)
@click.option("--all", "everything", is_flag=True, help="Also what is too old to be granted.")
@chain_option
def search(
    invocation: Invocation,
    words: tuple[str, ...],
    tags: tuple[str, ...],
    topics: tuple[str, ...],
    kind: str,
    newer: str | None,
    claims: tuple[str, ...],
    max_price: str | None,
    symbol: str | None,
    sort: str,
    everything: bool,
    chain_home: Path | None,
) -> None:
    """List what is offered, where every WORD is in the kind, type, robot, a tag or a topic.

    Each offer, its contract and what is proven of it was read from the chain's state with its
    proof. `quipu market show OFFER` says more.
    """
    max_age_ns = parse_span(newer) * 10**9 if newer else None
    qualities = tuple(map(QualityClaim.parse, claims))
    with working(chain_home) as work:
        asset = _asset(work, symbol, max_price)
        wanted = Search(
            " ".join(words),
            tags,
            topics,
            kind,
            max_age_ns,
            parse_amount(max_price, asset.decimals) if max_price and asset else None,
            asset.id if asset else None,
            qualities,
            Sort(sort),
        )
        with _chain(work) as chain:
            catalogue = _catalogue(chain)
            listed = catalogue.search(wanted)
        found = [(each, asset_of(work, each.terms.asset)) for each in listed]
        height = catalogue.height
    shown = [each for each in found if everything or each[0].is_fresh]
    stale = len(found) - len(shown)

    def show(console: Console) -> None:
        if shown:
            show_table(console, shown)
        says = f"{len(shown)} offer{'' if len(shown) == 1 else 's'}"
        if not shown:
            says = "nothing that is offered fits" if _asks(invocation) else "nothing is offered"
        if stale:
            says += f"; {stale} too old to be granted: --all"
        elif shown:
            says += "; more of one: quipu market show OFFER"
        console.print(f"[dim]{says}[/]", soft_wrap=True)

    data: dict[str, Any] = {
        "height": height,
        "offers": [listing_json(*each) for each in shown],
        "stale": stale,
    }
    invocation.output.result(data, show)


@verb("show")
@click.argument("offer")
@chain_option
def show_(invocation: Invocation, offer: str, chain_home: Path | None) -> None:
    """Show OFFER, an id or the first digits of one, and its contract in plain words."""
    with working(chain_home) as work:
        listing = find_offer(work, offer)
        asset = asset_of(work, listing.terms.asset)
        words = contract_words(work, listing)
    title = f"{listing.contract.name}, version {listing.contract.version}"

    def show(console: Console) -> None:
        show_listing(console, listing, asset)
        console.print(f"[bold]{escape(title)}[/]", soft_wrap=True)
        for line in (*words.policy, *words.terms):
            console.print(escape(line), soft_wrap=True)
        if not listing.is_fresh:
            console.print("[yellow]It is older than that: it is not granted any more.[/]")
            return
        console.print(
            f"[dim]next: quipu buy {listing.offer.hex()[:8]} --purpose PURPOSE[/]", soft_wrap=True
        )

    said = {"policy": list(words.policy), "terms": list(words.terms)}
    invocation.output.result({**listing_json(listing, asset), **said}, show)


@contextmanager
def _chain(work: ChainWork) -> Iterator[ProvenChain]:
    """The chain, never older than any search was shown it, where there is room to remember."""
    folder = _cache()
    try:
        make_private_folder(folder)
        chain = ProvenChain(work.service, work.trust, folder)
    except CorruptStoreError:
        raise
    except StorageError:
        chain = ProvenChain(work.service, work.trust)
    yield chain
    with suppress(StorageError):
        chain.keep()


def _cache() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return cache / "quipu" / "market"


def _catalogue(chain: ProvenChain) -> Catalogue:
    """The offers of a chain, looked for up to its newest block."""
    try:
        catalogue = Catalogue(chain, _cache() / chain.chain.hex())
        catalogue.update()
    except StorageError:  # a place to remember the walk in is a help, and no more
        catalogue = Catalogue(chain)
        catalogue.update()
    return catalogue


def find_offer(work: ChainWork, text: str) -> Listing:
    """The offer that a whole id, or its first digits, name. Raises NotFoundError."""
    if not _ID.fullmatch(text) and not _PREFIX.fullmatch(text):
        raise MalformedError(
            f"{text[:70]!r} is no offer", hint="give 4 digits of its id or more: quipu market"
        )
    with _chain(work) as chain:
        if _ID.fullmatch(text):
            return find_listing(chain, bytes.fromhex(text))
        catalogue = _catalogue(chain)
        return catalogue.find(catalogue.resolve(text))


def contract_words(access: ChainAccess, listing: Listing) -> ContractWords:
    """The contract of an offer in plain words."""
    terms = terms_text(access, listing.contract.name, listing.terms)
    return ContractWords.of(read_policy(listing.version.policy), terms)


def parse_span(text: str) -> int:
    """``90s``, ``12h`` or ``30 days`` in seconds. Raises MalformedError."""
    found = _SPAN.fullmatch(text)
    if found is None:
        raise MalformedError(f"{text[:40]!r} is no span of time", hint="write it like 12h or 30d")
    return int(found[1]) * _SECONDS[found[2][0]]


def _asset(work: ChainWork, symbol: str | None, max_price: str | None) -> Asset | None:
    """The asset that is asked for; a price is one of some asset."""
    if symbol:
        return find_asset(work, symbol)
    return fee_asset(work.genesis) if max_price else None


def _asks(invocation: Invocation) -> bool:
    """Whether the search left anything out."""
    asked = click.get_current_context().params
    return any(asked[name] for name in ("words", "tags", "topics", "kind", "newer", "claims")) or (
        asked["max_price"] is not None or asked["symbol"] is not None
    )


for _each in (search, show_):
    command.add_command(_each)
