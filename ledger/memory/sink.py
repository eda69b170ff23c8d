"""Where a recorder hands over what it writes while it still grows.

A recorder that shares a process with the home's owner uses
`ledger.memory.owner_sink.OwnerSink`; one in a process of its own
`ledger.memory.socket_sink.SocketSink`. Both keep the same promise: what a method
returned is durable.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from ledger.experience.content_hashing import ContentDigest
from ledger.experience.growing import InterruptedRecord, OpenRecord
from ledger.experience.growing_content import ProgressMark
from ledger.experience.ingest import HiddenValue, IngestOptions, IngestReceipt
from ledger.experience.readers.recording import Recording


class RecordSink(Protocol):
    """Takes records in while they are written. Methods may be called from any thread.

    Each call waits for its turn, also while the home is lent to a command of somebody
    at the robot; so none belongs on the thread that receives messages. All raise
    `StorageError` and its kin when it cannot be made durable.
    """

    def begin(self, *, in_place: bool = False, source: Path | None = None) -> OpenRecord:
        """Begin a record: its keys are kept, and it is the caller's to seal or abandon.

        ``in_place``: somebody else writes the file where it lies, at ``source``, and it
        stays there; the record then has no folder of ours.
        """
        ...

    def progress(self, record_id: bytes, mark: ProgressMark) -> int:
        """Commit how far a record is written; the index of the entry.

        The bytes must have been synced before. Raises `VerificationError` for a mark that
        shrinks or contradicts the last one, `NotFoundError` for a record that is not
        open, `RefusedError` for one that another recorder writes.
        """
        ...

    def seal(
        self,
        record_id: bytes,
        recording: Recording,
        digest: ContentDigest,
        hidden: tuple[HiddenValue, ...] = (),
        options: IngestOptions | None = None,
    ) -> IngestReceipt:
        """Commit the finished record; its files under the record's folder move into the home.

        Sealing what was sealed alike returns its receipt again. Raises, with the record
        open as before, `RecordingError` for files that are not what ``recording`` says,
        `VerificationError` for a digest that contradicts the progress,
        `EntryTooLargeError`, and what `progress` raises.
        """
        ...

    def interrupted(self, *, in_place: bool = False) -> tuple[InterruptedRecord, ...]:
        """The records that nobody writes any more, because their recorder died.

        Only those in place, or only those in folders of ours. They are then the
        caller's, to seal or to abandon; nobody else is told of them.
        """
        ...

    def abandon(self, record_id: bytes, reason: str) -> None:
        """Give a record up; with progress in the log, an Erasure entry says ``reason``."""
        ...

    def missing(self, record_id: bytes, reason: str) -> int:
        """Say that sealed content which was left in place is gone; the Pruning entry's index.

        Said again, it is the index of then. Raises `RefusedError` for content that is
        where it was, or was not left in place; `NotFoundError` for no such record.
        """
        ...

    def leaf_hash(self, index: int) -> bytes:
        """The RFC 6962 leaf hash of an entry, 32 bytes. Raises `NotFoundError`."""
        ...

    def close(self) -> None:
        """Let go: what was begun here and is neither sealed nor abandoned is interrupted now."""
        ...
