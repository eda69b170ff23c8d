"""Every link and picture of our pages leads somewhere in the tree."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.svg"))

_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
_HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"^[a-z]+:")


def links_of(text: str) -> Iterator[str]:
    prose = _CODE.sub("", _FENCE.sub("", text))
    for found in _LINK.finditer(prose):
        yield found[1] or found[2]


def anchors_of(text: str) -> set[str]:
    """The anchors that headings get, as GitHub and most renderers make them."""
    headings = _HEADING.findall(_FENCE.sub("", text))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(page: Path, text: str) -> Iterator[str]:
    for link in links_of(text):
        if _ELSEWHERE.match(link):
            continue
        name, _, anchor = link.partition("#")
        target = page if not name else (page.parent / name)
        if not target.exists():
            yield f"{page.name}: {link}: no such file"
        elif ROOT not in target.resolve().parents and target.resolve() != ROOT:
            yield f"{page.name}: {link}: leads out of the tree"
        elif anchor and anchor not in anchors_of(text if not name else target.read_text()):
            yield f"{page.name}: {link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert not list(broken_links(page, page.read_text(encoding="utf-8")))


def test_every_decision_is_listed_in_its_index() -> None:
    folder = ROOT / "docs" / "adr"
    index = (folder / "README.md").read_text(encoding="utf-8")
    decisions = sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert decisions
    assert [name for name in decisions if f"({name})" not in index] == []
    assert [name[:4] for name in decisions] == [f"{n:04}" for n in range(1, len(decisions) + 1)]


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_self_contained_and_speak(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)  # noqa: S314
    svg = "{http://www.w3.org/2000/svg}"
    assert root.tag == f"{svg}svg"
    assert root.find(f"{svg}title") is not None, "a title, for those who cannot see it"
    assert root.get("viewBox")
    assert "href" not in text, "nothing from elsewhere"
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize(
    "text",
    [
        "[a](missing.md)",
        "![a](docs/pictures/missing.svg)",
        "[a](docs/format.md#nothing-here)",
        '<img src="missing.png">',
        "[a](#nothing-here)",
        "[a](../outside.md)",
        "[a](..)",
    ],
)
def test_a_broken_link_is_found(text: str) -> None:
    assert list(broken_links(ROOT / "README.md", f"# Title\n\n{text}\n"))


@pytest.mark.parametrize(
    "text", ["[a](LICENSE)", "[a](#title)", "`[a](missing.md)`", "[a](docs/format.md)", "x (y)"]
)
def test_a_good_link_is_not(text: str) -> None:
    assert not list(broken_links(ROOT / "README.md", f"# Title\n\n{text}\n"))
