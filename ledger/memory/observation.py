"""What can be said of a home from its log and its disk."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from ledger.checkpoint import Checkpoint
from ledger.home import HomeReader
from ledger.memory.status import MemoryStatus
from ledger.note import SignedNote


def with_checkpoint(status: MemoryStatus, note: bytes, home: HomeReader) -> MemoryStatus:
    """``status`` with what the newest checkpoint says; ``note`` is empty where there is none."""
    if not note:
        return replace(status, checkpoint_size=0, checkpoint_time_ns=0, cosignatures=0)
    own = {(key.name, key.key_id) for key in home.log.known_keys()}
    lines = SignedNote.parse(note).signatures
    try:
        # Written when the checkpoint was published, and not since.
        time_ns = home.published.path.stat().st_mtime_ns
    except OSError:
        time_ns = 0
    return replace(
        status,
        checkpoint_size=Checkpoint.of_note(note).size,
        checkpoint_time_ns=time_ns,
        cosignatures=sum((line.name, line.key_id) not in own for line in lines),
    )


def free_bytes(root: Path) -> int:
    """What an ordinary user may still write where the home is; 0 if nobody can say."""
    try:
        place = os.statvfs(root)
    except OSError:
        return 0
    return place.f_bavail * place.f_frsize
