"""``quipu chain snapshot``: the state after a block in pieces, and a chain made of them."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from ledger.chain.light.trust import Trust
from ledger.chain.machine.copies import restore_chain
from ledger.chain.machine.home import open_chain
from ledger.chain.machine.snapshot import SnapshotInfo, SnapshotStore
from ledger.cli.chain_access import chain_option, chain_root
from ledger.cli.chain_names import parse_id
from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, table
from ledger.cli.vkeys import read_vkeys
from ledger.errors import NotFoundError

_FOLDER = click.Path(path_type=Path, readable=False, file_okay=False)
_MAX_HEIGHT = 2**63 - 1


@click.group("snapshot")
def snapshot() -> None:
    """Take snapshots of a chain's state, and make chains out of them.

    A snapshot is checked as it is restored: by the operator's keys, piece by piece.
    """


@verb("make")
@chain_option
@click.option("--folder", type=_FOLDER, help="Where snapshots are kept [CHAIN/snapshots].")
@click.option(
    "--at",
    "height",
    type=click.IntRange(min=1, max=_MAX_HEIGHT),
    help="Of the state after this block [the newest].",
)
def make(
    invocation: Invocation, chain_home: Path | None, folder: Path | None, height: int | None
) -> None:
    """Take a snapshot. An engine may be at work meanwhile."""
    root = chain_root(chain_home)
    store = SnapshotStore(_folder(root, folder))
    with (
        open_chain(root) as home,
        advice("name a block that a checkpoint ends with, and whose state is kept: --at"),
    ):
        made = store.take(home.storage, height)
    invocation.output.text(
        {**_as_json(made), "folder": str(store.folder)},
        f"[green]took[/] a snapshot of block {made.height}, {made.chunks} piece(s): "
        f"{escape(str(store.folder / str(made.height)))}",
    )


@verb("list")
@chain_option
@click.option("--folder", type=_FOLDER, help="Where snapshots are kept [CHAIN/snapshots].")
def list_(invocation: Invocation, chain_home: Path | None, folder: Path | None) -> None:
    """List the snapshots that are kept, the newest first."""
    found = SnapshotStore(_folder(chain_root(chain_home), folder)).list()

    def show(console: Console) -> None:
        if not found:
            console.print("no snapshot is kept")
            return
        shown = table("block", "pieces", "hash")
        for each in found:
            shown.add_row(str(each.height), str(each.chunks), each.hash.hex())
        console.print(shown)

    invocation.output.result({"snapshots": [_as_json(each) for each in found]}, show)


@verb("restore")
@click.argument("folder", type=_FOLDER)
@click.option("--into", type=_FOLDER, required=True, help="The home that is made.")
@click.option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    help="A verifier key of the chain's operator, or a file with one a line.",
)
@click.option("--id", "chain_id", required=True, metavar="HEX", help="The chain's id.")
@click.option(
    "--at",
    "height",
    type=click.IntRange(min=1, max=_MAX_HEIGHT),
    help="The snapshot of this block [the newest in FOLDER].",
)
def restore(
    invocation: Invocation,
    folder: Path,
    into: Path,
    keys: tuple[str, ...],
    chain_id: str,
    height: int | None,
) -> None:
    """Make a chain's home out of a snapshot in FOLDER, to be read and asked.

    It goes on from that block; what came before is known by its hashes.
    """
    with advice("give the operator's keys, and the chain's id"):
        trust = Trust(parse_id(chain_id, "chain"), read_vkeys(keys))
    store = SnapshotStore(folder)
    if height is None:
        found = store.list()
        if not found:
            raise NotFoundError(f"{folder} holds no snapshot", hint="quipu chain snapshot make")
        height = found[0].height
    chosen = height
    with advice("take the snapshot from somebody else; nothing was made"):
        made = restore_chain(
            into.expanduser(),
            store.manifest(chosen),
            lambda number: store.load_chunk(chosen, number),
            trust,
        )
    invocation.output.text(
        {"chain_home": str(into), "origin": trust.origin, "height": made},
        f"[green]restored[/] [bold]{escape(trust.origin)}[/] at block {made} in "
        f"{escape(str(into))}",
    )


def _folder(root: Path, chosen: Path | None) -> Path:
    return chosen.expanduser() if chosen else root / "snapshots"


def _as_json(info: SnapshotInfo) -> dict[str, object]:
    return {
        "height": info.height,
        "format": info.format,
        "chunks": info.chunks,
        "hash": info.hash.hex(),
    }


for _each in (make, list_, restore):
    snapshot.add_command(_each)
