"""Reward, success and length of an episode, committed to and not told.

    committed integer = value * scale - offset          opened with (integer, blinding)

    kind      scale        offset                integer
    reward    1,000,000    -10^15                0 .. 2 * 10^15, for rewards of -10^9 .. 10^9
    success   1            0                     0 or 1
    length    1,000        0                     milliseconds from first to last message

Offsets and scales are constants: they tell nothing, and a range proof knows its range.
"""

from __future__ import annotations

from typing import Final

from ledger.experience.ingest import HiddenValue
from ledger.experience.kinds import Commitment, CommitmentKind, RewardSource
from ledger.experience.record_keys import CommitmentOpening
from ledger.recording.episode_marks import EpisodeMarks
from zkproofs.group import group
from zkproofs.pedersen import Opening

REWARD_SCALE: Final = 10**6
REWARD_OFFSET: Final = -(10**15)
LENGTH_SCALE: Final = 10**3


def hide(marks: EpisodeMarks, start_ns: int, end_ns: int) -> tuple[HiddenValue, ...]:
    """Commit to what is known of an episode, with fresh blindings."""
    hidden = []
    if marks.reward is not None:
        integer = round(marks.reward * REWARD_SCALE) - REWARD_OFFSET
        hidden.append(
            _commit(CommitmentKind.REWARD, marks.source, integer, REWARD_OFFSET, REWARD_SCALE)
        )
    if marks.success is not None:
        hidden.append(_commit(CommitmentKind.SUCCESS, marks.source, int(marks.success), 0, 1))
    length = (end_ns - start_ns) * LENGTH_SCALE // 10**9
    hidden.append(_commit(CommitmentKind.LENGTH, RewardSource.UNSPECIFIED, length, 0, LENGTH_SCALE))
    return tuple(hidden)


def _commit(
    kind: CommitmentKind, source: RewardSource, integer: int, offset: int, scale: int
) -> HiddenValue:
    opening = Opening.of(integer)
    backend = group()
    return HiddenValue(
        Commitment(kind, source, backend.encode_g1(opening.commitment()), offset, scale),
        CommitmentOpening(kind, source, integer, backend.encode_scalar(opening.blinding)),
    )
