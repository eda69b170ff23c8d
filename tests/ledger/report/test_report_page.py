"""The page: one file, nothing fetched, nothing run, nothing secret, the same for the same input."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser
from typing import Any
from xml.etree import ElementTree

import pytest

from ledger.chain.audit.counters import ChainCounters
from ledger.chain.key_words import describe_key
from ledger.errors import MalformedError
from ledger.fsck.findings import AuditReport, Depth, Finding, FindingKind
from ledger.report.chain_story import chain_story
from ledger.report.codec import from_json, to_json
from ledger.report.markup import visible
from ledger.report.model import Story
from ledger.report.page import page
from ledger.report.verdict import Audited
from tests.ledger.report.traded import Traded, spellings

AT = Audited(1_700_000_000_000_000_000, Depth.LOG, "1.2.3")
HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&lt; "
    "\u202e\u2066\u200f\u061c\x00\x1b\u2028]]></svg></style> ё漢🙂"
)
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "header", "section", "footer"),
    *("div", "h1", "h2", "h3", "h4", "p", "ul", "li", "dl", "dt", "dd", "span", "bdi", "b", "i"),
    *("table", "thead", "tbody", "tfoot", "tr", "th", "td"),
    *("svg", "g", "path", "rect", "circle", "line", "text"),
}
INVISIBLE = re.compile("[\u0000-\u0009\u000b-\u001f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069]")


class Read(HTMLParser):
    """Every element with its attributes; raises for tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture(scope="module")
def told(sound_trade: Traded) -> tuple[AuditReport, Story]:
    report, past = sound_trade.read()
    return report, chain_story(past)


def drawings(text: str) -> Iterator[ElementTree.Element]:
    for found in re.findall(r"<svg.*?</svg>", text, re.DOTALL):
        yield ElementTree.fromstring(found)  # noqa: S314 - made here


def check_page(text: str) -> Read:
    """What holds of every page, whoever wrote the names in it."""
    read = Read(text)
    assert {tag for tag, _ in read.elements} <= ELEMENTS
    for _, attributes in read.elements:
        for name in attributes:
            assert not name.startswith("on") and name not in ("href", "src", "action", "xlink:href")
    assert "url(" not in text and "@import" not in text
    assert not INVISIBLE.search(text)
    for drawing in drawings(text):
        check_drawing(drawing)
    return read


def check_drawing(drawing: ElementTree.Element) -> None:
    """Everything is drawn inside of the box."""
    _, _, width, height = map(float, drawing.attrib["viewBox"].split())
    for element in drawing.iter():
        for name, most in (("x", width), ("x1", width), ("x2", width), ("y", height)):
            if name in element.attrib and element.tag != "rect":
                assert 0 <= float(element.attrib[name]) <= most
        place = re.fullmatch(
            r"translate\(([-\d.]+) ([-\d.]+)\)", element.attrib.get("transform", "")
        )
        if place:
            assert 0 <= float(place[1]) <= width and 0 <= float(place[2]) <= height
        if "band" in element.attrib.get("class", ""):
            numbers = [float(each) for each in re.findall(r"-?\d+", element.attrib["d"])]
            assert min(numbers) >= 0 and max(numbers) <= max(width, height)


def test_a_sound_world_says_so_in_one_file(told: tuple[AuditReport, Story]) -> None:
    report, story = told
    text = page(report, story, AT)
    read = check_page(text)
    words = " ".join(read.words)
    assert "Everything holds." in words
    for each in (
        "What was checked",
        "Commitments over time",
        "Flows of data and payments",
        "Health of each log",
        "Offers",
        "Contracts",
        "Consents, notices and receipts",
        "Lineage",
        "The books",
    ):
        assert each in words
    for each in ("coast guard", "forest watch", "sellers.example/rover-2", "deliver-parcels 2"):
        assert each in words
    assert "reward (task) at least 0.8" in words
    assert "1 notice to coast guard: 1 confirmed" in words
    assert "1 notice to forest watch: 1 not confirmed" in words
    assert "2023-11-14 22:13:20 UTC" in words
    assert len(list(drawings(text))) == 2


def test_the_flows_are_what_was_paid_and_the_books_add_up(told: tuple[AuditReport, Story]) -> None:
    _, story = told
    assert story.chain is not None
    (book,) = story.chain.books
    assert sum(line.amount for line in book.lines) == book.minted
    assert {line.kind for line in book.lines} >= {"open channels", "open sales", "fleets' pools"}
    # A tenth of what the clinic's stream and the rover's sale brought, rounded down.
    clinic, rover = (
        next(flow for flow in story.chain.flows if flow.seller.endswith(name) and flow.paid > 500)
        for name in ("clinic", "rover-2")
    )
    assert book.royalties == clinic.paid // 10 + rover.paid // 10
    assert {flow.buyer_fleet for flow in story.chain.flows} == {"coast guard", "forest watch"}
    assert sum(flow.grants for flow in story.chain.flows) == 8


