"""Contracts and their terms in words."""

from __future__ import annotations

from collections.abc import Sequence

from ledger.report.markup import Markup, join, name, tag
from ledger.report.model import ChainPart, ContractStory, VersionStory
from ledger.report.parts import identity, section
from ledger.report.words import plural

_CONTRACTS = 60


def contracts(chain: ChainPart) -> Markup | None:
    """Every contract, its newest version in words; of older ones what was different."""
    shown = chain.contracts[:_CONTRACTS]
    beyond = len(chain.contracts) - len(shown)
    return section(
        "Contracts",
        "Read off the policies and terms that are on the chain. What was granted under a version "
        "stays under it.",
        *(_contract(each) for each in shown),
        tag("p", f"and {plural(beyond, 'more contract')}.", class_="soft") if beyond else None,
    )


def _contract(contract: ContractStory) -> Markup:
    *older, newest = contract.versions or (VersionStory(0, 0, (), ()),)
    counted = f"{plural(contract.offers, 'offer')}, {plural(contract.grants, 'grant')}"
    withdrawn = contract.withdrawn_height
    return tag(
        "div",
        tag("h3", name(contract.name)),
        tag(
            "p",
            "of ",
            name(contract.fleet),
            f", version {newest.number:,} since block {newest.height:,}, {counted}, ",
            identity(contract.id),
            join("; ", tag("b", f"withdrawn in block {withdrawn:,}")) if withdrawn else None,
            class_="about",
        ),
        tag(
            "div",
            _words("Who may use it", newest.policy),
            _words("Terms", newest.terms),
            class_="cols",
        ),
        *(_older(each, after) for each, after in zip(older, [*older, newest][1:], strict=True)),
        class_="contract",
    )


def _words(title: str, lines: Sequence[str]) -> Markup:
    items = [
        tag("li", line.strip(), class_="in" if line.startswith(" ") else None) for line in lines
    ]
    return tag("div", tag("h4", title), tag("ul", *items))


def _older(version: VersionStory, after: VersionStory) -> Markup:
    """What an older version said that the next one does not."""
    gone = [
        line.strip()
        for line in (*version.policy, *version.terms)
        if line not in after.policy and line not in after.terms
    ]
    said = " ".join(gone) if gone else "It said the same in words; its policy text is another."
    return tag(
        "p",
        f"Version {version.number:,}, from block {version.height:,}, said otherwise: ",
        said,
        class_="soft small",
    )
