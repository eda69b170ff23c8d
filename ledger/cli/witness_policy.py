"""``quipu witness policy``: read a policy, and hold a checkpoint against it."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from ledger.cli.exit_code import ExitCode
from ledger.cli.failure import advice
from ledger.cli.files import read_input
from ledger.cli.main import Function, Invocation, verb
from ledger.cli.ui import escape
from ledger.witnessing.policy import Policy


def read_policy(file: Path) -> Policy:
    """The policy in a file. Raises `PolicyError`, which names the line."""
    data = read_input(file, "a policy")
    with advice("docs/networks.md shows one", about=file):
        return Policy.parse(data)


def policy_option(function: Function) -> Function:
    """Add ``--policy FILE``."""
    return click.option(
        "--policy",
        "policy_file",
        type=click.Path(path_type=Path, readable=False, dir_okay=False),
        required=True,
        help="The policy (C2SP tlog-policy): logs, witnesses and the quorum.",
    )(function)


@click.group("policy")
def policy() -> None:
    """Read a policy of logs, witnesses and a quorum."""


@verb("check")
@click.argument("file", type=click.Path(path_type=Path, readable=False, dir_okay=False))
@click.option(
    "--checkpoint",
    "checkpoint",
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    help="Hold this signed checkpoint against the policy.",
)
def check(invocation: Invocation, file: Path, checkpoint: Path | None) -> None:
    """Check the policy in FILE. With --checkpoint: exit with 1 if it lacks the quorum."""
    read = read_policy(file)
    data = {
        "logs": [{"vkey": log.key.encode(), "url": log.url} for log in read.logs],
        "witnesses": [
            {"name": each.name, "vkey": each.key.encode(), "url": each.url}
            for each in read.witnesses
        ],
        "groups": [
            {"name": each.name, "threshold": each.threshold, "members": list(each.members)}
            for each in read.groups
        ],
        "quorum": read.quorum,
    }
    if checkpoint is None:
        invocation.output.text(
            data,
            f"[green]good[/]: {len(read.logs)} log key(s), {len(read.witnesses)} witness(es),"
            f" quorum {escape(read.quorum)}",
        )
        return
    note = read_input(checkpoint, "a checkpoint")
    with advice("give a checkpoint of a log of the policy", about=checkpoint):
        verdict = read.check(note)
    signed = verdict.checkpoint.checkpoint

    def show(console: Console) -> None:
        by = ", ".join(escape(name) for name in verdict.cosigned) or "nobody"
        met = "[green]met[/]" if verdict.quorum_met else "[bold red]not met[/]"
        console.print(
            f"{escape(signed.origin)} {signed.size}: cosigned by {by}; quorum"
            f" {escape(read.quorum)} {met}",
            soft_wrap=True,
        )

    invocation.output.result(
        {
            "ok": verdict.quorum_met,
            "origin": signed.origin,
            "size": signed.size,
            "cosigned": list(verdict.cosigned),
            "quorum": read.quorum,
        },
        show,
    )
    if not verdict.quorum_met:
        click.get_current_context().exit(ExitCode.NOT_VERIFIED)


policy.add_command(check)
