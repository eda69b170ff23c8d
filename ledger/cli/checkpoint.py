"""``quipu checkpoint``: sign the log as it is now."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.checkpoint import Checkpoint
from ledger.cli.files import write_result
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.memory.borrowing import borrow_home


@verb("checkpoint")
@click.option("-o", "--output", type=click.Path(path_type=Path, readable=False, dir_okay=False))
def command(invocation: Invocation, output: Path | None) -> None:
    """Sign size and root of the log. The checkpoint is durable before it is shown.

    Hand it to others: whoever has it can prove that you changed anything before it.
    """
    with borrow_home(invocation.home) as home:
        note = home.log.checkpoint(home.signers())
    checkpoint = Checkpoint.of_note(note)
    if output:
        write_result(output, note)
    data = {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "checkpoint": note.decode(),
    }
    if output:
        lines = [f"[green]wrote[/] {escape(str(output))}"]
    else:
        lines = [escape(line) for line in note.decode().splitlines()]
    invocation.output.text(data, *lines)
