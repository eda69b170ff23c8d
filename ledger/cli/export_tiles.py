"""``quipu export-tiles``: the log as C2SP tlog-tiles."""

from __future__ import annotations

from pathlib import Path

import click

from ledger.checkpoint import Checkpoint
from ledger.cli.failure import advice
from ledger.cli.files import write_result
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape
from ledger.errors import RefusedError
from ledger.home import open_home
from ledger.storage.os_errors import storage_errors


@verb("export-tiles")
@click.argument("folder", type=click.Path(path_type=Path, readable=False, file_okay=False))
def command(invocation: Invocation, folder: Path) -> None:
    """Write FOLDER/checkpoint and FOLDER/tile/... for the newest checkpoint.

    Any tlog-tiles client can read and check the folder, from disk or from a plain web
    server. Run again, it adds what is new.
    """
    with open_home(invocation.home) as home:
        note = home.log.latest_checkpoint()
        if note is None:
            raise RefusedError("the log has no checkpoint", hint="run `quipu checkpoint` first")
        checkpoint = Checkpoint.of_note(note)
        before = _exported(folder, checkpoint)
        written = 0
        with invocation.output.progress("exporting", 0, in_bytes=False) as advance:
            for path, data in home.log.export_tiles(checkpoint.size, before):
                target = folder / path
                with storage_errors(target):
                    target.parent.mkdir(parents=True, exist_ok=True)
                    target.write_bytes(data)
                written += 1
                advance(1)
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
        # Last, so that a reader never sees a checkpoint whose tiles are missing.
        write_result(folder / "checkpoint", note)
    size = checkpoint.size
    invocation.output.text(
        {"folder": str(folder), "size": size, "previous_size": before, "files": written},
        f"[green]exported[/] {size} entries to {escape(str(folder))}, {written} new files",
    )


def _exported(folder: Path, checkpoint: Checkpoint) -> int:
    """The size of an export that is already in ``folder``."""
    there = folder / "checkpoint"
    if not there.is_file():
        return 0
    with storage_errors(there), advice("choose another folder", about=there):
        old = Checkpoint.of_note(there.read_bytes())
    if old.origin != checkpoint.origin or old.size > checkpoint.size:
        raise RefusedError(
            f"{folder} holds an export of {old.origin} at {old.size} entries",
            hint="choose another folder",
        )
    return old.size
