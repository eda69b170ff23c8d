"""``quipu witness gather``: have this robot's newest checkpoint cosigned over HTTP."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from ledger.checkpoint import Checkpoint
from ledger.cli.exit_code import ExitCode
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, table
from ledger.cli.witness_policy import policy_option, read_policy
from ledger.errors import RefusedError
from ledger.home import open_home
from ledger.memory.borrowing import borrow_home
from ledger.note import VerifierKey
from ledger.witnessing.gathering import Gatherer, GatherReport, Reply
from ledger.witnessing.http_client import DEFAULT_TIMEOUT_S, HttpWitness


class _HomeCheckpoints:
    """A home's checkpoints, opened for each call: nobody is kept from writing meanwhile."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Lock()  # a store can be open once in a process

    def latest_checkpoint(self) -> bytes | None:
        with self._lock, open_home(self._root) as home:
            return home.log.latest_checkpoint()

    def prove_consistency(self, old_size: int, size: int) -> tuple[bytes, ...]:
        with self._lock, open_home(self._root) as home:
            return home.log.prove_consistency(old_size, size)

    def merge_cosignatures(
        self, size: int, lines: bytes, witness_keys: Sequence[VerifierKey]
    ) -> bytes:
        with self._lock, borrow_home(self._root) as home:
            return home.log.merge_cosignatures(size, lines, witness_keys)


@verb("gather")
@policy_option
@click.option(
    "--timeout",
    "timeout_s",
    type=click.FloatRange(min=0.1),
    default=DEFAULT_TIMEOUT_S,
    show_default=True,
    help="Seconds that one witness may take.",
)
def gather(invocation: Invocation, policy_file: Path, timeout_s: float) -> None:
    """Ask the witnesses of a policy, those with a URL, to cosign the newest checkpoint.

    What they give is kept with the checkpoint and goes into every proof from then on.
    Exits with 1 if the policy's quorum is not met.
    """
    policy = read_policy(policy_file)
    transports = {
        each.name: HttpWitness(each.url, timeout_s) for each in policy.witnesses if each.url
    }
    if not transports:
        raise RefusedError(
            f"no witness in {policy_file} has a URL",
            hint="write it after the witness's key: witness NAME VKEY http://host:port",
        )
    report = Gatherer(_HomeCheckpoints(invocation.home), policy, transports).gather()
    checkpoint = Checkpoint.of_note(report.note)
    met = report.verdict.quorum_met
    invocation.output.result(
        {
            "ok": met,
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "cosigned": list(report.verdict.cosigned),
            "replies": {
                name: {"reply": each.reply.name.lower(), "detail": each.detail}
                for name, each in report.replies.items()
            },
            "checkpoint": report.note.decode(),
        },
        lambda console: _show(console, report, checkpoint),
    )
    if not met:
        click.get_current_context().exit(ExitCode.NOT_VERIFIED)


def _show(console: Console, report: GatherReport, checkpoint: Checkpoint) -> None:
    shown = table("witness", "reply", "")
    for name, each in report.replies.items():
        colour = "green" if each.reply in (Reply.COSIGNED, Reply.THERE) else "bold red"
        shown.add_row(escape(name), f"[{colour}]{each.reply.value}[/]", escape(each.detail))
    console.print(shown)
    met = "[green]met[/]" if report.verdict.quorum_met else "[bold red]not met[/]"
    console.print(
        f"{escape(checkpoint.origin)} {checkpoint.size}: quorum {met} with"
        f" {len(report.verdict.cosigned)} cosignature(s)",
        soft_wrap=True,
    )
