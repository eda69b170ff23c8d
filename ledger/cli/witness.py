"""``quipu witness``: cosign other logs, and have this robot's log cosigned.

Without ``--state`` it is the robot's own witness that is meant, which the robot's
nodes run: its key lies in the home, and what it recorded in the home's store. With
``--state`` it is a witness of its own, that ``serve`` runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from ledger.checkpoint import Checkpoint
from ledger.cli.failure import advice
from ledger.cli.files import read_input, write_result
from ledger.cli.main import Function, Invocation, verb
from ledger.cli.ui import escape, human_time, table
from ledger.cli.vkeys import read_vkeys
from ledger.cli.witness_gather import gather
from ledger.cli.witness_policy import policy
from ledger.cli.witness_serve import serve
from ledger.errors import NotFoundError
from ledger.home import open_home
from ledger.note import SignedNote, VerifierKey
from ledger.storage import Storage
from ledger.witness import WitnessState
from ledger.witnessing.evidence import verify_evidence
from ledger.witnessing.fork_records import ForkRecords
from ledger.witnessing.standalone import WitnessFolder
from ledger.witnessing.witness_key import WitnessKey


@click.group("witness")
def command() -> None:
    """Cosign other robots' checkpoints, and have this robot's cosigned."""


def _state_option(function: Function) -> Function:
    return click.option(
        "--state",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        help="The folder of a witness of its own; without, the robot's witness is meant.",
    )(function)


@contextmanager
def _storage(invocation: Invocation, state: Path | None) -> Iterator[Storage]:
    if state is not None:
        with WitnessFolder(state).read() as storage:
            yield storage
    else:
        with open_home(invocation.home) as home:
            yield home.storage


@verb("key")
@_state_option
@click.option("--create", "name", metavar="NAME", help="Make the key, under this name.")
def key(invocation: Invocation, state: Path | None, name: str | None) -> None:
    """Show the witness's verifier key, for the policies of those who rely on it.

    NAME is a URL without its scheme, as a log's origin is: example.com/husky-7/witness.
    """
    with advice("a name is a URL without its scheme: example.com/husky-7/witness"):
        if state is not None:
            folder = WitnessFolder(state)
            signer = folder.create(name) if name else folder.key.load()
        else:
            with open_home(invocation.home) as home:
                kept = WitnessKey(home.paths.witness_keys)
            signer = kept.create(name) if name else kept.load()
    vkey = signer.verifier_key.encode()
    invocation.output.text({"vkey": vkey}, escape(vkey))


@verb("status")
@_state_option
def status(invocation: Invocation, state: Path | None) -> None:
    """List the logs that the witness follows, how far, and those that forked."""
    with _storage(invocation, state) as storage:
        notes = list(WitnessState(storage).all())
        forks = dict(ForkRecords(storage).all())
    rows = []
    for note in notes:
        checkpoint = Checkpoint.of_note(note)
        time_s = max((_time_of(line) for line in _lines_of(note)), default=0)
        rows.append(
            {
                "origin": checkpoint.origin,
                "size": checkpoint.size,
                "cosigned_s": time_s,
                "forked": checkpoint.origin in forks,
                "checkpoint": note.decode(),
            }
        )

    def show(console: Console) -> None:
        if not rows:
            console.print("no checkpoint was cosigned yet")
            return
        shown = table("log", "size", "cosigned")
        for row in rows:
            mark = "  [bold red]forked[/]" if row["forked"] else ""
            when = human_time(int(str(row["cosigned_s"])) * 10**9)
            shown.add_row(escape(str(row["origin"])) + mark, str(row["size"]), when)
        console.print(shown)

    invocation.output.result({"logs": rows}, show)


def _lines_of(note: bytes) -> list[bytes]:
    """The signatures that have the length of a cosignature: u64be time || 64 bytes."""
    return [
        line.signature
        for line in SignedNote.parse(note).signatures
        if len(line.signature) == _COSIGNATURE_SIZE
    ]


_COSIGNATURE_SIZE = 72


def _time_of(signature: bytes) -> int:
    return int.from_bytes(signature[:8], "big")


@verb("evidence")
@click.argument("origin")
@_state_option
@click.option("-o", "--output", type=click.Path(path_type=Path, readable=False, dir_okay=False))
def evidence(invocation: Invocation, origin: str, state: Path | None, output: Path | None) -> None:
    """Hand out the evidence that the log ORIGIN forked, if the witness has any."""
    with _storage(invocation, state) as storage:
        claim = ForkRecords(storage).of(origin)
    if claim is None:
        raise NotFoundError(
            f"no evidence against {origin}", hint="`quipu witness status` lists what is followed"
        )
    data = claim.encode()
    if output:
        write_result(output, data)
        lines = [f"[green]wrote[/] {escape(str(output))}"]
    else:
        lines = [escape(line) for line in data.decode().splitlines()]
    invocation.output.text({"origin": origin, "evidence": data.decode()}, *lines)


@verb("judge")
@click.argument("file", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@click.option(
    "--key", "keys", multiple=True, required=True, help="A verifier key of the log, or a file."
)
def judge(invocation: Invocation, file: Path, keys: tuple[str, ...]) -> None:
    """Check that FILE is evidence of a fork: that the log's own key signed two histories.

    Exits with 0 if it is, with 1 if it is not.
    """
    vkeys: list[VerifierKey] = read_vkeys(keys)
    data = read_input(file, "evidence of a fork")
    with advice("give what `quipu witness evidence` wrote, and the log's own keys", about=file):
        found = verify_evidence(data, vkeys)
    invocation.output.text(
        {
            "origin": found.origin,
            "sizes": [found.first.checkpoint.size, found.second.checkpoint.size],
        },
        f"[bold red]forked[/]: {escape(str(found))}",
    )


for _each in (key, serve, gather, status, evidence, judge, policy):
    command.add_command(_each)
