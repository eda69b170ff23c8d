"""A result for people: fields with their bounds, and the figures behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.report import Field


def show(title: str, fields: Sequence[Field], result: Mapping[str, Any], console: Console) -> None:
    """Print a result that has ``fields``, ``bounds`` and ``figures``."""
    table = Table(title=title, title_justify="left")
    for heading in ("field", "what it is", "measured", "bound", ""):
        table.add_column(heading, justify="right" if heading == "measured" else "left")
    for field in fields:
        verdict = result["bounds"].get(field.name)
        bound = met = ""
        if verdict:
            sign = ">=" if "at_least" in verdict else "<="
            bound = f"{sign} {verdict.get('at_least', verdict.get('at_most'))}"
            met = "[green]met[/]" if verdict["met"] else "[bold red]missed[/]"
        table.add_row(field.name, field.meaning, _number(result[field.name]), bound, met)
    console.print(table)
    figures = Table(title="more figures", title_justify="left", box=None, pad_edge=False)
    figures.add_column("figure", style="dim")
    figures.add_column("", justify="right")
    for name, value in result["figures"].items():
        figures.add_row(name, _number(value))
    console.print(figures)


def _number(value: object) -> str:
    return f"{value:,.3g}" if isinstance(value, int | float) else "-"
