"""``quipu audit``: check that nothing was altered, and name what was."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console

from ledger.cli.exit_code import ExitCode
from ledger.cli.failure import advice
from ledger.cli.files import read_input
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, human_bytes
from ledger.cli.vkeys import read_vkeys
from ledger.errors import StorageError
from ledger.fsck.findings import AuditReport, Depth, Phase
from ledger.fsck.isolated import audit_home
from ledger.fsck.request import AuditRequest
from ledger.home import HomePaths
from ledger.published import published_directory


@verb("audit")
@click.option("--deep", is_flag=True, help="Also read every byte of every recording.")
@click.option(
    "--since",
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    metavar="CHECKPOINT",
    help="Trust this signed checkpoint, and check what came after it.",
)
@click.option("--key", "keys", multiple=True, help="A verifier key that the log must be of.")
def command(invocation: Invocation, deep: bool, since: Path | None, keys: tuple[str, ...]) -> None:
    """Rebuild the log from its entries and compare it with all that is stored and signed.

    Exits with 0 when everything holds, with 1 when something does not: each finding
    names the entry, the tile, or the file and its bytes.
    """
    if not HomePaths(invocation.home).log.is_dir():
        raise StorageError(
            f"{invocation.home} is not a home",
            hint="make one with `quipu init`, or name one with --home",
        )
    request = AuditRequest(
        home=invocation.home.resolve(),
        published=published_directory(),
        depth=Depth.DEEP if deep else Depth.LOG,
        since=read_input(since, "a checkpoint") if since else None,
        pinned=tuple(read_vkeys(keys)),
    )
    with invocation.output.phases() as advance:

        def follow(phase: Phase, done: int, total: int) -> None:
            advance(phase.value, done, total)

        with advice("give a checkpoint that this log signed", about=since):
            report = audit_home(request, follow)
    invocation.output.result(report.to_json(), lambda console: _show(console, report, deep))
    if not report.ok:
        click.get_current_context().exit(ExitCode.NOT_VERIFIED)


def _show(console: Console, report: AuditReport, deep: bool) -> None:
    counters = report.counters
    for finding in report.findings:
        where = f" [bold]{escape(finding.subject)}[/]"
        console.print(
            f"[bold red]{finding.kind.value}[/]{where}: {escape(finding.message)}", soft_wrap=True
        )
    for note in report.notes:
        console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)
    looked_at = (
        f"{counters.entries} entries, {counters.tiles} tiles, {counters.checkpoints} checkpoints, "
        f"{counters.records} recordings"
    )
    if deep:
        looked_at += f", {human_bytes(counters.content_bytes)} of content"
    if report.ok:
        console.print(f"[bold green]whole[/]: {looked_at}", soft_wrap=True)
        if not deep and counters.records:
            console.print("[dim]The recordings' bytes were not read: --deep does.[/]")
    else:
        console.print(
            f"[bold red]{report.findings_total} finding(s)[/] in {looked_at}", soft_wrap=True
        )
