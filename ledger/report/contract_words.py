"""Contracts and what is proven of offers, in words."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from ledger.chain.chronicle.chronicle import AssetName
from ledger.chain.chronicle.facts import WHOLE, VersionFact
from ledger.chain.policy import PolicyError, read_policy
from ledger.chain.policy.explain import explain, span
from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.offering import BITS
from ledger.report.model import VersionStory
from ledger.report.words import amount, percent, plural, short
from ledger.schema.chain_sharing_pb2 import QualityBound, Terms

_SECOND = 1_000_000_000
_ONE_SIDED = (1 << BITS) - 1
"""Width of an interval of which one side is as far away as proofs go."""


def version_story(version: VersionFact, asset: AssetName) -> VersionStory:
    """A version of a contract: its policy and its terms."""
    try:
        policy = explain(read_policy(version.policy).rules)
    except PolicyError as error:
        policy = (f"A policy that cannot be read here: {error.message}.",)
    return VersionStory(
        version.number, version.height, tuple(policy), tuple(_terms(version.terms, asset))
    )


def bound_words(bound: QualityBound) -> str:
    """A proven bound: ``reward (task) at least 0.8``."""
    try:
        name = CommitmentKind(bound.kind).name.lower()
        source = RewardSource(bound.source)
    except ValueError:
        name, source = f"value {bound.kind}", RewardSource.UNSPECIFIED
    said = f" ({source.name.lower()})" if source is not RewardSource.UNSPECIFIED else ""
    low, high = (_decimal(each, bound) for each in (bound.low, bound.high))
    if bound.high - bound.low >= _ONE_SIDED:
        if abs(bound.low + bound.offset) <= abs(bound.high + bound.offset):
            return f"{name}{said} at least {low}"
        return f"{name}{said} at most {high}"
    return f"{name}{said} {low}" if low == high else f"{name}{said} from {low} to {high}"


def _decimal(integer: int, bound: QualityBound) -> str:
    # value = (integer + offset) / scale
    value = Fraction(integer + bound.offset, bound.scale or 1)
    thousandths = round(value * 1000)
    sign, digits = "-" if thousandths < 0 else "", f"{abs(thousandths):04}"
    return f"{sign}{digits[:-3]}.{digits[-3:]}".rstrip("0").rstrip(".")


def _terms(terms: Terms, asset: AssetName) -> Iterator[str]:
    prices = [
        f"{_money(units, asset)} for each {what}"
        for units, what in (
            (terms.chunk_price, "256 KiB of it"),
            (terms.record_price, "recording"),
        )
        if units
    ]
    yield f"It costs {' and '.join(prices)}." if prices else "It costs nothing."
    for royalty in terms.royalties:
        account = short(royalty.account.hex())
        yield f"Account {account} has {percent(royalty.parts)} of what is paid."
    if terms.royalties:
        rest = WHOLE - sum(royalty.parts for royalty in terms.royalties)
        yield f"The seller keeps {percent(rest)}."
    times = "once" if terms.uses == 1 else plural(terms.uses, "time")
    lifetime = plural(terms.grant_lifetime, "block")
    yield f"Each member may ask {times}; a grant is good for {lifetime}."
    if terms.max_age_ns:
        age = span(terms.max_age_ns // _SECOND)
        yield f"Only recordings that ended {age} ago or later are granted."
    if terms.expiry_height:
        yield f"Nothing is granted after block {terms.expiry_height:,}."
    if terms.deposit:
        yield f"In an atomic sale the seller puts up {_money(terms.deposit, asset)}."


def _money(units: int, asset: AssetName) -> str:
    return amount(units, asset.decimals, asset.symbol)
