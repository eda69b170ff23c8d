"""How an embedded engine works. Nothing here is agreed on: another engine may differ."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.chain.machine.kept_heights import KEPT_HEIGHTS
from ledger.errors import RefusedError


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Periods in seconds. Raises RefusedError for values without a meaning."""

    block_period_s: float = 0.2
    """Blocks begin at least this far apart, unless a full one waits. After a pause of that
    long the first transaction does not wait at all."""
    empty_block_period_s: float | None = None
    """A block without transactions is made when none came for this long. Heights are the
    chain's calendar: where channels are used, whose challenges and expiries are heights,
    time must pass although nobody pays. An empty block takes some 1.5 kB for ever."""
    checkpoint_period_s: float = 0.0
    """Checkpoints are at least this far apart; 0: one a block. A receipt that is asked for
    earlier has its checkpoint signed then."""
    block_work_s: float = 2.0
    """A block takes no further transactions once carrying them out took this long: a
    transaction that is refused pays nothing, and may have been much work."""
    mempool_transactions: int = 50_000
    mempool_bytes: int = 64 << 20
    """Of transactions and attachments that wait, together."""
    kept_heights: int = KEPT_HEIGHTS
    """How many heights before the newest stay provable."""
    signature_processes: int | None = None
    """Processes that check signatures; None: one a further core."""
    close_patience_s: float = 10.0
    """How long `close` goes on committing what waits. The rest is refused."""

    def __post_init__(self) -> None:
        periods = (
            self.block_period_s,
            self.block_work_s,
            self.checkpoint_period_s,
            self.close_patience_s,
        )
        empty = self.empty_block_period_s
        if min(periods) < 0 or (empty is not None and empty <= 0):
            raise RefusedError("a period is not negative, and that of empty blocks more than 0")
        if self.mempool_transactions < 1 or self.mempool_bytes < 1 or self.kept_heights < 0:
            raise RefusedError("a mempool has room for something, and heights are kept or not")
        if self.signature_processes is not None and not 0 <= self.signature_processes <= 64:
            raise RefusedError("0 to 64 processes can check signatures")
