"""A contract as files in a folder, before it is on a chain and after.

::

    policy.cedar     who may use what, what for, until when
    terms.yaml       what it costs, and what else the ledger itself carries out
    examples.yaml    who must be allowed and who must not: run by `quipu contract test`
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from importlib import resources
from pathlib import Path
from typing import Final

from ledger.chain.policy import Member, Policy, Quality, Recording, Use, read_policy
from ledger.chain.policy.schema import QUALITIES
from ledger.cli.failure import advice
from ledger.cli.files import read_input
from ledger.errors import MalformedError, RefusedError
from ledger.fleet.document import Node, read_document
from ledger.storage.os_errors import storage_errors

POLICY_FILE: Final = "policy.cedar"
TERMS_FILE: Final = "terms.yaml"
EXAMPLES_FILE: Final = "examples.yaml"
FILES: Final = (POLICY_FILE, TERMS_FILE, EXAMPLES_FILE)
TEMPLATES: Final = ("disaster-response", "fleet-only", "paid-dataset", "patient-consent")

MAX_BLOCKS: Final = 10_000_000
NOW_S: Final = 1_800_000_000
"""The second in which examples happen."""
_LONGS: Final = (-(2**63), 2**63 - 1)
_SPAN: Final = re.compile(r"([1-9][0-9]{0,8}) (second|minute|hour|day)s?")
_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3_600, "day": 86_400}
_AMOUNT: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,18})?")
_PERCENT: Final = re.compile(r"([0-9]{1,3})(?:\.([0-9]{1,2}))?")


@dataclass(frozen=True, slots=True)
class RoyaltyText:
    """A royalty as it is written."""

    account: str
    parts: int
    """of 10,000"""


@dataclass(frozen=True, slots=True)
class TermsText:
    """Terms as they are written: amounts are decimals of an asset that only a chain knows."""

    name: str
    asset: str
    chunk_price: str
    record_price: str
    deposit: str
    royalties: tuple[RoyaltyText, ...]
    uses: int
    grant_blocks: int
    until_block: int
    """0: none"""
    max_age_s: int
    """0: none"""


class Expectation(Enum):
    """What an example must come to."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Example:
    """Somebody who asks, and what must be answered."""

    name: str
    member: Member
    recording: Recording
    use: Use
    expect: Expectation


@dataclass(frozen=True, slots=True)
class ContractFolder:
    """What the three files say."""

    policy: Policy
    terms: TermsText
    examples: tuple[Example, ...] = field(repr=False)

    def failing(self) -> tuple[Example, ...]:
        """The examples that come to something else than they must."""
        return tuple(each for each in self.examples if not self.holds(each))

    def holds(self, example: Example) -> bool:
        """Whether an example comes to what it must."""
        allowed = self.policy.allows(example.member, example.recording, example.use)
        return allowed is (example.expect is Expectation.ALLOW)


def write_template(folder: Path, template: str) -> None:
    """Write the files of a template. Raises RefusedError where files are already."""
    source = resources.files("ledger.cli") / "contract_templates" / template
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RefusedError(f"{folder} is there and not empty", hint="name a new folder")
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for name in FILES:
            (folder / name).write_text(source.joinpath(name).read_text("utf-8"), "utf-8")


def read_folder(folder: Path) -> ContractFolder:
    """Read a contract. Raises NotFoundError, MalformedError."""
    path = folder / POLICY_FILE
    text = read_input(path, "its part of a contract; `quipu contract new` makes them all")
    with advice("see docs/contracts.md", about=path):
        try:
            policy = read_policy(text.decode("utf-8"))
        except UnicodeDecodeError:
            raise MalformedError("the policy is not UTF-8") from None
    terms = _terms(_document(folder / TERMS_FILE))
    examples = tuple(map(_example, _document(folder / EXAMPLES_FILE).items()))
    return ContractFolder(policy, terms, examples)


def _document(path: Path) -> Node:
    read_input(path, "its part of a contract; `quipu contract new` makes them all")
    return read_document(path)


