"""What sections are made of: headings, tables, ids."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.report.markup import Markup, join, tag
from ledger.report.words import plural, short

_ROWS = 200
"""Rows that a table lists; those beyond are counted."""


def section(title: str, about: str, *parts: Markup | None) -> Markup | None:
    """A section with its heading; none where there is nothing in it."""
    if not any(parts):
        return None
    return tag("section", tag("h2", title), tag("p", about, class_="about"), *parts)


def table(
    heads: Sequence[str], rows: Sequence[Sequence[object]], foot: Sequence[object] = ()
) -> Markup | None:
    """A table; heads that begin with ``#`` are of numbers. None without rows."""
    if not rows:
        return None
    numbers = [head.startswith("#") for head in heads]
    cells = [
        tag("th", head.lstrip("#"), class_="n" if n else None)
        for head, n in zip(heads, numbers, strict=True)
    ]
    beyond = len(rows) - _ROWS
    return join(
        tag(
            "div",
            tag(
                "table",
                tag("thead", tag("tr", *cells)),
                tag("tbody", *(_row(row, numbers) for row in rows[:_ROWS])),
                tag("tfoot", _row(foot, numbers)) if foot else None,
            ),
            class_="scroll",
        ),
        tag("p", f"and {plural(beyond, 'more row')}.", class_="soft small") if beyond > 0 else None,
    )


def _row(cells: Sequence[object], numbers: Sequence[bool]) -> Markup:
    return tag(
        "tr",
        *(
            tag("td", cell, class_="n" if number else None)
            for cell, number in zip(cells, numbers, strict=True)
        ),
    )


def identity(value: str) -> Markup:
    """An id, shortened; the whole of it where the pointer rests."""
    return tag("span", short(value), class_="id", title=value)
