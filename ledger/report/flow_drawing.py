"""Flows of data and payments between robots and fleets, as SVG: bands as wide as what was paid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ledger.report.markup import Markup, join, tag
from ledger.report.model import Flow
from ledger.report.timeline import WIDTH, clipped
from ledger.report.words import amount, plural, size

_LEFT: Final = 300
_RIGHT: Final = WIDTH - 250
_NODE: Final = 10
_GAP: Final = 30
_ALL: Final = 240
"""Pixels that all bands share on either side."""
_LEAST: Final = 3
_MOST: Final = 20
"""Bands that are drawn; the greatest, where there are more."""
_COLOURS: Final = "abcdef"


@dataclass(frozen=True, slots=True)
class Money:
    """How amounts of the asset of a drawing are written."""

    decimals: int
    symbol: str

    def words(self, units: int) -> str:
        """Units with their decimals and symbol."""
        return amount(units, self.decimals, self.symbol)


@dataclass(slots=True)
class _Node:
    name: str
    beside: str
    top: int
    height: int
    used: int = 0


def flow_drawing(flows: Sequence[Flow], money: Money) -> Markup | None:
    """The drawing of flows of one asset; None where there are none."""
    ordered = sorted(flows, key=lambda flow: (-flow.paid, -flow.granted_bytes, flow.seller))[:_MOST]
    if not ordered:
        return None
    widths = _widths(ordered)
    sellers = _nodes([(flow.seller, flow.seller_fleet) for flow in ordered], widths)
    buyers = _nodes([(flow.buyer_fleet, "") for flow in ordered], widths)
    colours = {name: _COLOURS[at % len(_COLOURS)] for at, name in enumerate(sellers)}
    height = max(_bottom(sellers), _bottom(buyers)) + 14
    _centre(sellers, height)
    _centre(buyers, height)
    bands = [
        _band(flow, width, sellers[flow.seller], buyers[flow.buyer_fleet], colours, money)
        for flow, width in zip(ordered, widths, strict=True)
    ]
    left = [_seller(node, colours[name]) for name, node in sellers.items()]
    right = [_buyer(node, _bought(flows, node.name), money) for node in buyers.values()]
    return tag(
        "svg",
        tag("title", "Which robots sold to which fleets"),
        *bands,
        *left,
        *right,
        view_box=f"0 0 {WIDTH} {height}",
        role="img",
    )


def _widths(flows: Sequence[Flow]) -> list[int]:
    """Pixels of each band: by what was paid, or by data where nothing was."""
    weights = [flow.paid for flow in flows]
    if not any(weights):
        weights = [flow.granted_bytes for flow in flows]
    total = sum(weights) or 1
    return [max(_LEAST, _ALL * weight // total) for weight in weights]


def _nodes(names: Sequence[tuple[str, str]], widths: Sequence[int]) -> dict[str, _Node]:
    nodes: dict[str, _Node] = {}
    for (name, beside), width in zip(names, widths, strict=True):
        node = nodes.setdefault(name, _Node(name, beside, 0, 0))
        node.height += width
    top = 14
    for node in nodes.values():
        node.top = top
        top += max(node.height, 22) + _GAP
    return nodes


def _bottom(nodes: Mapping[str, _Node]) -> int:
    last = list(nodes.values())[-1]
    return last.top + max(last.height, 22)


def _centre(nodes: Mapping[str, _Node], height: int) -> None:
    shift = (height - 14 - _bottom(nodes)) // 2
    for node in nodes.values():
        node.top += shift


def _band(
    flow: Flow, width: int, seller: _Node, buyer: _Node, colours: Mapping[str, str], money: Money
) -> Markup:
    x1, x2, middle = _LEFT + _NODE, _RIGHT, (_LEFT + _NODE + _RIGHT) // 2
    y1, y2 = seller.top + seller.used, buyer.top + buyer.used
    seller.used += width
    buyer.used += width
    said = (
        f"{flow.seller} to {flow.buyer_fleet}: {plural(flow.grants, 'grant')} of "
        f"{size(flow.granted_bytes)}, {money.words(flow.paid)} paid"
    )
    shape = (
        f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}V{y2 + width}"
        f"C{middle} {y2 + width} {middle} {y1 + width} {x1} {y1 + width}Z"
    )
    return tag("path", tag("title", said), d=shape, class_=f"band {colours[flow.seller]}")


def _seller(node: _Node, colour: str) -> Markup:
    middle = node.top + node.height // 2
    where = {"x": _LEFT - 12, "text_anchor": "end"}
    return join(
        tag("rect", x=_LEFT, y=node.top, width=_NODE, height=node.height, class_=colour),
        tag(
            "text",
            tag("title", node.name),
            clipped(node.name, 40),
            y=middle - 1 if node.beside else middle + 4,
            **where,
        ),
        tag("text", clipped(node.beside, 40), y=middle + 14, class_="soft", **where)
        if node.beside
        else None,
    )


def _bought(flows: Sequence[Flow], fleet: str) -> tuple[int, int]:
    mine = [flow for flow in flows if flow.buyer_fleet == fleet]
    return sum(flow.paid for flow in mine), sum(flow.grants for flow in mine)


def _buyer(node: _Node, bought: tuple[int, int], money: Money) -> Markup:
    middle, x = node.top + node.height // 2, _RIGHT + _NODE + 12
    paid, grants = bought
    return join(
        tag("rect", x=_RIGHT, y=node.top, width=_NODE, height=node.height, class_="g"),
        tag("text", tag("title", node.name), clipped(node.name, 30), x=x, y=middle - 1),
        tag(
            "text",
            f"{money.words(paid)} for {plural(grants, 'grant')}",
            x=x,
            y=middle + 14,
            class_="soft",
        ),
    )
