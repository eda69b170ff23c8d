"""Checking many signatures: the one costly part of a transaction that needs no state.

Every key is one that names an account, or that no account has: for the first the key was
checked when the account came into being, and a transaction of the second is refused
whatever its signature says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ledger.chain.transaction import SignatureClaim
from ledger.ed25519 import is_signed


class Checking(Protocol):
    """A check under way."""

    def result(self) -> list[bool]:
        """Which of the claims are true, in their order; waits until all is known."""
        ...


class SignatureChecker(Protocol):
    """Checks claims, maybe elsewhere. Calls may come from any thread."""

    def begin(self, claims: Sequence[SignatureClaim]) -> Checking:
        """Begin to check claims; other work can be done meanwhile."""
        ...


class InlineChecker:
    """Checks in the calling thread, when the result is asked for."""

    def begin(self, claims: Sequence[SignatureClaim]) -> Checking:
        """Begin to check claims."""
        return _CheckedInline(claims)


class _CheckedInline:
    def __init__(self, claims: Sequence[SignatureClaim]) -> None:
        self._claims = claims

    def result(self) -> list[bool]:
        return [is_signed(*claim) for claim in self._claims]
