"""``quipu ingest --episode``: how a recording went, committed to in its entry and not told.

A robot's recorder does the same for the episodes that it records. What opens the
commitments stays in the home's key store; ``quipu offer post --prove`` shows bounds of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import click

from ledger.cli.main import Function
from ledger.errors import RefusedError
from ledger.experience.ingest import Commit
from ledger.experience.kinds import RewardSource, Tag
from ledger.experience.readers.recording import Recording
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.hidden_values import hide

EPISODE: Final = Tag("kind", "episode")
_SOURCES: Final = {
    source.name.lower(): source for source in RewardSource if source is not RewardSource.UNSPECIFIED
}


@dataclass(frozen=True, slots=True)
class EpisodeOptions:
    """What was said of a recording on the command line."""

    is_episode: bool
    marks: EpisodeMarks

    @classmethod
    def of(
        cls, episode: bool, reward: float | None, success: bool | None, by: str | None
    ) -> EpisodeOptions:
        """Read the options. Raises RefusedError for a reward that no commitment can hold."""
        is_told = reward is not None or success is not None
        if by is not None and not is_told:
            raise click.UsageError("--by says who gave --reward, --success or --failure")
        source = _SOURCES[by or "operator"] if is_told else RewardSource.UNSPECIFIED
        try:
            return cls(episode or is_told, EpisodeMarks(success, reward, source))
        except RefusedError as error:
            error.hint = error.hint or "give a smaller one"
            raise

    def tags(self, given: tuple[Tag, ...]) -> tuple[Tag, ...]:
        """The tags of an entry, with the one that says that it is an episode."""
        if not self.is_episode:
            return given
        if any(tag.key == EPISODE.key and tag != EPISODE for tag in given):
            raise click.UsageError("an episode has no other --tag kind")
        return (*given, EPISODE)

    def commit(self, parts: Sequence[Recording]) -> Commit | None:
        """What commits to it. Raises RefusedError where it would be said of several recordings."""
        if not self.is_episode:
            return None
        if self.marks and len(parts) > 1:
            raise RefusedError(
                f"one reward or success for {len(parts)} recordings",
                hint="ingest each episode by itself",
            )
        return lambda recording: hide(self.marks, recording.start_ns, recording.end_ns)


def episode_options(function: Function) -> Function:
    """Add ``--episode``, ``--reward``, ``--success``, ``--failure`` and ``--by``."""
    function = click.option(
        "--by",
        type=click.Choice(list(_SOURCES)),
        help="Who says so: operator, task or self [operator].",
    )(function)
    function = click.option(
        "--success/--failure",
        "success",
        default=None,
        help="Commit to how it ended, hidden; implies --episode.",
    )(function)
    function = click.option(
        "--reward", type=float, metavar="NUMBER", help="Commit to it, hidden; implies --episode."
    )(function)
    return click.option(
        "--episode", is_flag=True, help="Tag it kind=episode, and commit to its length, hidden."
    )(function)
