"""What a recorder says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from ledger.recording.commit_status import CommitStatus
from ledger.recording.episode import EpisodeProgress


class RecorderState(Enum):
    """What a recorder is at."""

    WAITING = "waiting"
    """Nothing is to be recorded, or nothing has come in yet."""
    BUFFERING = "buffering"
    """The black box keeps the last messages."""
    RECORDING = "recording"
    LEDGER_BEHIND = "ledger_behind"
    """Messages wait, or are written uncommitted, because the ledger does not answer."""
    DISK_FULL = "disk_full"
    """Messages are lost and counted until there is room again."""
    DISK_FAILED = "disk_failed"
    """The last write failed for another reason than room; messages are lost and counted."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class RecorderStatus:
    """A snapshot; counts since the recorder started."""

    state: RecorderState
    received: int
    written: int
    """Messages in segments, repeats left out."""
    written_bytes: int
    repeated: int
    lost_in_queue: Mapping[str, int]
    """Messages by topic that found no room in the queue."""
    lost_on_disk: Mapping[str, int]
    """Messages by topic that could not be written."""
    queued_bytes: int
    buffered_bytes: int
    disk_free_bytes: int
    segment: str
    """Name of the segment being written; empty for none."""
    segment_bytes: int
    uncommitted_s: float
    """How long ago the open segment was last committed; 0 without one."""
    episode: EpisodeProgress | None
    commits: CommitStatus

    @property
    def lost(self) -> int:
        """Messages lost, for whatever reason."""
        return sum(self.lost_in_queue.values()) + sum(self.lost_on_disk.values())
