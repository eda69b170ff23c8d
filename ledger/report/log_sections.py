"""The sections about robots' logs: what they committed to over time, and how they are."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.fsck.findings import Finding
from ledger.report.markup import Markup, join, name, tag
from ledger.report.model import LogHealth, LogStatus, Story
from ledger.report.parts import identity, section, table
from ledger.report.timeline import timeline
from ledger.report.words import moment, plural, size


def commitments(story: Story) -> Markup | None:
    """The timeline."""
    about = (
        "What each robot committed to, and what came of it."
        if story.chain
        else "When recordings ended, by the robot's clock, and when witnesses cosigned its log."
    )
    clock = "the times of blocks" if story.chain else "the robot's clock and those of witnesses"
    return section("Commitments over time", about, timeline(story.marks, clock))


def logs(story: Story, findings: Sequence[Finding]) -> Markup | None:
    """How each log is."""
    rows = [
        _log(each, story.chain is not None, _found(each, story, findings)) for each in story.logs
    ]
    heads = ["log", "#entries", "anchored", "checkpoints", "recordings", "state"]
    if story.chain is None:
        heads.remove("anchored")
    about = (
        "A log whose home was not given is known by its anchors alone."
        if story.chain
        else "Entries and hashes stay for ever; content goes when it is pruned or erased."
    )
    return section("Health of each log", about, table(heads, rows))


def _found(log: LogHealth, story: Story, findings: Sequence[Finding]) -> int:
    """How many findings are about a log; all of them where it is the only one."""
    if story.chain is None:
        return len(findings)
    return sum(bool(log.home) and finding.file == log.home for finding in findings)


def _log(log: LogHealth, chained: bool, found: int) -> list[object]:
    beside = ", ".join(each for each in (log.fleet, log.role) if each)
    cells: list[object] = [
        join(
            name(log.origin),
            tag("div", name(beside), class_="soft small") if beside else None,
            tag("div", "root ", identity(log.root), class_="soft small") if log.root else None,
        ),
        f"{log.size:,}" if log.read else "—",
    ]
    if chained:
        cells.append(_anchored(log))
    return [*cells, _checkpoints(log), _recordings(log), _state(log, chained, found)]


def _anchored(log: LogHealth) -> object:
    if not log.anchored:
        return tag("span", "never", class_="soft")
    behind = log.size - log.anchored
    beside = moment(log.anchored_ns)
    if log.read:
        beside = f"{beside}, {'up to date' if behind <= 0 else f'{behind:,} behind'}"
    return join(f"{log.anchored:,}", tag("div", beside, class_="soft small"))


def _checkpoints(log: LogHealth) -> object:
    if not log.read:
        return tag("span", "—", class_="soft")
    if not log.checkpoints:
        return tag("span", "none", class_="soft")
    signed = f"the last over {log.signed:,}"
    if log.cosigned:
        signed += f", {plural(log.cosigned, 'cosignature')}"
    return join(f"{log.checkpoints:,}", tag("div", signed, class_="soft small"))


def _recordings(log: LogHealth) -> object:
    if not log.read:
        return tag("span", "home not given", class_="soft")
    kept = [
        (log.stored, "kept"),
        (log.elsewhere, "left in place"),
        (log.pruned, "pruned"),
        (log.erased, "erased"),
        (log.acquisitions, "bought"),
    ]
    said = ", ".join(f"{count:,} {what}" for count, what in kept if count)
    return join(
        f"{log.recordings:,}",
        f" · {size(log.content_bytes)}" if log.recordings else "",
        tag("div", said, class_="soft small") if said else None,
    )


def _state(log: LogHealth, chained: bool, found: int) -> object:
    said = f"{plural(found, 'finding')}" if found else "sound" if log.read else ""
    state = tag("div", said, class_="bad" if found else None) if said else None
    if not chained:
        return state
    if log.status is LogStatus.FROZEN:
        status = tag("div", "frozen: it forked", class_="bad")
    else:
        status = tag("div", log.status.value, class_="soft small" if said else None)
    return join(state, status)
