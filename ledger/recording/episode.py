"""One episode: what it is for, how far it is, and how it ended."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from enum import Enum

from ledger.recording.commit_status import Sealed
from ledger.recording.episode_marks import EpisodeMarks


class EpisodeEnd(Enum):
    """Why an episode ended."""

    STOPPED = "stopped"
    DURATION = "duration"
    SHUTDOWN = "shutdown"


@dataclass(frozen=True, slots=True)
class EpisodeGoal:
    """What to record: ``name`` of the segment, ``task`` in words, at most ``max_s`` seconds.

    0 seconds: until stopped. An empty name lets the recorder choose.
    """

    name: str = ""
    task: str = ""
    tags: tuple[str, ...] = ()
    max_s: float = 0.0


@dataclass(frozen=True, slots=True)
class EpisodeProgress:
    """How far an episode is."""

    elapsed_s: float
    messages: int
    bytes: int
    lost: int
    marks: EpisodeMarks


@dataclass(frozen=True, slots=True)
class EpisodeOutcome:
    """What became of an episode; ``sealed`` is None when nothing was recorded."""

    end: EpisodeEnd
    progress: EpisodeProgress
    sealed: Sealed | None


@dataclass(slots=True)
class Episode:
    """An episode being recorded. ``outcome`` is set when it is in the log, or failed."""

    goal: EpisodeGoal
    started_at: float
    """By the monotonic clock."""
    lost_before: int
    outcome: Future[EpisodeOutcome] = field(default_factory=Future)
    marks: EpisodeMarks = field(default_factory=EpisodeMarks)

    def is_over(self, now: float) -> bool:
        """Whether its time is up."""
        return bool(self.goal.max_s) and now - self.started_at >= self.goal.max_s
