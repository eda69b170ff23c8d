"""How a recorder records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.errors import MalformedError
from ledger.recording.mcap_appender import Compression

_MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class BlackBoxSettings:
    """The last messages, kept in memory while nothing is being recorded.

    ``seconds`` and ``max_bytes`` bound what is kept, ``after_s`` is how long recording
    goes on after a trigger, ``min_interval_s`` the least time between two triggers.
    """

    seconds: float = 30.0
    max_bytes: int = 32 * _MIB
    after_s: float = 5.0
    min_interval_s: float = 60.0

    def __post_init__(self) -> None:
        if self.seconds <= 0 or self.max_bytes <= 0 or self.after_s < 0 or self.min_interval_s < 0:
            raise MalformedError("a black box keeps more than 0 seconds and more than 0 bytes")


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """Limits of 0 are none. Raises `MalformedError`.

    ``name`` begins the name of each segment. Without ``continuous`` only episodes and
    what triggers the black box are recorded. A segment ends after ``segment_max_s``
    seconds or ``segment_max_bytes``; an episode is one segment, however long.
    """

    name: str = "recording"
    continuous: bool = True
    segment_max_s: float = 60.0
    segment_max_bytes: int = 1024 * _MIB
    progress_period_s: float = 1.0
    queue_max_bytes: int = 64 * _MIB
    min_free_bytes: int = 64 * _MIB
    """Where the disk has less, messages are lost and counted, until it has more again."""
    compression: Compression = Compression.NONE
    ros_distro: str = ""
    black_box: BlackBoxSettings | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise MalformedError("a recorder has a name")
        if self.progress_period_s <= 0 or self.queue_max_bytes <= 0:
            raise MalformedError("the period of progress and the queue are more than 0")
        if min(self.segment_max_s, self.segment_max_bytes, self.min_free_bytes) < 0:
            raise MalformedError("a limit is 0 or more")
