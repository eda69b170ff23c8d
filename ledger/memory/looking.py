"""How a home is, whether a process owns it or not."""

from __future__ import annotations

from pathlib import Path

from ledger.experience.pending import PendingNotes
from ledger.home import open_home
from ledger.memory.control_client import ControlClient, NoOwnerError
from ledger.memory.observation import free_bytes, with_checkpoint
from ledger.memory.status import MemoryStatus, OwnerState


def look_at(root: Path) -> MemoryStatus:
    """What the home's owner says, or, where it has none, what is in it.

    Without an owner the state is ``CLOSED`` and ``pid`` 0. Raises StorageError where
    there is no home, or it may not be read.
    """
    try:
        with ControlClient(root) as client:
            return client.status()
    except NoOwnerError:
        pass
    with open_home(root) as home:
        status = MemoryStatus(
            home.log.origin,
            0,
            OwnerState.CLOSED,
            entries=home.log.size,
            open_records=sum(1 for _ in PendingNotes(home.paths.incoming).recordings()),
            disk_free_bytes=free_bytes(root),
        )
        return with_checkpoint(status, home.log.latest_checkpoint() or b"", home)
