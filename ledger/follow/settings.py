"""How a directory is followed."""

from __future__ import annotations

from dataclasses import dataclass, field

from ledger.experience.content_store import StoreMode
from ledger.experience.ingest import IngestOptions


def _in_place() -> IngestOptions:
    return IngestOptions(mode=StoreMode.IN_PLACE)


@dataclass(frozen=True, slots=True)
class FollowSettings:
    """Times in seconds.

    ``options`` say what becomes of a sealed file, as for an ingest; by default it stays
    where it is. ``settle_s``: a file at rest for so long may have been closed. Where the
    system does not tell whether somebody still writes it, ``quiet_s`` of rest say so.
    ``slice_s``: how long one file may keep the others waiting.
    """

    options: IngestOptions = field(default_factory=_in_place)
    progress_period_s: float = 1.0
    poll_period_s: float = 0.2
    scan_period_s: float = 1.0
    settle_s: float = 2.0
    quiet_s: float = 30.0
    retry_s: float = 1.0
    slice_s: float = 0.05
    max_depth: int = 4
    """Folders below a followed directory, at most."""
    max_open: int = 64
    """Files worked on at the same time; the newest come first."""
