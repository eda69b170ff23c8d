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


class SignatureChecker(Protocol):
    """Checks claims; the work may go on elsewhere."""

    def check(self, claims: Sequence[SignatureClaim]) -> list[bool]:
        """Which of the claims are true, in their order."""
        ...


class InlineChecker:
    """Checks in the calling thread."""

    def check(self, claims: Sequence[SignatureClaim]) -> list[bool]:
        """Which of the claims are true, in their order."""
        return [is_signed(*claim) for claim in claims]
