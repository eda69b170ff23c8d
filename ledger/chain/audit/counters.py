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
    "contracts",
    "offers",
    "offers_checked",
    "grants",
    "grants_expired",
    "uses",
    "presentations",
    "channels",
    "channels_open",
    "sales",
    "sales_open",
    "complaints",
    "consents",
    "consents_withdrawn",
    "erasures_missing",
    "notices",
    "receipts_missing",
    "models",
    "acquisitions",
    "trainings",
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
    contracts: int = 0
    offers: int = 0
    offers_checked: int = 0
    """Offers that were held against the robot's home."""
    grants: int = 0
    grants_expired: int = 0
    """Of those, how many are good no more."""
    uses: int = 0
    """Nullifiers: uses of contracts, each by a member that nobody knows."""
    presentations: int = 0
    """Grants whose presentation was verified, by the replay or, if `Depth.DEEP`, after it."""
    channels: int = 0
    channels_open: int = 0
    sales: int = 0
    """Atomic ones."""
    sales_open: int = 0
    complaints: int = 0
    """Sales that ended with the seller's deposit lost."""
    consents: int = 0
    consents_withdrawn: int = 0
    notices: int = 0
    """Grants of recordings whose consent was withdrawn: each buyer is to erase."""
    receipts_missing: int = 0
    """Of those, how many have not confirmed it."""
    models: int = 0
    """Registered by fleets."""
    acquisitions: int = 0
    """Purchases in the homes that were named, held against their grants."""
    trainings: int = 0
    erasures_missing: int = 0
    """Recordings under a withdrawn consent without a receipt of their erasure."""

    def to_json(self) -> dict[str, int]:
        """The counters that a chain has, by name."""
        return {name: getattr(self, name) for name in _NAMES}
