"""``quipu chain replay``: carry every transaction out again, and compare."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ledger.chain.machine.copies import replay_chain
from ledger.chain.machine.home import open_chain
from ledger.cli.chain_access import chain_option, chain_root
from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape


@verb("replay")
@chain_option
@click.option(
    "--to",
    "height",
    type=click.IntRange(min=1, max=2**63 - 1),
    help="Stop after this block [the newest].",
)
@click.option(
    "--into",
    type=click.Path(path_type=Path, readable=False, file_okay=False),
    help="Keep what comes of it as a home of its own [it goes away].",
)
def replay(
    invocation: Invocation, chain_home: Path | None, height: int | None, into: Path | None
) -> None:
    """Carry out all of a chain again, from its genesis on, and compare every header.

    It takes as much room as the chain. `quipu audit --chain` checks more than this.
    """
    started = time.monotonic()
    with (
        open_chain(chain_root(chain_home)) as home,
        _place(into) as place,
        advice("the chain does not follow its rules: quipu audit --chain says more"),
    ):
        done = replay_chain(home, place, stop=height)
    seconds = time.monotonic() - started
    data = {
        "height": done.info.height,
        "app_hash": done.info.app_hash.hex(),
        "blocks": done.blocks,
        "transactions": done.transactions,
        "pruned_attachments": done.pruned_attachments,
        "seconds": round(seconds, 3),
        "chain_home": str(into) if into else None,
    }
    kept = [f"[green]made[/] {escape(str(into))}"] if into else []
    invocation.output.text(
        data,
        f"[bold green]same[/]: {done.blocks} blocks, {done.transactions} transactions, up to "
        f"block {done.info.height}",
        f"hash {done.info.app_hash.hex()}",
        *kept,
    )


@contextmanager
def _place(into: Path | None) -> Iterator[Path]:
    if into is not None:
        yield into.expanduser()
        return
    with tempfile.TemporaryDirectory(prefix="quipu-replay-") as folder:
        yield Path(folder) / "chain"