def _terms(node: Node) -> TermsText:
    found = node.mapping(
        *("name", "asset", "chunk_price", "record_price", "royalties", "uses"),
        *("grant_blocks", "until_block", "max_age", "deposit"),
    )
    for needed in ("name", "asset", "uses", "grant_blocks"):
        if needed not in found:
            raise node.fault(f"has no {needed}", hint="see docs/contracts.md")
    royalties = tuple(map(_royalty, found["royalties"].items())) if "royalties" in found else ()
    asset = found["asset"]
    return TermsText(
        name=found["name"].text(),
        asset=str(asset.value) if isinstance(asset.value, int) else asset.text(),
        chunk_price=_amount(found, "chunk_price"),
        record_price=_amount(found, "record_price"),
        deposit=_amount(found, "deposit"),
        royalties=royalties,
        uses=found["uses"].whole(1, 65_536),
        grant_blocks=found["grant_blocks"].whole(1, MAX_BLOCKS),
        until_block=found["until_block"].whole(1, _LONGS[1]) if "until_block" in found else 0,
        max_age_s=_span(found["max_age"]) if "max_age" in found else 0,
    )


def _royalty(node: Node) -> RoyaltyText:
    found = node.mapping("account", "percent")
    if not {"account", "percent"} <= found.keys():
        raise node.fault("needs an account and a percent")
    percent = found["percent"]
    written = str(percent.value) if isinstance(percent.value, int | str) else ""
    digits = _PERCENT.fullmatch(written)
    if digits is None:
        raise percent.fault('must be a percentage in quotes, like "2.5", with two decimals at most')
    parts = int(digits[1]) * 100 + int((digits[2] or "").ljust(2, "0"))
    account = found["account"]
    return RoyaltyText(account.text(), parts)


def _amount(found: Mapping[str, Node], name: str) -> str:
    if name not in found:
        return "0"
    node = found[name]
    written = str(node.value)
    # A YAML number with a point would be a float, and 0.1 is none.
    if isinstance(node.value, bool | float) or not _AMOUNT.fullmatch(written):
        raise node.fault('must be an amount: digits, in quotes where there is a point, like "0.05"')
    return written


def _span(node: Node) -> int:
    found = _SPAN.fullmatch(str(node.value))
    if found is None:
        raise node.fault("must be a time like `90 seconds`, `2 hours` or `30 days`")
    return int(found[1]) * _SECONDS[found[2]]


def _example(node: Node) -> Example:
    found = node.mapping("name", "member", "recording", "use", "expect")
    for needed in ("name", "expect"):
        if needed not in found:
            raise node.fault(f"has no {needed}")
    return Example(
        name=found["name"].text(),
        member=_member(found.get("member")),
        recording=_recording(found.get("recording")),
        use=_use(found.get("use")),
        expect=found["expect"].choice(Expectation),
    )


def _member(node: Node | None) -> Member:
    found = node.mapping("fleet", "level", "role", "certifications") if node else {}
    return Member(
        fleet=_text(found, "fleet", "some-fleet"),
        proven_min_level=found["level"].whole(0, _LONGS[1]) if "level" in found else 0,
        role=found["role"].text() if "role" in found else None,
        certifications=_texts(found, "certifications"),
    )


def _recording(node: Node | None) -> Recording:
    found = (
        node.mapping(
            *("kind", "fleet", "origin", "media_type", "tags", "topics"),
            *("age", "length", "size", "quality"),
        )
        if node
        else {}
    )
    end_s = NOW_S - (_span(found["age"]) if "age" in found else 0)
    length = _span(found["length"]) if "length" in found else 0
    return Recording(
        kind=_text(found, "kind", "recording"),
        fleet=_text(found, "fleet", "our-fleet"),
        origin=_text(found, "origin", "example.com/robot"),
        media_type=_text(found, "media_type", "application/mcap"),
        tags=_texts(found, "tags"),
        topics=_texts(found, "topics"),
        start_s=end_s - length,
        end_s=end_s,
        size=found["size"].whole(1, _LONGS[1]) if "size" in found else 1,
        qualities=_qualities(found["quality"]) if "quality" in found else (),
    )


def _qualities(node: Node) -> tuple[Quality, ...]:
    known = [f"{name}_{bound}" for name in QUALITIES for bound in ("min", "max")]
    found = {name: each.whole(*_LONGS) for name, each in node.mapping(*known).items()}
    return tuple(
        Quality(name, found.get(f"{name}_min"), found.get(f"{name}_max")) for name in QUALITIES
    )


def _use(node: Node | None) -> Use:
    found = node.mapping("purpose", "price") if node else {}
    return Use(
        purpose=_text(found, "purpose", ""),
        time_s=NOW_S,
        price=found["price"].whole(0, _LONGS[1]) if "price" in found else 0,
    )


def _text(found: Mapping[str, Node], name: str, otherwise: str) -> str:
    return found[name].text() if name in found else otherwise


def _texts(found: Mapping[str, Node], name: str) -> tuple[str, ...]:
    text: Callable[[Node], str] = Node.text
    return tuple(map(text, found[name].items())) if name in found else ()
