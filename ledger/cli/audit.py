"""``quipu audit``: check that nothing was altered, and name what was."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console

from ledger import __version__
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

if TYPE_CHECKING:
    from ledger.report.model import Story

_report = click.option(
    "--report",
    "report_file",
    type=click.Path(path_type=Path, readable=False),
    metavar="FILE",
    help="Also write all of it as one HTML file, for people.",
)


@verb("audit")
@click.option("--deep", is_flag=True, help="Also read every byte of every recording.")
@click.option(
    "--since",
    type=click.Path(path_type=Path, readable=False, dir_okay=False),
    metavar="CHECKPOINT",
    help="Trust this signed checkpoint, and check what came after it.",
)
@click.option("--key", "keys", multiple=True, help="A verifier key that the log must be of.")
@click.option(
    "--chain",
    "chain_home",
    type=click.Path(path_type=Path, readable=False, file_okay=False),
    help="Audit the settlement chain in this home instead.",
)
@click.option(
    "--robot",
    "robots",
    type=click.Path(path_type=Path, readable=False, file_okay=False),
    multiple=True,
    help="With --chain: a robot's home, held against what the chain says of it.",
)
@_report
def command(
    invocation: Invocation,
    deep: bool,
    since: Path | None,
    keys: tuple[str, ...],
    chain_home: Path | None,
    robots: tuple[Path, ...],
    report_file: Path | None,
) -> None:
    """Rebuild the log from its entries and compare it with all that is stored and signed.

    Of a chain, also carry out every transaction again, from the genesis on, make its books
    anew, and hold contracts, grants, sales and consents against what transactions did; of
    each --robot, what it anchored, offered and bought. Exits with 0 when everything holds,
    with 1 when something does not: each finding names the entry, the tile, the block, or the
    file and its bytes.
    """
    if report_file is not None:
        from ledger.report.file import check_place

        check_place(report_file)  # before a long audit, not after it
    if chain_home is not None:
        if since is not None:
            raise click.UsageError("--since is for robots: a chain is replayed from its genesis")
        _audit_chain(invocation, chain_home, deep, keys, robots, report_file)
        return
    if robots:
        raise click.UsageError("--robot needs --chain; --home names a robot to be audited itself")
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
            if report_file is None:
                report = audit_home(request, follow)
            else:
                from ledger.report.telling import audit_home_and_tell

                report, story = audit_home_and_tell(request, follow)
                _write(report_file, report, story, request.depth)
    _end(invocation, report, lambda console: _show(console, report, deep), report_file)


def _audit_chain(
    invocation: Invocation,
    home: Path,
    deep: bool,
    keys: tuple[str, ...],
    robots: tuple[Path, ...],
    report_file: Path | None,
) -> None:
    # Not for robots' audits: what a chain needs takes a while to load.
    from ledger.chain.audit.isolated import audit_chain
    from ledger.chain.audit.request import ChainAuditRequest

    home = home.expanduser()
    if not (home / "log").is_dir():
        raise StorageError(f"{home} holds no chain", hint="make one with `quipu chain init`")
    for robot in robots:
        if not HomePaths(robot).log.is_dir():
            raise StorageError(f"{robot} is not a home", hint="name a robot's home with --robot")
    request = ChainAuditRequest(
        home=home.resolve(),
        published=published_directory(),
        depth=Depth.DEEP if deep else Depth.LOG,
        pinned=tuple(read_vkeys(keys)),
        robots=tuple(robot.resolve() for robot in robots),
    )
    with invocation.output.phases() as advance:

        def follow(phase: Phase, done: int, total: int) -> None:
            advance(phase.value, done, total)

        if report_file is None:
            report = audit_chain(request, follow)
        else:
            from ledger.report.telling import audit_chain_and_tell

            report, story = audit_chain_and_tell(request, follow)
            _write(report_file, report, story, request.depth)
    _end(invocation, report, lambda console: _show_chain(console, report), report_file)


def _write(file: Path, report: AuditReport, story: Story | None, depth: Depth) -> None:
    from ledger.report.file import write_report
    from ledger.report.page import page
    from ledger.report.verdict import Audited

    write_report(file, page(report, story, Audited(time.time_ns(), depth, __version__)))


def _end(
    invocation: Invocation,
    report: AuditReport,
    show: Callable[[Console], None],
    report_file: Path | None,
) -> None:
    def shown(console: Console) -> None:
        show(console)
        if report_file is not None:
            console.print(f"[dim]the report is {escape(str(report_file))}[/]", soft_wrap=True)

    written = {"report": str(report_file.resolve())} if report_file is not None else {}
    invocation.output.result({**report.to_json(), **written}, shown)
    if not report.ok:
        click.get_current_context().exit(ExitCode.NOT_VERIFIED)


_SHARED: Final = (
    ("contracts", "contract(s)"),
    ("offers", "offer(s)"),
    ("grants", "grant(s)"),
    ("channels", "channel(s)"),
    ("sales", "atomic sale(s)"),
    ("consents", "consent(s)"),
    ("models", "model(s)"),
    ("robots", "robot(s)"),
    ("acquisitions", "purchase(s)"),
    ("trainings", "training(s)"),
)


def _show_chain(console: Console, report: AuditReport) -> None:
    counted = report.counters.to_json()
    _show_findings(console, report)
    looked_at = (
        f"{counted['blocks']} blocks, {counted['transactions']} transactions, "
        f"{counted['blocks_replayed']} blocks replayed, {counted['state_keys']} keys of the "
        f"state, {counted['checkpoints']} checkpoints"
    )
    for name, word in _SHARED:
        if counted[name]:
            looked_at += f", {counted[name]} {word}"
    _show_verdict(console, report, looked_at)


def _show(console: Console, report: AuditReport, deep: bool) -> None:
    counters = report.counters
    _show_findings(console, report)
    looked_at = (
        f"{counters.entries} entries, {counters.tiles} tiles, {counters.checkpoints} checkpoints, "
        f"{counters.records} recordings"
    )
    if deep:
        looked_at += f", {human_bytes(counters.content_bytes)} of content"
    _show_verdict(console, report, looked_at)
    if report.ok and not deep and counters.records:
        console.print("[dim]The recordings' bytes were not read: --deep does.[/]")


def _show_findings(console: Console, report: AuditReport) -> None:
    for finding in report.findings:
        where = f" [bold]{escape(finding.subject)}[/]"
        console.print(
            f"[bold red]{finding.kind.value}[/]{where}: {escape(finding.message)}", soft_wrap=True
        )
    for note in report.notes:
        console.print(f"[dim]{escape(note)}[/]", soft_wrap=True)


def _show_verdict(console: Console, report: AuditReport, looked_at: str) -> None:
    if report.ok:
        console.print(f"[bold green]whole[/]: {looked_at}", soft_wrap=True)
    else:
        console.print(
            f"[bold red]{report.findings_total} finding(s)[/] in {looked_at}", soft_wrap=True
        )
