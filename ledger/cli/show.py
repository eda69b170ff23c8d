"""``quipu show``: one entry, in full."""

from __future__ import annotations

import click

from ledger.cli.entry_choice import find_entry
from ledger.cli.entry_view import entry_json, show_entry
from ledger.cli.main import Invocation, verb
from ledger.experience.entry import parse_entry
from ledger.home import open_home


@verb("show")
@click.argument("entry")
def command(invocation: Invocation, entry: str) -> None:
    """Show ENTRY: an index, or the start of a record id."""
    with open_home(invocation.home) as home:
        index = find_entry(home.log, entry)
        parsed = parse_entry(home.log.entry(index))
    data = entry_json(parsed, index)
    invocation.output.result(data, lambda console: show_entry(console, parsed, index))
