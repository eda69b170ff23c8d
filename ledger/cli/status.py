"""``quipu status``: how a home is, and which process has it."""

from __future__ import annotations

import time
from dataclasses import asdict, replace

import click
from rich.console import Console

from ledger.cli.exit_code import ExitCode
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes, human_duration
from ledger.memory.anchor_status import NOT_ANCHORED, AnchorState, AnchorStatus
from ledger.memory.looking import look_at
from ledger.memory.status import MemoryStatus, OwnerState

_WRONG = (OwnerState.BEHIND, OwnerState.FAULTY)


@verb("status")
def command(invocation: Invocation) -> None:
    """Show how the home is: entries, newest checkpoint, and the process that owns it.

    A robot's memory that runs is asked, and answers also while it waits for a disk or a
    command. Exits with 4 when it cannot write.
    """
    status = look_at(invocation.home)
    if not status.pid:
        from ledger.memory.anchoring.kept_anchor import last_anchor  # loads what chains need

        status = replace(status, anchor=last_anchor(invocation.home))
    wrong = status.state in _WRONG
    data = {
        **asdict(status),
        "ok": not wrong,
        "state": _state_name(status),
        "uncheckpointed": status.uncheckpointed,
        "anchor": {**asdict(status.anchor), "state": status.anchor.state.name.lower()},
    }
    invocation.output.result(data, lambda console: _show(console, status))
    if wrong:
        click.get_current_context().exit(ExitCode.HOME_UNUSABLE)


def _state_name(status: MemoryStatus) -> str:
    return status.state.name.lower() if status.pid else "unowned"


def _show(console: Console, status: MemoryStatus) -> None:
    lines = [
        f"[bold]{escape(status.origin)}[/]  {status.entries} entries",
        f"checkpoint: {_checkpoint(status)}",
        f"owner: {_owner(status)}",
    ]
    if status.anchor != NOT_ANCHORED:
        lines.append(f"anchored: {_anchor(status.anchor)}")
    if status.open_records:
        lines.append(f"being recorded: {status.open_records} record(s)")
    if status.waiting:
        lines.append(f"waiting to be committed: {status.waiting}")
    if status.fault:
        lines.append(f"[bold red]wrong:[/] {escape(status.fault)}")
    lines.append(f"disk: {human_bytes(status.disk_free_bytes)} free")
    console.print("\n".join(lines), soft_wrap=True)


def _checkpoint(status: MemoryStatus) -> str:
    if not status.checkpoint_time_ns and not status.checkpoint_size:
        return "none"
    age = human_duration(max(0, time.time_ns() - status.checkpoint_time_ns))
    when = f"{age} ago" if status.checkpoint_time_ns else "some time ago"
    return (
        f"{status.checkpoint_size} entries, {when}, cosigned by {status.cosignatures};"
        f" {status.uncheckpointed} since"
    )


def _anchor(anchor: AnchorStatus) -> str:
    done = "nothing yet"
    if anchor.size:
        age = human_duration(max(0, time.time_ns() - anchor.time_ns))
        done = f"{anchor.size} entries at block {anchor.height}, {age} ago"
    if anchor.state in (AnchorState.OFF, AnchorState.ANCHORED):
        return done
    colour = "bold red" if anchor.alarming else "yellow"
    words = f"{anchor.state.name.lower()}: {anchor.detail}".removesuffix(": ")
    return f"{done}; [{colour}]{escape(words)}[/]"


def _owner(status: MemoryStatus) -> str:
    match status.state:
        case OwnerState.CLOSED:
            return "none"
        case OwnerState.LENT:
            return f"process {status.pid}, lent to process {status.lent_to}"
        case OwnerState.BEHIND:
            return f"process {status.pid}; [bold red]the log is behind what it published[/]"
        case OwnerState.FAULTY:
            return f"process {status.pid}; [bold red]the home cannot be written[/]"
        case _:
            return f"process {status.pid}"
