"""The result for people: what was measured, what it has to be, whether it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Field:
    """One figure of the result; a bound of None is none."""

    name: str
    meaning: str
    at_least: float | None = None
    at_most: float | None = None

    def judge(self, value: float | None) -> dict[str, float | bool] | None:
        """The bound and whether it is met; None where there is no bound."""
        if self.at_least is not None:
            return {"at_least": self.at_least, "met": value is not None and value >= self.at_least}
        if self.at_most is not None:
            return {"at_most": self.at_most, "met": value is not None and value <= self.at_most}
        return None


FIELDS = (
    Field("append_vs_pymerkle", "batch append, times as fast as pymerkle's bulk append", 1.3),
    Field("append_vs_raw", "batch append against the bare loop", 0.7),
    Field("single_vs_raw", "single durable append against bare synced commits", 0.7),
    Field("single_vs_pymerkle", "single durable append, times as fast as pymerkle's", 2),
    Field("prove_vs_pymerkle", "inclusion proofs, times as fast as pymerkle's", 1000),
    Field("prove_per_s", "inclusion proofs a second"),
    Field("verify_per_s", "entries verified against a root a second"),
    Field("audit_vs_raw", "audit of the whole tree against bare SHA-256", 0.4),
    Field("ingest_vs_sha256", "ingest in place, times as fast as openssl's SHA-256", 0.6),
    Field("open_ms", "open, restart rule and sign, ms", at_most=100),
    Field("rss_mb", "most memory while ingesting, MB", at_most=250),
)


def bounds(values: Mapping[str, float | None]) -> dict[str, dict[str, float | bool]]:
    """Every bound, and whether it is met."""
    judged = {field.name: field.judge(values[field.name]) for field in FIELDS}
    return {name: verdict for name, verdict in judged.items() if verdict is not None}


def show(result: Mapping[str, Any], console: Console) -> None:
    """Print a result as tables."""
    console.print(_fields(result))
    console.print(_growth(result))
    figures = Table(title="both sides", title_justify="left", box=None, pad_edge=False)
    figures.add_column("figure", style="dim")
    figures.add_column("", justify="right")
    for name, value in result["figures"].items():
        figures.add_row(name, _number(value))
    console.print(figures)
    facts = ", ".join(f"{name} {value}" for name, value in result["machine"].items() if value)
    console.print(f"[dim]{facts}[/]", highlight=False)


def _fields(result: Mapping[str, Any]) -> Table:
    title = f"{result['entries']:,} entries, a recording of {result['content_bytes']:,} bytes"
    if result["scale"] != 1:
        title += f" (1/{result['scale']} of full size: the bounds are for the whole)"
    table = Table(title=title, title_justify="left")
    table.add_column("field", style="bold")
    table.add_column("what it is")
    table.add_column("measured", justify="right")
    table.add_column("bound", justify="right")
    table.add_column("")
    for field in FIELDS:
        verdict = result["bounds"].get(field.name)
        bound, met = "", ""
        if verdict:
            sign, limit = (">=", field.at_least) if "at_least" in verdict else ("<=", field.at_most)
            bound = f"{sign} {_number(limit)}"
            met = "[green]met[/]" if verdict["met"] else "[bold red]missed[/]"
        table.add_row(field.name, field.meaning, _number(result[field.name]), bound, met)
    return table


def _growth(result: Mapping[str, Any]) -> Table:
    table = Table(title="how cost grows", title_justify="left")
    for heading in result["growth"][0]:
        table.add_column(heading, justify="right")
    for row in result["growth"]:
        table.add_row(*(_number(value) for value in row.values()))
    return table


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
