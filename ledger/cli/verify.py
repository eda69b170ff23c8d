"""``quipu verify``: check a claim with a public key and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.cli.entry_view import entry_json, show_entry
from ledger.cli.failure import advice
from ledger.cli.files import read_input
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import Output, escape
from ledger.cli.vkeys import read_vkeys
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.content_root import CHUNK_SIZE
from ledger.experience.entry import Experience
from ledger.verifier import VerifiedEntry, verify_chunk, verify_proof_file, verify_recording

_PIECE_BYTES = 1 << 20


@verb("verify")
@click.argument("proof", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@click.option(
    "--key",
    "keys",
    multiple=True,
    required=True,
    help="A verifier key of the robot, or a file with one a line.",
)
@click.option("--witness", "witnesses", multiple=True, help="A verifier key of a witness.")
@click.option(
    "--threshold",
    type=click.IntRange(min=0),
    help="How many witnesses must have cosigned [default: all that are given].",
)
@click.option(
    "--recording",
    type=click.Path(path_type=Path, readable=False),
    help="Check this recording, a file or a folder, against the entry.",
)
@click.option(
    "--chunk",
    nargs=2,
    type=(click.IntRange(min=0), click.Path(path_type=Path, readable=False, dir_okay=False)),
    metavar="I FILE",
    help="Check that FILE holds chunk I of the recording.",
)
def command(
    invocation: Invocation,
    proof: Path,
    keys: tuple[str, ...],
    witnesses: tuple[str, ...],
    threshold: int | None,
    recording: Path | None,
    chunk: tuple[int, Path] | None,
) -> None:
    """Check the claim in the file PROOF. Needs no home and no network."""
    data = read_input(proof, "a proof")
    robot_keys, witness_keys = read_vkeys(keys), read_vkeys(witnesses)
    wanted = len(witness_keys) if threshold is None else threshold
    with advice("check the keys; if they are right, do not rely on this claim", about=proof):
        verified = verify_proof_file(data, robot_keys, witness_keys, wanted)
    checked = ["entry"]
    if recording is not None:
        with advice("this is not the recording that was logged", about=recording):
            _check_recording(invocation.output, verified, recording)
        checked.append("recording")
    if chunk is not None:
        number, file = chunk
        with advice("this is not that chunk of what was logged", about=file):
            verify_chunk(verified, number, read_input(file, "a chunk"))
        checked.append(f"chunk {number}")
    invocation.output.result(
        _as_json(verified, checked), lambda console: _show(console, verified, checked)
    )


def _check_recording(output: Output, verified: VerifiedEntry, recording: Path) -> None:
    kind = verified.entry.kind
    if not isinstance(kind, Experience):
        raise RefusedError(
            f"entry {verified.index} is not a recording", hint="check the proof only"
        )
    with output.progress("checking", kind.content_size) as advance:
        verify_recording(verified, _pieces(_files(recording, kind), advance))


def _files(recording: Path, experience: Experience) -> list[Path]:
    """The files of the entry, in its order, under ``recording``."""
    if recording.is_file():
        if len(experience.files) != 1:
            raise RefusedError(
                f"the recording is {len(experience.files)} files", hint="name their folder"
            )
        return [recording]
    paths = [recording / file.name for file in experience.files]
    for path in paths:
        if not path.is_file():
            raise NotFoundError(f"{path} is missing", hint="name the folder of the recording")
    return paths


def _pieces(paths: list[Path], advance: Any) -> Iterator[bytes]:
    for path in paths:
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    advance(len(piece))
                    yield piece
        except OSError as error:
            raise NotFoundError(
                f"{path} cannot be read: {error.strerror}", hint="check the path and the disk"
            ) from error


def _as_json(verified: VerifiedEntry, checked: list[str]) -> dict[str, Any]:
    return {
        "checked": checked,
        "origin": verified.checkpoint.origin,
        "size": verified.checkpoint.size,
        "root": verified.checkpoint.root.hex(),
        "cosignatures": [
            {"witness": signature.key.name, "time_s": signature.time_s}
            for signature in verified.cosignatures
        ],
        "entry": entry_json(verified.entry, verified.index),
    }


def _show(console: Console, verified: VerifiedEntry, checked: list[str]) -> None:
    checkpoint = verified.checkpoint
    console.print(
        f"[bold green]verified[/] {' and '.join(checked)}: in the log "
        f"[bold]{escape(checkpoint.origin)}[/] of {checkpoint.size} entries",
        soft_wrap=True,
    )
    for signature in verified.cosignatures:
        console.print(f"  seen by {escape(signature.key.name)} at {signature.time_s}")
    show_entry(console, verified.entry, verified.index)
    kind = verified.entry.kind
    if isinstance(kind, Experience) and "recording" not in checked and kind.content_root:
        chunks = -(-kind.content_size // CHUNK_SIZE)
        console.print(
            f"[dim]The content ({chunks} chunks) was not looked at: --recording PATH does.[/]"
        )
