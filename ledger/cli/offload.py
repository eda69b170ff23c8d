"""``quipu offload``: copy recordings elsewhere, read back and checked."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.cli.entry_choice import find_experience
from ledger.cli.failure import advice
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes
from ledger.experience.offload import OffloadReceipt, offload
from ledger.experience.records import Presence
from ledger.home import HomeReader, open_home


@verb("offload")
@click.argument("destination", type=click.Path(path_type=Path, readable=False, file_okay=False))
@click.argument("entries", nargs=-1)
def command(invocation: Invocation, destination: Path, entries: tuple[str, ...]) -> None:
    """Copy the recordings of ENTRIES, or all that are kept here, to DESTINATION.

    Each copy is read back and checked before it counts. Then `quipu prune` may let the
    original go. Sealed recordings stay sealed.
    """
    with open_home(invocation.home) as home:
        records = _records(home, entries)
        # Copied once, and read back once.
        total = 2 * sum(home.experiences.record(r).experience.content_size for r in records)
        receipts: list[OffloadReceipt] = []
        with (
            invocation.output.progress("offloading", total) as advance,
            advice("what is gone from everywhere cannot be copied"),
        ):
            receipts.extend(offload(home.experiences, records, destination, advance))
    copied = sum(receipt.content_size for receipt in receipts if receipt.copied)
    data = {
        "destination": str(destination),
        "records": [
            {
                "record_id": receipt.record_id.hex(),
                "paths": [str(path) for path in receipt.paths],
                "size": receipt.content_size,
                "sealed": receipt.sealed,
                "copied": receipt.copied,
            }
            for receipt in receipts
        ],
    }
    there = sum(not receipt.copied for receipt in receipts)
    invocation.output.text(
        data,
        f"[green]offloaded[/] {len(receipts) - there} recording(s), {human_bytes(copied)}, to "
        f"{escape(str(destination))}; {there} were there already",
    )


def _records(home: HomeReader, entries: tuple[str, ...]) -> list[bytes]:
    if entries:
        return [find_experience(home.log, entry)[2].record_id for entry in entries]
    kept = (Presence.STORED, Presence.IN_PLACE)
    return [r for r, state in home.experiences.tables.states() if state.presence in kept]
