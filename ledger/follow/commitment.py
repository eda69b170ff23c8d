"""One file on its way into the log: the record it is, its hashes, and what is committed.

Whatever the home cannot take now (a full disk, a command that has borrowed it) is said
once and tried again; the file is read on meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ledger.errors import (
    BehindError,
    ForkError,
    KeyStoreError,
    LedgerError,
    NotFoundError,
    StorageError,
)
from ledger.experience.growing import InterruptedRecord, OpenRecord
from ledger.experience.growing_content import GrowingContent, ProgressMark
from ledger.experience.ingest import IngestReceipt
from ledger.experience.readers.recording import Recording
from ledger.follow.events import Listener, Noted, NoteKind, Progressed
from ledger.follow.settings import FollowSettings
from ledger.follow.steps import Clock
from ledger.memory.sink import RecordSink

T = TypeVar("T")


class Surroundings:
    """What all followed files share: where they go, how, and who is told."""

    def __init__(
        self,
        sink: RecordSink,
        settings: FollowSettings,
        tell: Listener,
        clock: Clock = time.monotonic,
    ) -> None:
        self.sink = sink
        self.settings = settings
        self.tell = tell
        self.clock = clock
        self._not_before_s = 0.0
        self._said = ""
        self.failure: LedgerError | None = None
        """Why the home took nothing when it was asked last."""

    def attempt(self, path: Path, work: Callable[[], T]) -> T | None:
        """Do ``work`` with the home, for ``path``; None if it cannot be done now.

        After a failure nothing is tried for a while. Raises what is wrong with the
        work, and not with the home.
        """
        if self.clock() < self._not_before_s:
            return None
        try:
            done = work()
        except (StorageError, BehindError, ForkError, KeyStoreError) as error:
            self._not_before_s = self.clock() + self.settings.retry_s
            self.failure = error
            if error.message != self._said:
                self._said = error.message
                self.tell(Noted(NoteKind.NOT_COMMITTED, path, error.message))
            return None
        self._said, self.failure = "", None
        return done

    def note(self, kind: NoteKind, path: Path, detail: str) -> None:
        """Tell something that is no alarm."""
        self.tell(Noted(kind, path, detail))


class Commitment:
    """The record of one file, and how far it is committed. Nothing is begun at first."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._last_s = around.clock()
        self.record: OpenRecord | None = None
        self.content: GrowingContent | None = None
        self.mark: ProgressMark | None = None
        """What was committed last."""

    @property
    def committed(self) -> int:
        """Bytes committed."""
        return self.mark.length if self.mark else 0

    def interrupted(self) -> InterruptedRecord | None:
        """What it takes to go on with the record later; None if there is nothing to."""
        if self.record is None or self.mark is None:
            return None
        return InterruptedRecord(self.record, (self.mark,))

    def take_up(self, record: OpenRecord, content: GrowingContent) -> None:
        """Go on with a record that was interrupted; ``content`` is what is committed of it."""
        self.record, self.content = record, content
        self.mark = content.mark() if content.length else None

    def begin(self, path: Path) -> GrowingContent | None:
        """Begin the record, unless it has begun; its content, None if that must wait."""
        if self.content is None:
            sink = self._around.sink
            record = self._around.attempt(path, lambda: sink.begin(in_place=True, source=path))
            if record is None:
                return None
            self.take_up(record, GrowingContent(record.salt_key))
        return self.content

    def is_due(self) -> bool:
        """Whether progress is to be committed now: there is some, and it is time."""
        if self.content is None or self.content.length <= self.committed:
            return False
        period = self._around.settings.progress_period_s
        return self._around.clock() - self._last_s >= period

    def commit(self, path: Path, sync: Callable[[], None]) -> None:
        """Commit what was hashed, once ``sync`` has had it on disk.

        Raises OSError of ``sync``; `NotFoundError` if somebody gave the record up.
        """
        if self.record is None or self.content is None:
            return
        record_id, mark, sink = self.record.record_id, self.content.mark(), self._around.sink
        self._last_s = self._around.clock()
        sync()
        index = self._around.attempt(path, lambda: sink.progress(record_id, mark))
        if index is not None:
            self.mark = mark
            self._around.tell(Progressed(path, record_id, index, mark.length))

    def seal(self, path: Path, recording: Recording) -> IngestReceipt | None:
        """Seal the record; None if that must wait. Raises what `RecordSink.seal` does."""
        if self.record is None or self.content is None:
            return None
        record_id, digest = self.record.record_id, self.content.finish()
        sink, options = self._around.sink, self._around.settings.options
        return self._around.attempt(
            path, lambda: sink.seal(record_id, recording, digest, options=options)
        )

    def give_up(self, path: Path, reason: str) -> bool:
        """Abandon the record; False if that must wait."""
        if self.record is None:
            return True
        record_id, sink = self.record.record_id, self._around.sink

        def abandon() -> bool:
            try:
                sink.abandon(record_id, reason)
            except NotFoundError:  # somebody was faster
                return True
            return True

        return bool(self._around.attempt(path, abandon))
