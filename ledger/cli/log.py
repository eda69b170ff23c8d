"""``quipu log``: list what the log holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click
from rich.console import Console

from ledger.checkpoint import Checkpoint
from ledger.cli.entry_view import entry_json, kind_name, summary
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes, human_duration, human_time, short, table
from ledger.experience.entry import Entry, Experience, Progress, parse_entry
from ledger.home import HomeReader, open_home

_ENTRIES_A_READ = 512


@dataclass(slots=True)
class Line:
    """An entry to list, and how many before it say less of the same."""

    index: int
    entry: Entry
    earlier: int = 0


@verb("log")
@click.option("-n", "--last", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--all", "every", is_flag=True, help="List every entry.")
def command(invocation: Invocation, last: int, every: bool) -> None:
    """List the newest entries, oldest first.

    A run of progress of one recording is one line, and counts as one, but with --all
    and --json.
    """
    with open_home(invocation.home) as home:
        size = home.log.size
        signed = _signed_size(home)
        origin = home.log.origin
        if every or invocation.output.as_json:
            start = 0 if every else max(0, size - last)
            lines = [Line(index, entry) for index, entry in _parsed(home, start, size)]
        else:
            start, lines = _newest(home, size, last)

    def show(console: Console) -> None:
        console.print(f"[bold]{escape(origin)}[/]  {size} entries, signed up to {signed}")
        rows = table("index", "time (UTC)", "length", "what", "messages", "size", "record")
        for line in lines:
            rows.add_row(str(line.index), *_columns(line))
        console.print(rows)
        if start:
            console.print(f"[dim]{start} earlier entries: quipu log --all[/]")

    listed = [entry_json(line.entry, line.index) for line in lines]
    data = {"origin": origin, "size": size, "signed_size": signed, "entries": listed}
    invocation.output.result(data, show)


def _parsed(home: HomeReader, start: int, size: int) -> Iterator[tuple[int, Entry]]:
    for index, entry in enumerate(home.log.entries(start, size), start):
        yield index, parse_entry(entry)


def _newest(home: HomeReader, size: int, count: int) -> tuple[int, list[Line]]:
    """The newest ``count`` lines, oldest first, with runs of progress as one line a record.

    Also how many entries there are before them.
    """
    lines: list[Line] = []
    run: dict[bytes, Line] = {}  # by record, of the progress that nothing else interrupts
    for stop in range(size, 0, -_ENTRIES_A_READ):
        for index, entry in reversed(list(_parsed(home, max(0, stop - _ENTRIES_A_READ), stop))):
            if not isinstance(entry.kind, Progress):
                run.clear()
            elif known := run.get(entry.kind.record_id):
                known.earlier += 1
                continue
            if len(lines) == count:
                return index + 1, lines[::-1]
            lines.append(Line(index, entry))
            if isinstance(entry.kind, Progress):
                run[entry.kind.record_id] = lines[-1]
    return 0, lines[::-1]


def _signed_size(home: HomeReader) -> int:
    note = home.log.latest_checkpoint()
    return Checkpoint.of_note(note).size if note else 0


def _columns(line: Line) -> tuple[str, ...]:
    entry = line.entry
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
        case Progress() as progress:
            many = f" ({line.earlier + 1} entries)" if line.earlier else ""
            committed = human_bytes(progress.length)
            return "-", "-", f"progress{many}", "-", committed, short(progress.record_id)
        case _:
            return "-", "-", f"{kind_name(entry)}: {escape(summary(entry))}", "-", "-", "-"
