"""``quipu log``: list what the log holds."""

from __future__ import annotations

from collections.abc import Iterator

import click
from rich.console import Console

from ledger.checkpoint import Checkpoint
from ledger.cli.entry_view import entry_json, kind_name, summary
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes, human_duration, human_time, short, table
from ledger.experience.entry import Entry, Experience, parse_entry
from ledger.home import HomeReader, open_home


@verb("log")
@click.option("-n", "--last", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--all", "every", is_flag=True, help="List every entry.")
def command(invocation: Invocation, last: int, every: bool) -> None:
    """List the newest entries, oldest first."""
    with open_home(invocation.home) as home:
        size = home.log.size
        start = 0 if every else max(0, size - last)
        signed = _signed_size(home)
        entries = list(_parsed(home, start, size))
        origin = home.log.origin

    def show(console: Console) -> None:
        console.print(f"[bold]{escape(origin)}[/]  {size} entries, signed up to {signed}")
        rows = table("index", "time (UTC)", "length", "what", "messages", "size", "record")
        for index, entry in entries:
            rows.add_row(str(index), *_columns(entry))
        console.print(rows)
        if start:
            console.print(f"[dim]{start} earlier entries: quipu log --all[/]")

    listed = [entry_json(entry, index) for index, entry in entries]
    data = {"origin": origin, "size": size, "signed_size": signed, "entries": listed}
    invocation.output.result(data, show)


def _parsed(home: HomeReader, start: int, size: int) -> Iterator[tuple[int, Entry]]:
    for index, entry in enumerate(home.log.entries(start, size), start):
        yield index, parse_entry(entry)


def _signed_size(home: HomeReader) -> int:
    note = home.log.latest_checkpoint()
    return Checkpoint.of_note(note).size if note else 0


def _columns(entry: Entry) -> tuple[str, ...]:
    match entry.kind:
        case Experience() as experience:
            return (
                human_time(experience.start_ns),
                human_duration(experience.end_ns - experience.start_ns),
                escape(experience.name),
                str(experience.message_count),
                human_bytes(experience.content_size),
                short(experience.record_id),
            )
        case _:
            return "-", "-", f"{kind_name(entry)}: {escape(summary(entry))}", "-", "-", "-"
