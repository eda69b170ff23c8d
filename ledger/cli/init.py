"""``quipu init``: make a home for a robot's memory."""

from __future__ import annotations

import click

from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.home import create_home


@verb("init")
@click.option(
    "--origin",
    help="The log's name, for example example.com/fleet/husky-7 [default: quipu/<key>].",
)
def command(invocation: Invocation, origin: str | None) -> None:
    """Make a home: a new key and an empty log.

    Publish the verifier key that is printed: with it others check your claims.
    """
    with advice("a name has no space and no plus, for example example.com/fleet/husky-7"):
        vkey = create_home(invocation.home, origin)
    invocation.output.text(
        {"home": str(invocation.home), "origin": vkey.name, "vkey": vkey.encode()},
        f"[green]made[/] {escape(str(invocation.home))}, the home of [bold]{escape(vkey.name)}[/]",
        f"verifier key, to publish: [bold]{escape(vkey.encode())}[/]",
        "[dim]next: quipu ingest RECORDING[/]",
    )
