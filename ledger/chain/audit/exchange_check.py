"""Channels and sales by themselves: what went in is what came out, and to whom it should.

What is still open is listed, so that whoever has money in it knows; so is every complaint
that was upheld. Neither is a failure of the chain.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.chronicle.chronicle import Chronicle
from ledger.chain.chronicle.exchange import price_of
from ledger.chain.chronicle.facts import ChannelFact, SaleFact, SaleStage
from ledger.fsck.findings import AuditTrail, FindingKind

_LISTED = 16


def check_exchange(chronicle: Chronicle, trail: AuditTrail, counters: ChainCounters) -> None:
    """Check every channel and sale of a chronicle, count them, and list what is open."""
    exchange = chronicle.exchange
    channels, sales = list(exchange.channels.values()), list(exchange.sales.values())
    counters.channels, counters.sales = len(channels), len(sales)
    for channel in channels:
        for problem in _wrong_with_channel(channel):
            _find(trail, f"channel {channel.id.hex()}", problem, channel.at.height)
    for sale in sales:
        for problem in _wrong_with_sale(chronicle, sale):
            _find(trail, f"sale {sale.id.hex()}", problem, sale.at.height)
        if sale.stage is SaleStage.COMPLAINED and sale.ended is not None:
            counters.complaints += 1
            trail.note(
                f"sale {sale.id.hex()}: a complaint was upheld in block {sale.ended.height}; "
                f"the buyer has its {_amount(chronicle, sale.asset, sale.price)} back, "
                f"and the seller's {_amount(chronicle, sale.asset, sale.deposit)}"
            )
    _list_open(chronicle, channels, sales, trail, counters)


def _wrong_with_channel(channel: ChannelFact) -> Iterator[str]:
    if channel.claimed > channel.deposit:
        yield f"{channel.claimed} units were claimed of a deposit of {channel.deposit}"
    if channel.royalties > channel.claimed:
        yield f"royalties of {channel.royalties} units were paid out of {channel.claimed}"


def _wrong_with_sale(chronicle: Chronicle, sale: SaleFact) -> Iterator[str]:
    grant = chronicle.sharing.grants.get(sale.grant)
    if grant is None:
        if chronicle.whole:
            yield "it is under a grant that nobody was given"
        return
    if sale.price != price_of(grant):
        yield f"its price is {sale.price} units, and its grant says {price_of(grant)}"
    if sale.deposit != grant.terms.deposit:
        yield f"its deposit is {sale.deposit} units, and its contract says {grant.terms.deposit}"
    if sale.seller != grant.seller or sale.buyer != grant.key:
        yield "its seller and buyer are not those of its grant"
    last = sale.revealed_height + sale.complaint_blocks
    if sale.ended is not None and sale.stage is SaleStage.SETTLED and sale.ended.height <= last:
        yield f"it was paid in block {sale.ended.height}, and its buyer had up to block {last}"


def _list_open(
    chronicle: Chronicle,
    channels: Sequence[ChannelFact],
    sales: Sequence[SaleFact],
    trail: AuditTrail,
    counters: ChainCounters,
) -> None:
    height = chronicle.newest.height
    lines = []
    for channel in channels:
        if channel.closed is None:
            counters.channels_open += 1
            over = "expired, anybody may settle it" if channel.expiry_height <= height else "open"
            held = _amount(chronicle, channel.asset, channel.deposit)
            lines.append(f"channel {channel.id.hex()} is {over}: it holds {held}")
    for sale in sales:
        if sale.stage.is_open:
            counters.sales_open += 1
            held = _amount(chronicle, sale.asset, sale.held)
            lines.append(f"sale {sale.id.hex()}, {sale.stage.value}, holds {held}")
    for line in lines[:_LISTED]:
        trail.note(line)
    if len(lines) > _LISTED:
        trail.note(f"{len(lines) - _LISTED} more channels and sales are open")


def _amount(chronicle: Chronicle, asset: int, units: int) -> str:
    known = chronicle.assets.get(asset)  # not where the block that made it was pruned
    return known.amount(units) if known is not None else f"{units} units"


def _find(trail: AuditTrail, subject: str, message: str, height: int) -> None:
    trail.find(FindingKind.EXCHANGE_WRONG, subject, message, height=height)
