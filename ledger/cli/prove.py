"""``quipu prove``: a file with which a stranger can check a claim, offline."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.checkpoint import Checkpoint
from ledger.cli.entry_choice import find_entry
from ledger.cli.files import write_result
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.home import open_home
from ledger.prover import prove_entry


@verb("prove")
@click.argument("entry")
@click.option("-o", "--output", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@click.option(
    "--recording",
    "whole",
    is_flag=True,
    help="Disclose the salt key: whoever has the proof can check the whole recording.",
)
@click.option(
    "--chunk",
    "chunks",
    type=click.IntRange(min=0),
    multiple=True,
    help="Disclose the salt of this 256 KiB chunk only; may be given several times.",
)
def command(
    invocation: Invocation, entry: str, output: Path | None, whole: bool, chunks: tuple[int, ...]
) -> None:
    """Write a proof that ENTRY is in the log, under the newest checkpoint.

    The file holds the entry, its Merkle path and the signed checkpoint (C2SP
    tlog-proof). It discloses nothing of the content unless asked to.
    """
    with open_home(invocation.home) as home:
        index = find_entry(home.log, entry)
        proof = prove_entry(home.experiences, index, disclose_recording=whole, chunks=chunks)
    path = output or Path(f"entry-{index}.tlog-proof")
    # Salts are secrets until they are handed over.
    write_result(path, proof.encode(), private=bool(whole or chunks))
    checkpoint = Checkpoint.of_note(proof.checkpoint_note)
    data = {
        "file": str(path),
        "index": index,
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "hashes": len(proof.path),
        "discloses_recording": whole,
        "discloses_chunks": sorted(set(chunks)),
    }
    invocation.output.text(
        data,
        f"[green]proved[/] entry {index} of {checkpoint.size} with {len(proof.path)} hashes: "
        f"[bold]{escape(str(path))}[/]",
    )
