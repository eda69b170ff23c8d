"""The verdict in plain words: whether all holds, what was looked at, and what was found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

from ledger.fsck.findings import AuditReport, Depth, Finding, FindingKind
from ledger.report.markup import Markup, tag
from ledger.report.model import Story
from ledger.report.words import moment, plural, size

K = FindingKind

_MONEY: Final = frozenset({K.MONEY_WRONG})
_SHARING: Final = frozenset({K.CONTRACT_WRONG, K.OFFER_WRONG, K.GRANT_WRONG})
_EXCHANGE: Final = frozenset({K.EXCHANGE_WRONG})
_CONSENT: Final = frozenset({K.CONSENT_WRONG})
_ROBOTS: Final = frozenset({K.ANCHOR_WRONG})
_BOUGHT: Final = frozenset({K.ACQUISITION_WRONG, K.MODEL_WRONG, K.PROVENANCE_UNKNOWN})
_CONTENT: Final = frozenset(
    {
        K.CONTENT_MISSING,
        K.CONTENT_SIZE,
        K.CONTENT_CHANGED,
        K.CONTENT_REMAINS,
        K.KEY_FILE,
        K.KEY_MISSING,
        K.KEY_WRONG,
        K.KEY_REMAINS,
    }
)
_SHOWN: Final = 200
"""Findings, and notes, that a report lists; those beyond are counted."""


@dataclass(frozen=True, slots=True)
class Audited:
    """When and how an audit was made."""

    time_ns: int
    depth: Depth
    version: str
    """Of this program."""


def heading(report: AuditReport, story: Story | None, audited: Audited) -> Markup:
    """The top of the page."""
    found = report.findings_total
    words = (
        "Everything holds." if report.ok else f"{plural(found, 'thing is', 'things are')} wrong."
    )
    origin = story.origin if story else "a store that could not be read"
    what = "settlement chain" if story is None or story.chain else "robot's memory"
    return tag(
        "header",
        tag(
            "div",
            f"Audit of the {what} ",
            tag("bdi", origin),
            f" · {moment(audited.time_ns)}",
            class_="over",
        ),
        tag("h1", words, class_="good" if report.ok else "bad"),
        tag("p", _lead(report, story), class_="lead"),
        _figures(report.counters.to_json(), story),
    )


def _lead(report: AuditReport, story: Story | None) -> str:
    if story is None:
        return "The store is so damaged that nothing can be told of it but the findings below."
    if not report.ok:
        return (
            "Each finding below names one thing that is not what was signed, agreed or paid. "
            "All that is not named was checked and holds, as far as the findings let it be seen."
        )
    if story.chain is None:
        return (
            "Every entry, hash, signature and record of this memory was checked against what "
            "the robot signed. Nothing was altered, removed or put in between."
        )
    since = "from the genesis on" if story.chain.whole else "since its snapshot"
    homes = (
        "and the robots whose homes were given have what the chain says of them."
        if any(log.read for log in story.logs)
        else "no robot's home was given, so that of robots only the anchors were looked at."
    )
    return (
        f"Every transaction {since} was carried out again by the rules, and every block led to "
        "the state that was signed. The books balance; nothing was granted twice or too late; "
        f"{homes}"
    )


def _figures(counted: Mapping[str, int], story: Story | None) -> Markup | None:
    if story is None:
        return None
    if story.chain is None:
        rows = [
            ("entries", counted.get("entries", 0)),
            ("recordings", counted.get("records", 0)),
            ("checkpoints", counted.get("checkpoints", 0)),
            ("erased", counted.get("records_erased", 0)),
        ]
    else:
        rows = [
            ("blocks", story.chain.height),
            ("transactions", counted.get("transactions", 0)),
            ("fleets", story.chain.fleets),
            ("robots", story.chain.robots),
            ("offers", counted.get("offers", 0)),
            ("grants", counted.get("grants", 0)),
            ("channels and sales", counted.get("channels", 0) + counted.get("sales", 0)),
        ]
    return tag(
        "dl",
        *(tag("div", tag("dt", name), tag("dd", f"{count:,}")) for name, count in rows),
        class_="figures",
    )


@dataclass(frozen=True, slots=True)
class _Check:
    words: str
    kinds: frozenset[FindingKind]
    looked_at: int
    """Nothing of it was there to be checked where this is 0."""


def checks(report: AuditReport, story: Story | None) -> Markup | None:
    """What was checked, a line each; with how many findings each has."""
    if story is None:
        return None
    counted = report.counters.to_json()
    lines = list(_chain_checks(counted, story) if story.chain else _home_checks(counted, story))
    named = frozenset().union(*(line.kinds for line in lines))
    lines[0] = _Check(lines[0].words, frozenset(K) - named | lines[0].kinds, lines[0].looked_at)
    return tag(
        "section",
        tag("h2", "What was checked"),
        tag("ul", *(_line(each, report.findings) for each in lines), class_="checks"),
    )


def _line(check: _Check, findings: Sequence[Finding]) -> Markup:
    found = sum(finding.kind in check.kinds for finding in findings)
    if found:
        return tag("li", tag("b", plural(found, "finding")), f" · {check.words}", class_="bad")
    return tag("li", check.words, class_=None if check.looked_at else "idle")


def _chain_checks(counted: Mapping[str, int], story: Story) -> Iterator[_Check]:
    blocks = plural(counted["blocks_replayed"], "block")
    checkpoints = plural(counted["checkpoints"], "checkpoint")
    yield _Check(
        f"The log: {blocks} carried out again, {plural(counted['transactions'], 'transaction')} "
        f"of which {counted['refused']:,} refused, {plural(counted['state_keys'], 'key')} of the "
        f"state, {checkpoints}.",
        frozenset(),
        1,
    )
    yield _Check(
        "Money: each account against what was paid into it and out of it, and all of them "
        "against what was minted.",
        _MONEY,
        1,
    )
    yield _Check(
        f"Sharing: {plural(counted['contracts'], 'contract')}, "
        f"{plural(counted['offers'], 'offer')} ({counted['offers_checked']:,} of them held "
        f"against the robot's own log), {plural(counted['grants'], 'grant')}, "
        f"{counted['grants_expired']:,} of them expired. "
        f"{plural(counted['uses'], 'use')}, each to be counted once; "
        f"{plural(counted['presentations'], 'presentation')} verified.",
        _SHARING,
        counted["contracts"],
    )
    yield _Check(
        f"Exchange: {plural(counted['channels'], 'channel')} ({counted['channels_open']:,} open), "
        f"{plural(counted['sales'], 'atomic sale')} ({counted['sales_open']:,} open); "
        f"{plural(counted['complaints'], 'complaint')} upheld. What went in against what came out.",
        _EXCHANGE,
        counted["channels"] + counted["sales"],
    )
    missing = counted["erasures_missing"]
    yield _Check(
        f"Consent: {counted['consents']:,} given, {counted['consents_withdrawn']:,} withdrawn; "
        + (
            f"{plural(missing, 'erasure')} still to be shown."
            if missing
            else "every erasure that is due was shown."
        )
        + (
            f" {plural(counted['notices'], 'notice')} to buyers, "
            f"{counted['receipts_missing']:,} without a receipt."
            if counted["notices"]
            else ""
        ),
        _CONSENT,
        counted["consents"],
    )
    yield _Check(
        f"Robots: {plural(counted['robots'], 'log')} held against what was anchored of "
        f"{'it' if counted['robots'] == 1 else 'them'}, of "
        f"{plural(story.chain.robots if story.chain else 0, 'robot')} on the chain.",
        _ROBOTS,
        counted["robots"],
    )
    yield _Check(
        f"Bought and learned: {plural(counted['acquisitions'], 'purchase')} held against the "
        f"grants they name, {plural(counted['trainings'], 'training')} against their inputs, "
        f"{plural(counted['models'], 'registered model')} against both.",
        _BOUGHT,
        counted["acquisitions"] + counted["trainings"] + counted["models"],
    )


def _home_checks(counted: Mapping[str, int], story: Story) -> Iterator[_Check]:
    yield _Check(
        f"The log: {plural(counted['entries'], 'entry', 'entries')}, their signatures and places, "
        f"{plural(counted['tiles'], 'tile')}, "
        f"{plural(counted['checkpoints'], 'checkpoint')}.",
        frozenset(),
        1,
    )
    chunks = counted["chunks"]
    read = (
        f"{plural(chunks, 'chunk')} rehashed, {size(counted['content_bytes'])}."
        if chunks
        else "present, and its bytes not read: --deep does."
    )
    yield _Check(
        f"Content and keys of {plural(counted['records'], 'recording')}: {read}",
        _CONTENT,
        counted["records"],
    )
    bought, models = len(story.purchases), len(story.lineages)
    yield _Check(
        f"{plural(bought, 'purchase')} and {plural(models, 'model')}, against the records that "
        "came before. Whether the purchases were granted, the chain knows: --chain asks it.",
        _BOUGHT,
        bought + models,
    )


def findings(report: AuditReport) -> Markup | None:
    """Each finding, with where it is."""
    if not report.findings_total:
        return None
    listed = report.findings[:_SHOWN]
    return tag(
        "section",
        tag("h2", "Findings"),
        tag("ul", *(_finding(each) for each in listed), class_="findings"),
        _beyond(report.findings_total - len(listed), "finding"),
    )


def notes(report: AuditReport) -> Markup | None:
    """What is worth knowing beside."""
    if not report.notes:
        return None
    listed = report.notes[:_SHOWN]
    return tag(
        "section",
        tag("h2", "Worth knowing"),
        tag("p", "Nothing here is a failure.", class_="about"),
        tag("ul", *(tag("li", note) for note in listed), class_="notes"),
        _beyond(len(report.notes) - len(listed), "note"),
    )


def _beyond(count: int, what: str) -> Markup | None:
    return tag("p", f"and {plural(count, f'more {what}')}.", class_="soft") if count > 0 else None


def _finding(finding: Finding) -> Markup:
    where = ", ".join(_where(finding))
    return tag(
        "li",
        tag("span", finding.kind.value, class_="kind"),
        tag("b", finding.subject),
        f": {finding.message}",
        tag("span", where, class_="where") if where else None,
    )


def _where(finding: Finding) -> Iterator[str]:
    if finding.height is not None:
        yield f"block {finding.height:,}"
    if finding.entry is not None:
        yield f"entry {finding.entry:,}"
    if finding.tile is not None:
        yield f"tile {finding.tile[0]}/{finding.tile[1]:,}"
    if finding.file is not None:
        # The rest of the path says more of the auditor's machine than of the finding.
        yield f"in {PurePath(finding.file).name}"
    if finding.start is not None and finding.end is not None:
        yield f"bytes {finding.start:,} to {finding.end:,}"
