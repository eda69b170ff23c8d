"""A contract in plain words: its policy, and its terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ledger.chain.policy import Policy
from ledger.chain.policy.explain import explain, span
from ledger.chain.rules.royalties import WHOLE
from ledger.cli.contract_folder import RoyaltyText, TermsText


@dataclass(frozen=True, slots=True)
class ContractWords:
    """What people are told of a contract."""

    policy: tuple[str, ...]
    terms: tuple[str, ...]

    @classmethod
    def of(cls, policy: Policy, terms: TermsText) -> ContractWords:
        """Say what a policy and terms say."""
        return cls(explain(policy.rules), tuple(_terms(terms)))


def _terms(terms: TermsText) -> Iterator[str]:
    prices = [
        f"{amount} {terms.asset} for each {what}"
        for amount, what in (
            (terms.chunk_price, "256 KiB of it"),
            (terms.record_price, "recording"),
        )
        if amount.strip("0.")
    ]
    yield f"It costs {' and '.join(prices)}." if prices else "It costs nothing."
    for royalty in terms.royalties:
        part, account = _percent(royalty.parts), _shortened(royalty)
        yield f"{part} of what is paid goes to {account}."
    if terms.royalties:
        rest = WHOLE - sum(royalty.parts for royalty in terms.royalties)
        yield f"The seller keeps {_percent(rest)}."
    lifetime = f"a grant is good for {terms.grant_blocks:,} blocks"
    yield f"Each member may ask {_times(terms.uses)}; {lifetime}."
    if terms.max_age_s:
        yield f"Only recordings that ended {span(terms.max_age_s)} ago or later are granted."
    if terms.until_block:
        yield f"Nothing is granted after block {terms.until_block:,}."
    if terms.deposit.strip("0."):
        yield f"In an atomic sale the seller puts up {terms.deposit} {terms.asset}."


def _percent(parts: int) -> str:
    whole, rest = divmod(parts, 100)
    return f"{whole}.{rest:02} %"


def _times(uses: int) -> str:
    return "once" if uses == 1 else f"{uses:,} times"


def _shortened(royalty: RoyaltyText) -> str:
    account = royalty.account
    return account if len(account) < 32 else f"{account[:8]}..."
