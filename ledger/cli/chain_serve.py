"""``quipu chain serve``: the engine of a chain, in the foreground."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

import click

from ledger.chain.engines.server import serve_chain
from ledger.chain.engines.settings import EngineSettings
from ledger.chain.machine.home import ChainPaths, existing_chain
from ledger.cli.chain_access import chain_option, chain_root
from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape

_LOOK_EVERY_S = 1.0


@verb("serve")
@chain_option
@click.option(
    "--block-period",
    "block_period_s",
    type=click.FloatRange(min=0.0, max=3600.0),
    default=0.2,
    show_default=True,
    help="Seconds between blocks, at least.",
)
@click.option(
    "--empty-blocks",
    "empty_block_period_s",
    type=click.FloatRange(min=0.1, max=86_400.0),
    help="Make a block every so many seconds though nobody asks, so that heights pass"
    " (channels expire by height) [never].",
)
@click.option(
    "--kept-heights",
    type=click.IntRange(min=0, max=1_000_000),
    default=256,
    show_default=True,
    help="For how many blocks back the state can be proven.",
)
def serve(
    invocation: Invocation,
    chain_home: Path | None,
    block_period_s: float,
    empty_block_period_s: float | None,
    kept_heights: int,
) -> None:
    """Make blocks of what others submit, and answer them, until Ctrl-C or SIGTERM.

    Listens at CHAIN/chain.sock, for processes of this user.
    """
    root = chain_root(chain_home)
    existing_chain(root)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = EngineSettings(
        block_period_s=block_period_s,
        empty_block_period_s=empty_block_period_s,
        kept_heights=kept_heights,
    )
    with (
        advice("another process may have the chain; end it first"),
        serve_chain(root, settings) as engine,
    ):
        socket, info = ChainPaths(root).socket, engine.info()
        invocation.output.text(
            {
                "socket": str(socket),
                "origin": info.origin,
                "chain": info.chain.hex(),
                "height": info.height,
            },
            f"[green]serving[/] [bold]{escape(info.origin)}[/] from block {info.height} on, at "
            f"{escape(str(socket))}",
        )
        sys.stdout.flush()
        while not stop.wait(_LOOK_EVERY_S):
            engine.submit([])  # raises why, if the engine has stopped
