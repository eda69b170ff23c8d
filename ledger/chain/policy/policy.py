"""A policy that a contract may have."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from ledger.chain.policy import cedar
from ledger.chain.policy.attributes import Member, Recording, Use
from ledger.chain.policy.hidden_level import asked_levels, check_levels
from ledger.chain.policy.text import check_text
from ledger.chain.policy.tree import Rule, read_rules


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy that is parsed and fit for a contract; `read_policy` makes it."""

    text: str
    rules: tuple[Rule, ...]
    _parsed: cedar.Parsed = field(repr=False)

    def allows(self, member: Member, recording: Recording, use: Use) -> bool:
        """Whether ``member`` may use ``recording`` so."""
        return cedar.decide(self._parsed, member, recording, use)

    @property
    def asked_levels(self) -> tuple[int, ...]:
        """The levels that it asks for, ascending."""
        return asked_levels(self.rules)


@lru_cache(maxsize=1_024)
def read_policy(text: str) -> Policy:
    """Parse a policy and hold it to everything a contract's policy must be.

    The newest thousand stay parsed. Raises PolicyError.
    """
    check_text(text)
    parsed = cedar.parse(text)
    rules = read_rules(parsed.document)
    check_levels(rules)
    cedar.validate(text)
    return Policy(text, rules, parsed)
