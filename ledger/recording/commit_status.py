"""What has been committed, and what became of one segment."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.experience.ingest import IngestReceipt


@dataclass(frozen=True, slots=True)
class Sealed:
    """A segment that is in the log: ``size`` bytes of MCAP with ``messages``, repeats included.

    ``leaf_hash`` is of its entry; empty where nobody waited for it.
    """

    receipt: IngestReceipt
    name: str
    size: int
    messages: int
    leaf_hash: bytes = b""


@dataclass(frozen=True, slots=True)
class CommitStatus:
    """What has been committed, and what waits. Times by the monotonic clock, None for never."""

    sealed: int = 0
    recovered: int = 0
    progress_entries: int = 0
    waiting: int = 0
    """Finished segments that are not sealed yet."""
    committed_at: float | None = None
    last_sync_s: float = 0.0
    last_error: str = ""
    """The newest failure that has not been made good; empty when all is well."""
    damaged: tuple[str, ...] = ()
    """Segments that are not what was committed of them: kept, never sealed."""
