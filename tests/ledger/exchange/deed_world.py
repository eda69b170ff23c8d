"""A stream whose content has a log entry that hides a reward, a success and a length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.exchange.deed import Deed, Promise, ProvenBound
from ledger.exchange.unit_source import StoredUnits
from ledger.experience.content_root import leaves_of_chunks, rechunk
from ledger.experience.entry import encode_entry
from ledger.experience.ingest import HiddenValue
from ledger.experience.kinds import CommitmentKind, Experience, File, RewardSource
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.hidden_values import REWARD_OFFSET, hide
from tests.ledger.exchange.stream_world import SALT_KEY, BytesSource, StreamWorld, units_of

REWARD: Final = 900_000 - REWARD_OFFSET
"""The committed integer of a reward of 0.9."""


def hidden_values() -> tuple[HiddenValue, ...]:
    """A reward of 0.9 by the task, a success, and 30 s; fresh blindings."""
    return hide(EpisodeMarks(True, 0.9, RewardSource.TASK), 0, 30 * 10**9)


def entry_of(content: bytes, hidden: Sequence[HiddenValue], **changes: Any) -> bytes:
    """The entry of a robot's log that says this content."""
    values = {
        "record_id": bytes(range(16)),
        "start_ns": 0,
        "end_ns": 30 * 10**9,
        "content_root": units_of(content).root,
        "content_size": len(content),
        "files": (File("metadata.yaml", 7), File("bag/0.mcap", len(content) - 7)),
        "media_type": "application/x-rosbag2",
        "name": "drive",
        "commitments": tuple(value.commitment for value in hidden),
        **changes,
    }
    key = PrivateKey.from_seed(b"r" * 32)
    return encode_entry(log_id("robot.example/deed"), 7, Experience(**values), key)


class DeedWorld(StreamWorld):
    """Bob's content comes with a deed; Alice knows what the chain says of the offer."""

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(root, **options)
        self.hidden = hidden_values()
        self.deed = Deed.of(
            entry_of(self.content, self.hidden), [value.opening for value in self.hidden]
        )
        self.promise = Promise(
            self.deed.leaf,
            (
                ProvenBound(
                    CommitmentKind.REWARD, RewardSource.TASK, 800_000 - REWARD_OFFSET, REWARD
                ),
            ),
        )
        self.give(self.deed)

    def give(self, deed: Deed | None) -> None:
        """From here on the seller has this deed, true or not."""
        leaves = leaves_of_chunks(SALT_KEY, rechunk([self.content]))
        self.units = StoredUnits(BytesSource(self.content), SALT_KEY, leaves, deed)
        self.restart_seller()

    def edited(self, at: int, **changes: Any) -> Deed:
        """The deed with opening ``at`` changed."""
        openings = list(self.deed.openings)
        openings[at] = replace(openings[at], **changes)
        return Deed(self.deed.entry, tuple(openings))
