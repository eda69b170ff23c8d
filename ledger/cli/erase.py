"""``quipu erase``: destroy recordings and their keys, and say what remains elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click
from rich.console import Console

from ledger.cli.entry_choice import find_entry, find_experience
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import Output, escape, printable, short
from ledger.errors import NotFoundError, RefusedError
from ledger.experience.copies import CopyKind
from ledger.experience.entry import Progress, parse_entry
from ledger.experience.erasure import ErasureReport, SurvivingFile, erase
from ledger.experience.growing import abandon_record
from ledger.home import HomeReader, HomeWriter, open_home
from ledger.memory.borrowing import borrow_home


@verb("erase")
@click.argument("entries", nargs=-1, required=True)
@click.option("--reason", default="", help="Goes into the log, where everybody can read it.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(invocation: Invocation, entries: tuple[str, ...], reason: str, yes: bool) -> None:
    """Erase the recordings of ENTRIES for good.

    Keys and content are destroyed; the log stays whole, and says that it was done. Copies
    outside the home are named: they are yours to delete. A progress entry of a recording
    that was never finished gives that recording up: end its recorder first.
    """
    with open_home(invocation.home) as reader:
        chosen = [_choose(reader, entry) for entry in entries]
    if not yes:  # asked before the home is borrowed: nobody should wait for the answer
        _confirm(invocation.output, [each.name for each in chosen])
    with borrow_home(invocation.home) as home:
        unfinished = [_give_up(home, each, reason) for each in chosen if each.is_open]
        records = [each.record_id for each in chosen if not each.is_open]
        report = _joined(erase(home.experiences, records, reason), unfinished)
    data = {
        "erased": {record.hex(): index for record, index in report.entries.items()},
        "still_readable": report.still_readable,
        "stray_links": report.stray_links,
        "surviving": [
            {
                "record_id": file.record_id.hex(),
                "path": str(file.path),
                "kind": file.kind.name.lower(),
                "altered": file.altered,
            }
            for file in report.surviving
        ],
    }
    invocation.output.result(data, lambda console: _show(console, report))


@dataclass(frozen=True, slots=True)
class _Chosen:
    record_id: bytes
    name: str
    is_open: bool = False


def _choose(home: HomeReader, wanted: str) -> _Chosen:
    """What an entry stands for: a recording, or one that was begun and never finished."""
    index = find_entry(home.log, wanted)
    kind = parse_entry(home.log.entry(index)).kind
    if isinstance(kind, Progress):
        try:
            sealed = home.log.record_index(kind.record_id)
        except NotFoundError:
            name = f"the unfinished recording {short(kind.record_id)}"
            return _Chosen(kind.record_id, name, is_open=True)
        raise RefusedError(f"entry {index} is progress of a recording", hint=f"erase {sealed}")
    _, _, experience = find_experience(home.log, wanted)
    return _Chosen(experience.record_id, experience.name)


def _give_up(home: HomeWriter, chosen: _Chosen, reason: str) -> ErasureReport:
    """Abandon an open record; what somebody else wrote of it is named."""
    experiences, record_id = home.experiences, chosen.record_id
    source = None
    try:
        source = experiences.pending.recording(record_id)[1].source
        abandon_record(experiences, record_id, reason)
    except NotFoundError:  # given up before
        pass
    index = experiences.tables.state(record_id).removed_by
    left = [source] if source is not None and source.exists() else []
    surviving = (SurvivingFile(record_id, path, CopyKind.ORIGINAL, altered=False) for path in left)
    return ErasureReport({record_id: index}, tuple(surviving), 0)


def _joined(report: ErasureReport, others: Sequence[ErasureReport]) -> ErasureReport:
    entries, surviving = dict(report.entries), list(report.surviving)
    for other in others:
        entries |= other.entries
        surviving += other.surviving
    return ErasureReport(entries, tuple(surviving), report.stray_links)


def _confirm(output: Output, names: list[str]) -> None:
    """Ask a person. Raises `RefusedError` where the answer is no, or nobody can be asked."""
    if not output.as_json and sys.stdin is not None and sys.stdin.isatty():
        shown = ", ".join(printable(name) for name in names)
        if click.confirm(f"Erase {shown} for good?", err=True):
            return
    raise RefusedError("nothing was erased: it was not confirmed", hint="confirm it with --yes")


def _show(console: Console, report: ErasureReport) -> None:
    for record, index in report.entries.items():
        console.print(f"[green]erased[/] record {short(record)}, logged as entry {index}")
    for file in report.surviving:
        state = "altered since" if file.altered else "[bold red]still readable[/]"
        kind = file.kind.name.lower().replace("_", " ")
        console.print(f"{state}: {escape(str(file.path))} ({kind})", soft_wrap=True)
    if report.stray_links:
        console.print(
            f"[bold red]still readable[/]: {report.stray_links} hard link(s) at paths we do not "
            "know; find them by inode before you trust the erasure",
            soft_wrap=True,
        )
    if report.still_readable:
        console.print("Delete what is listed, then run this again to see that nothing is left.")
