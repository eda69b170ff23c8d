"""What a purchase came to, for people and for programs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from ledger.cli.chain_names import money
from ledger.cli.ui import escape, human_bytes
from ledger.errors import LedgerError
from ledger.exchange.deed import Deed
from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Closed, Kept
from ledger.market.delivery import kept_deed
from ledger.schema.chain_payment_pb2 import Asset


@dataclass(frozen=True, slots=True)
class Ended:
    """A purchase that is over, and where its files were put, if anywhere."""

    acquisition: Acquisition
    end: Closed
    placed: Path | None
    asset: Asset


def result_of(ended: Ended) -> dict[str, Any]:
    """Every field, for ``--json``; amounts in smallest units."""
    end, wish = ended.end, ended.acquisition.wish
    deed = _deed(ended)
    kept = end if isinstance(end, Kept) else None
    return {
        "offer": wish.offer.hex(),
        "purpose": wish.purpose,
        "mode": wish.mode.name.lower(),
        "grant": end.grant.grant.hex(),
        "contract": end.record.contract.hex(),
        "version": end.record.version,
        "seller": end.grant.seller.hex(),
        "origin": end.offer.origin,
        "name": deed.experience.name if deed else None,
        "size": end.grant.content_size,
        "chunks": end.grant.count,
        "asset": ended.asset.symbol,
        "price": end.grant.price,
        "spent": end.spent,
        "revealed": {name: float(value) for name, value in _revealed(deed)},
        "folder": str(ended.acquisition.folder),
        "placed": str(ended.placed) if ended.placed else None,
        "files": [file.name for file in deed.experience.files] if deed else [],
        "record_id": kept.record_id.hex() if kept else None,
        "index": kept.index if kept else None,
    }


def result_lines(ended: Ended) -> list[str]:
    """The same in a few lines."""
    end, deed = ended.end, _deed(ended)
    name = escape(deed.experience.name) if deed else "it"
    size = human_bytes(end.grant.content_size)
    where = f" in [bold]{escape(str(ended.placed))}[/]" if ended.placed else ""
    lines = [f"[green]bought[/] {name} of {escape(end.offer.origin)}: {size}{where}"]
    if end.grant.price:
        fees = end.spent - end.grant.price
        extra = f" and {money(fees, ended.asset)} in fees" if fees > 0 else ""
        lines.append(f"paid {escape(money(end.grant.price, ended.asset) + extra)}")
    if revealed := _revealed(deed):
        shown = ", ".join(f"{name} {float(value):g}" for name, value in revealed)
        lines.append(f"it had hidden: {shown}")
    if isinstance(end, Kept):
        lines.append(f"kept as entry {end.index}, and entry {end.index + 1} says where it is from")
    lines.append(f"[dim]grant {end.grant.grant.hex()}[/]")
    return lines


def _deed(ended: Ended) -> Deed | None:
    try:
        return kept_deed(ended.acquisition.folder)
    except LedgerError:
        return None


def _revealed(deed: Deed | None) -> list[tuple[str, Fraction]]:
    """What the seller hid in its entry and has opened. value = (integer + offset) / scale."""
    if deed is None:
        return []
    committed = {(each.kind, each.source): each for each in deed.experience.commitments}
    return [
        (_name(each.kind, each.source), Fraction(each.value + found.offset, found.scale))
        for each in deed.openings
        if (found := committed.get((each.kind, each.source)))
    ]


def _name(kind: CommitmentKind, source: RewardSource) -> str:
    name = kind.name.lower()
    return name if source is RewardSource.UNSPECIFIED else f"{name}_{source.name.lower()}"
