"""How much of a chain was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.fsck.findings import Counters

_NAMES: Final = (
    "entries",
    "tiles",
    "checkpoints",
    "blocks",
    "blocks_replayed",
    "transactions",
    "refused",
    "state_keys",
    "attachments_gone",
    "robots",
    "erasures_missing",
)


@dataclass(slots=True)
class ChainCounters(Counters):
    """`Counters` of a chain; ``entries`` are the leaves of its log."""

    blocks: int = 0
    blocks_replayed: int = 0
    transactions: int = 0
    refused: int = 0
    """Transactions in a block that were not carried out."""
    state_keys: int = 0
    attachments_gone: int = 0
    """Attachments that a transaction names and that were pruned."""
    robots: int = 0
    """Robots' logs that were held against their anchors."""
    erasures_missing: int = 0
    """Recordings under a withdrawn consent without a receipt of their erasure."""

    def to_json(self) -> dict[str, int]:
        """The counters that a chain has, by name."""
        return {name: getattr(self, name) for name in _NAMES}
