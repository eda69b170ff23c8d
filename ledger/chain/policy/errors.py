"""What is wrong with a policy."""

from __future__ import annotations

from ledger.errors import MalformedError


class PolicyError(MalformedError):
    """A text that no contract may have as its policy.

    The words are our own, or Cedar's for the author to read; no agreed result holds them.
    """
