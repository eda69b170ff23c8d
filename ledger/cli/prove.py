"""``quipu prove``: a file with which a stranger can check a claim, offline."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.checkpoint import Checkpoint
from ledger.cli.entry_choice import find_entry
from ledger.cli.files import write_result
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.errors import RefusedError
from ledger.experience.content_root import disclose_chunk
from ledger.experience.disclosure import Disclosure, encode_disclosure
from ledger.experience.entry import Experience, parse_entry
from ledger.home import HomeReader, open_home
from ledger.note import SignedNote
from ledger.tlog_proof import TlogProof


@verb("prove")
@click.argument("entry")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False))
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
        proof = _prove(home, index, whole, sorted(set(chunks)))
    path = output or Path(f"entry-{index}.tlog-proof")
    # Salts are secrets until they are handed over.
    write_result(path, proof.encode(), private=bool(whole or chunks))
    checkpoint = Checkpoint.parse(SignedNote.parse(proof.checkpoint_note).text)
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


def _prove(home: HomeReader, index: int, whole: bool, chunks: list[int]) -> TlogProof:
    note = home.log.latest_checkpoint()
    size = Checkpoint.parse(SignedNote.parse(note).text).size if note else 0
    if note is None or index >= size:
        raise RefusedError(
            f"entry {index} is under no checkpoint yet", hint="run `quipu checkpoint` first"
        )
    encoded = home.log.entry(index)
    disclosure = Disclosure(encoded)
    if whole or chunks:
        kind = parse_entry(encoded).kind
        if not isinstance(kind, Experience) or not kind.content_root:
            raise RefusedError(f"entry {index} has no content of its own to disclose")
        keys = home.experiences.keys.get(kind.record_id)
        leaves = home.experiences.tables.leaves(kind.record_id)
        disclosure = Disclosure(
            encoded,
            salt_key=keys.salt_key if whole else None,
            chunks=tuple(disclose_chunk(leaves, keys.salt_key, chunk) for chunk in chunks),
        )
    path = home.log.prove_inclusion(index, size)
    return TlogProof(index, path, note, encode_disclosure(disclosure))
