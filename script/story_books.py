"""The last chapter: the books balance, and everything is audited and told in one page."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table
from story import DemoError, console, say
from story_world import World, qpu

from ledger.chain.audit.request import ChainAuditRequest
from ledger.fleet.own_chain import SUPPLY
from ledger.report.telling import audit_chain_and_tell

REPORT = "report.html"


def balance(world: World) -> None:
    """Every millionth is somewhere: carried out again from the first block on, and added up."""
    story = world.story
    story.chapter("The books balance")
    request = ChainAuditRequest(world.chain, story.folder / "published")
    report, told = audit_chain_and_tell(request)
    if told is None or told.chain is None or report.findings:
        raise DemoError(f"the chain cannot be told: {report.findings}")
    (book,) = told.chain.books
    rows = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("who has it", "accounts", "QPU"):
        rows.add_column(column, justify="left" if column == "who has it" else "right")
    total = 0
    for line in book.lines:
        rows.add_row(line.kind, str(line.accounts), qpu(line.amount))
        total += line.amount
    rows.add_row("[bold]all together[/]", "", f"[bold]{qpu(total)}[/]")
    console.print(rows)
    if total != book.minted or total != SUPPLY:
        raise DemoError(f"{total} is there, and {book.minted} was minted")
    say(f"{qpu(book.minted)} was minted, and that is what there is.")
    story.fact("balanced", f"all {qpu(total)}, to the millionth")


def audit(world: World) -> Path:
    """Every block and every log, and a report of it for people; where that is."""
    story = world.story
    story.chapter("Everything is audited, and told as a page")
    robots = [
        word
        for fleet, robot in world.all_robots()
        for word in ("--robot", str(fleet.home(robot).relative_to(story.folder)))
    ]
    story.run("quipu", "audit", "--chain", "harbour/chain", *robots, "--report", REPORT)
    page = story.folder / REPORT
    text = page.read_text(encoding="utf-8")
    if "<html" not in text.lower():
        raise DemoError("the report is no page")
    story.fact("audited", "every transaction of the chain, and the logs of five robots")
    return page
