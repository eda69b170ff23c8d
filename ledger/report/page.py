"""A whole report: one HTML file that needs nothing else, no script, no font, no network."""

from __future__ import annotations

from typing import Final

from ledger.fsck.findings import AuditReport, Depth
from ledger.report.contract_section import contracts
from ledger.report.log_sections import commitments, logs
from ledger.report.markup import Markup, join, tag
from ledger.report.model import Story
from ledger.report.sections import books, consents, flows, lineage, offers
from ledger.report.style import STYLE
from ledger.report.verdict import Audited, checks, findings, heading, notes
from ledger.report.words import moment

OPENING: Final = "<!doctype html>\n<!-- quipu audit report -->\n"
"""How every report begins; `ledger.report.file` writes over nothing else."""

_LIMITS: Final = (
    "An audit shows that nothing was altered, taken out or made up since it was signed. It "
    "cannot show that a robot recorded truthfully, that it recorded everything, or that "
    "nobody kept a copy of what was erased."
)
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"
"""Should anything ever slip through, a browser neither runs nor fetches it."""


def page(report: AuditReport, story: Story | None, audited: Audited) -> str:
    """The file's text. It depends on what it is given, and on nothing else."""
    origin = story.origin if story else "a damaged store"
    chain = story.chain if story else None
    body = [
        heading(report, story, audited),
        findings(report),
        checks(report, story),
        notes(report),
    ]
    if story is not None:
        body += [
            commitments(story),
            flows(chain) if chain else None,
            logs(story, report.findings),
            offers(chain) if chain else None,
            contracts(chain) if chain else None,
            consents(chain) if chain else None,
            lineage(story),
            books(chain) if chain else None,
        ]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"Audit of {origin}"),
        tag("style", Markup(STYLE)),
    )
    main = tag("main", *body, _foot(story, audited))
    return f"{OPENING}{tag('html', head, tag('body', main), lang='en')}\n"


def _foot(story: Story | None, audited: Audited) -> Markup:
    chain = story.chain if story else None
    lines = [
        _LIMITS,
        "Names in this report were chosen by those who bear them.",
    ]
    if chain is not None:
        root = f", state root {chain.state_root}" if chain.state_root else ""
        lines.append(
            f"Chain {chain.id}, up to block {chain.height:,} of {moment(chain.newest_ns)}{root}."
        )
    depth = "with every byte of content read" if audited.depth is Depth.DEEP else "not --deep"
    lines.append(
        f"Made by quipu {audited.version} at {moment(audited.time_ns)}, {depth}. Whoever has the "
        "same homes gets the same report, by the same command."
    )
    return tag("footer", join(*(tag("p", line) for line in lines)))
