"""``quipu erase``: destroy recordings and their keys, and say what remains elsewhere."""

from __future__ import annotations

import sys

import click
from rich.console import Console

from ledger.cli.entry_choice import find_experience
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import Output, escape, printable, short
from ledger.errors import RefusedError
from ledger.experience.erasure import ErasureReport, erase
from ledger.home import open_home
from ledger.memory.borrowing import borrow_home


@verb("erase")
@click.argument("entries", nargs=-1, required=True)
@click.option("--reason", default="", help="Goes into the log, where everybody can read it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(invocation: Invocation, entries: tuple[str, ...], reason: str, yes: bool) -> None:
    """Erase the recordings of ENTRIES for good.

    Keys and content are destroyed; the log stays whole, and says that it was done. Copies
    outside the home are named: they are yours to delete.
    """
    with open_home(invocation.home) as reader:
        chosen = [find_experience(reader.log, entry)[2] for entry in entries]
    if not yes:  # asked before the home is borrowed: nobody should wait for the answer
        _confirm(invocation.output, [experience.name for experience in chosen])
    with borrow_home(invocation.home) as home:
        report = erase(home.experiences, [each.record_id for each in chosen], reason)
    data = {
        "erased": {record.hex(): index for record, index in report.entries.items()},
        "still_readable": report.still_readable,
        "stray_links": report.stray_links,
        "surviving": [
            {
                "record_id": file.record_id.hex(),
                "path": str(file.path),
                "kind": file.kind.name.lower(),
                "altered": file.altered,
            }
            for file in report.surviving
        ],
    }
    invocation.output.result(data, lambda console: _show(console, report))


def _confirm(output: Output, names: list[str]) -> None:
    """Ask a person. Raises `RefusedError` where the answer is no, or nobody can be asked."""
    if not output.as_json and sys.stdin is not None and sys.stdin.isatty():
        shown = ", ".join(printable(name) for name in names)
        if click.confirm(f"Erase {shown} for good?", err=True):
            return
    raise RefusedError("nothing was erased: it was not confirmed", hint="confirm it with --yes")


def _show(console: Console, report: ErasureReport) -> None:
    for record, index in report.entries.items():
        console.print(f"[green]erased[/] record {short(record)}, logged as entry {index}")
    for file in report.surviving:
        state = "altered since" if file.altered else "[bold red]still readable[/]"
        kind = file.kind.name.lower().replace("_", " ")
        console.print(f"{state}: {escape(str(file.path))} ({kind})", soft_wrap=True)
    if report.stray_links:
        console.print(
            f"[bold red]still readable[/]: {report.stray_links} hard link(s) at paths we do not "
            "know; find them by inode before you trust the erasure",
            soft_wrap=True,
        )
    if report.still_readable:
        console.print("Delete what is listed, then run this again to see that nothing is left.")