def test_nothing_secret_and_no_member(sound_trade: Traded, told: tuple[AuditReport, Story]) -> None:
    report, story = told
    _, past = sound_trade.read()
    sharing = past.chronicle.sharing
    secrets = [*sound_trade.secrets, *sharing.uses]
    secrets += [grant.key for grant in sharing.grants.values()]
    secrets += [consent.subject for consent in past.chronicle.consent.consents.values()]
    assert len(secrets) > 30
    texts = page(report, story, AT), repr(to_json(story))
    for secret in secrets:
        for spelling in spellings(secret):
            assert all(spelling not in text for text in texts)
    for home in sound_trade.homes.values():
        assert str(home) not in texts[0]
    # The search would find one.
    assert spellings(past.chronicle.genesis.chain)[0] in texts[0]


def test_the_same_input_gives_the_same_page(sound_trade: Traded) -> None:
    program = (
        "import json, sys\n"
        "from ledger.chain.audit.request import ChainAuditRequest\n"
        "from ledger.fsck.findings import Depth\n"
        "from ledger.report.page import page\n"
        "from ledger.report.telling import audit_chain_and_tell\n"
        "from ledger.report.verdict import Audited\n"
        "report, story = audit_chain_and_tell(ChainAuditRequest.decode(sys.argv[1]))\n"
        "sys.stdout.buffer.write(page(report, story, Audited(1, Depth.LOG, 'x')).encode())\n"
    )
    pages = [
        subprocess.run(
            [sys.executable, "-c", program, sound_trade.request().encode()],
            env={**os.environ, "PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": "C"},
            check=True,
            capture_output=True,
        ).stdout
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    assert pages[0] == pages[1]
    assert b"Everything holds." in pages[0]


def hostile(value: Any) -> Any:
    """Every text in a story replaced by what a stranger might choose."""
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: hostile(getattr(value, f.name)) for f in fields(value)})
    if isinstance(value, tuple):
        return tuple(hostile(each) for each in value)
    return value + HOSTILE if isinstance(value, str) else value


def test_hostile_names_are_text(told: tuple[AuditReport, Story]) -> None:
    _, story = told
    findings = (
        Finding(FindingKind.GRANT_WRONG, HOSTILE, HOSTILE, entry=1, file=f"/home/{HOSTILE}"),
        Finding(FindingKind.TILE_CHANGED, HOSTILE, HOSTILE, tile=(0, 1), start=1, end=2),
    )
    report = AuditReport(findings, 2, (HOSTILE,), told[0].counters)
    text = page(report, hostile(story), AT)
    read = check_page(text)
    assert "2 things are wrong." in " ".join(read.words)
    # Nobody's name is swallowed: it is there, as the text that it is.
    assert sum("<script>alert(1)</script>" in each for each in read.words) > 50
    assert "\\u{202e}" in text and "ё漢🙂" in text


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("husky", "husky"),
        ("שלום", "שלום"),
        ("a\u202eb", "a\\u{202e}b"),
        ("a\u2066b\u2069", "a\\u{2066}b\\u{2069}"),
        ("\ufeffx\u200d", "\\u{feff}x\\u{200d}"),
        ("line\nline\t", "line\\u{a}line\\u{9}"),
        ("\ud800", "\\u{d800}"),
    ],
)
def test_what_is_not_seen_is_written_out(name: str, shown: str) -> None:
    assert visible(name) == shown


def test_findings_are_counted_where_they_belong(
    sound_trade: Traded, told: tuple[AuditReport, Story]
) -> None:
    report, story = told
    home = str(sound_trade.homes["sellers.example/husky"])
    found = Finding(FindingKind.OFFER_WRONG, "offer x", "it is gone", entry=3, file=home)
    other = Finding(FindingKind.MONEY_WRONG, describe_key(b"\x01" + b"a" * 32), "less")
    text = page(AuditReport((found, other), 2, (), report.counters), story, AT)
    assert "2 things are wrong." in text
    assert text.count('<li class="bad"><b>1 finding</b>') == 2
    (row,) = (
        each
        for each in re.findall(r"<tr>.*?</tr>", text)
        if "/husky</bdi>" in each and "root" in each
    )
    assert "1 finding" in row
    # The rest of a path is the auditor's machine's own.
    assert home not in text and "in robot-" in text


def test_a_store_that_is_past_reading_has_a_page_too() -> None:
    report = AuditReport(
        (Finding(FindingKind.STORE_DAMAGED, "data.mdb", "page 3 is torn"),), 1, (), ChainCounters()
    )
    words = " ".join(check_page(page(report, None, AT)).words)
    assert "1 thing is wrong." in words
    assert "page 3 is torn" in words


def test_a_story_goes_through_the_pipe(told: tuple[AuditReport, Story]) -> None:
    _, story = told
    document = to_json(story)
    assert from_json(Story, document) == story
    for wrong in ({**document, "origin": 7}, {**document, "what": 1}, {"origin": "x"}, [], None):
        with pytest.raises(MalformedError):
            from_json(Story, wrong)
