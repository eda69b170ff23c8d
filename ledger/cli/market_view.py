"""Offers for people and for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rich.console import Console

from ledger.cli.amounts import format_amount
from ledger.cli.chain_names import money
from ledger.cli.ui import escape, human_bytes, human_duration, human_time, short, table
from ledger.experience.content_root import chunk_count
from ledger.market.listing import Listing
from ledger.schema.chain_payment_pb2 import Asset

_SPANS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def listing_json(listing: Listing, asset: Asset) -> dict[str, Any]:
    """Every field of an offer; prices in smallest units and as people write them."""
    record = listing.record
    return {
        "offer": listing.offer.hex(),
        "kind": record.kind,
        "media_type": record.media_type,
        "origin": record.origin,
        "index": record.index,
        "leaf": record.leaf.hex(),
        "fleet": listing.fleet,
        "seller": record.seller.hex(),
        "contract": record.contract.hex(),
        "contract_name": listing.contract.name,
        "version": listing.contract.version,
        "content_root": record.content_root.hex(),
        "size": record.content_size,
        "chunks": chunk_count(record.content_size),
        "start_ns": record.start_ns,
        "end_ns": record.end_ns,
        "age_ns": listing.age_ns if record.end_ns else None,
        "fresh": listing.is_fresh,
        "tags": list(record.tags),
        "topics": list(record.topics),
        "qualities": [quality.words for quality in listing.qualities],
        "asset": asset.symbol,
        "price": listing.price,
        "price_text": money(listing.price, asset),
    }


def show_table(console: Console, found: Sequence[tuple[Listing, Asset]]) -> None:
    """One line an offer, within the width of the console."""
    rows = table("offer", "kind", "robot", "proven", "size", "age", "price")
    for column in rows.columns:
        # What is folded is what has to be read least; a price is never cut in two.
        column.no_wrap = column.header not in ("robot", "kind")
    for listing, asset in found:
        record = listing.record
        rows.add_row(
            short(listing.offer),
            escape(record.kind),
            escape(robot_text(record.origin)),
            "\n".join(quality.words for quality in listing.qualities) or "-",
            human_bytes(record.content_size),
            age_text(listing),
            escape(price_text(listing, asset)),
        )
    console.print(rows)


def robot_text(origin: str) -> str:
    """A log's name without its domain, where enough of it is left: ``couriers/c1``."""
    rest = origin.partition("/")[2]
    return rest if "/" in rest else origin


def price_text(listing: Listing, asset: Asset) -> str:
    """What the whole costs, without zeros at the end: ``0.52 QPU``."""
    if not listing.price:
        return "free"
    amount = format_amount(listing.price, asset.decimals)
    return f"{amount.rstrip('0').rstrip('.') if '.' in amount else amount} {asset.symbol}"


def age_text(listing: Listing) -> str:
    """How long ago a recording ended: ``3 d``; ``-`` where it does not say when."""
    if not listing.record.end_ns:
        return "-"
    seconds = listing.age_ns // 10**9
    for size, name in _SPANS:
        if seconds >= size:
            return f"{seconds // size} {name}"
    return "0 s"


def show_listing(console: Console, listing: Listing, asset: Asset) -> None:
    """Everything that is known of an offer before it is bought."""
    record = listing.record
    console.print(
        f"[bold]offer[/] {listing.offer.hex()}\n"
        f"{escape(record.kind)} of {escape(record.origin)}, entry {record.index}",
        soft_wrap=True,
    )
    rows = table("", "")
    rows.show_header = False
    rows.add_row("sold by", f"{escape(listing.fleet)}, account {record.seller.hex()[:8]}")
    rows.add_row("type", escape(record.media_type))
    start, end = record.start_ns, record.end_ns
    if end:
        rows.add_row(
            "recorded",
            f"{human_time(start)} to {human_time(end)} UTC, {human_duration(end - start)}",
        )
    chunks = chunk_count(record.content_size)
    rows.add_row("size", f"{human_bytes(record.content_size)}, {chunks} chunk(s)")
    rows.add_row("price", escape(money(listing.price, asset)) if listing.price else "free")
    for quality in listing.qualities:
        rows.add_row("proven", quality.words)
    for tag in record.tags:
        rows.add_row("tag", escape(tag))
    if record.topics:
        rows.add_row("topics", escape(", ".join(record.topics)))
    rows.add_row("root", record.content_root.hex())
    console.print(rows)
