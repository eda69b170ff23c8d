"""How an episode went, kept beside its segment until it is sealed.

``HOME/recording/<record id hex>.marks``, mode 0600: so that a recorder that dies forgets
nothing it has confirmed. It lies beside the record's folder, not in it, for it is no part
of the content. What it says goes into commitments; then it is removed.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ledger.durable_file import PRIVATE, unfinished_writes, write_durably
from ledger.errors import RefusedError
from ledger.experience.kinds import RewardSource
from ledger.storage.os_errors import storage_errors

SUFFIX: Final = ".marks"
LARGEST_REWARD: Final = 1e9


@dataclass(frozen=True, slots=True)
class EpisodeMarks:
    """How an episode has gone; None is not said. ``source`` is who said so.

    Raises `RefusedError` for a reward that no commitment can hold, or without a source.
    """

    success: bool | None = None
    reward: float | None = None
    source: RewardSource = RewardSource.UNSPECIFIED

    def __post_init__(self) -> None:
        if self.reward is None:
            return
        if not (math.isfinite(self.reward) and abs(self.reward) <= LARGEST_REWARD):
            raise RefusedError(
                f"a reward is a number from {-LARGEST_REWARD:g} to {LARGEST_REWARD:g}"
            )
        if self.source is RewardSource.UNSPECIFIED:
            raise RefusedError("a reward says who gave it: operator, task or self")

    def __bool__(self) -> bool:
        return self.success is not None or self.reward is not None

    def keep(self, folder: Path) -> None:
        """Write them for the record in ``folder``, durably. Raises StorageError."""
        values = {"success": self.success, "reward": self.reward, "source": self.source.value}
        path = _path(folder)
        with storage_errors(path):
            write_durably(path, json.dumps(values).encode(), mode=PRIVATE)


def kept_marks(folder: Path) -> EpisodeMarks:
    """What was written for a record; nothing where there is no such file, or a damaged one."""
    try:
        values = json.loads(_path(folder).read_bytes())
        return EpisodeMarks(values["success"], values["reward"], RewardSource(values["source"]))
    except (OSError, ValueError, KeyError, TypeError, RefusedError):
        return EpisodeMarks()


def forget_marks(folder: Path) -> None:
    """Remove what was written for a record, if anything was. Raises StorageError."""
    path = _path(folder)
    with storage_errors(path):
        for each in (path, *unfinished_writes(path)):
            each.unlink(missing_ok=True)


def forget_stray_marks(recordings: Path) -> None:
    """Remove what was written for records whose folders are gone: a crash left it behind."""
    with storage_errors(recordings):
        for path in recordings.iterdir():
            # Written (<record>.marks) or half so (.<record>.marks.<pid>.new).
            record, found, _ = path.name.removeprefix(".").partition(SUFFIX)
            if found and not (recordings / record).exists():
                path.unlink(missing_ok=True)


def _path(folder: Path) -> Path:
    return folder.with_name(folder.name + SUFFIX)
