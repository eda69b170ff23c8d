"""Makes segments durable and commits them, on a thread that may wait for disk and ledger.

Records are begun ahead, so that the writing thread never waits for one that is to hand;
a progress mark is committed after the bytes it speaks of are synced; a finished segment
is synced and sealed. What fails is said, counted and tried again; what cannot be sealed
from memory is sealed from its file, as after a crash.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from ledger.durable_file import sync_folder
from ledger.errors import LedgerError, StorageError, VerificationError
from ledger.experience.growing import InterruptedRecord, OpenRecord
from ledger.experience.growing_content import ProgressMark
from ledger.experience.ingest import HiddenValue
from ledger.memory.sink import RecordSink
from ledger.recording.commit_status import CommitStatus, Sealed
from ledger.recording.episode_marks import forget_marks, forget_stray_marks
from ledger.recording.recovery import GivenUp, Recovered, recover_segment
from ledger.recording.segment import Finished
from ledger.storage.os_errors import storage_errors

_logger = logging.getLogger(__name__)

_FIRST_RETRY_S: Final = 0.5
_LONGEST_RETRY_S: Final = 30.0


@dataclass(slots=True)
class _Job:
    """One piece of work; ``run`` raises what makes it wait for another try."""

    run: Callable[[], None]
    give_up: Callable[[LedgerError], None]
    waits: bool
    """Whether it counts as a segment that waits to be sealed."""
    not_before: float = 0.0
    delay_s: float = _FIRST_RETRY_S


@dataclass(slots=True)
class _Following:
    """What is known of a record that is being written."""

    marks: list[ProgressMark] = field(default_factory=list)
    named: bool = False
    unsynced: bool = False
    """Whether a sync failed: what is on disk is then anybody's guess."""


class Committer:
    """The committing thread. Its methods may be called from any thread and do not wait."""

    def __init__(self, sink: RecordSink) -> None:
        self._sink = sink
        self._changed = threading.Condition()
        self._ready: OpenRecord | None = None
        self._begin_not_before = 0.0
        self._progress: tuple[OpenRecord, int, ProgressMark] | None = None
        self._busy_with_progress = False
        self._jobs: deque[_Job] = deque()
        self._following: dict[bytes, _Following] = {}
        self._status = CommitStatus()
        self._swept = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="record-commit", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def status(self) -> CommitStatus:
        """What it has done so far."""
        with self._changed:
            waiting = sum(job.waits for job in self._jobs)
            return replace(self._status, waiting=self._status.waiting + waiting)

    @property
    def has_record(self) -> bool:
        """Whether `take_record` has one to give."""
        return self._ready is not None

    def take_record(self, timeout_s: float) -> OpenRecord | None:
        """A record to write into; None if none is to be had in this time."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready is not None, timeout_s)
            record, self._ready = self._ready, None
            self._changed.notify_all()
            if record is not None:
                self._following[record.record_id] = _Following()
            return record

    @property
    def takes_progress(self) -> bool:
        """Whether the last progress is done, so that a new one would not be in its way."""
        return self._progress is None and not self._busy_with_progress

    def progress(self, record: OpenRecord, descriptor: int, mark: ProgressMark) -> None:
        """Sync what was written and commit to it. The newest call stands."""
        with self._changed:
            self._progress = (record, descriptor, mark)
            self._changed.notify_all()

    def seal(
        self,
        record: OpenRecord,
        finished: Finished,
        hide: Callable[[], tuple[HiddenValue, ...]],
        done: Future[Sealed] | None = None,
    ) -> None:
        """Sync a finished segment and seal it; ``done`` is told how it went."""
        sealing = _Sealing(self, record, finished, hide, done)
        self._add(_Job(sealing.run, sealing.give_up, waits=True))

    def seal_from_file(self, record: OpenRecord, done: Future[Sealed] | None = None) -> None:
        """Seal a segment whose end could not be written, as after a crash."""

        def run() -> None:
            following = self._following.get(record.record_id, _Following())
            self._recover(InterruptedRecord(record, tuple(following.marks)), done)

        self._add(_Job(run, lambda error: _fail(done, error), waits=True))

    def recover_interrupted(self) -> None:
        """Seal what recorders that died have left."""

        def run() -> None:
            for interrupted in self._sink.interrupted():
                if not interrupted.record.in_place:
                    work = partial(self._recover, interrupted, None)
                    self._add(_Job(work, lambda _: None, waits=True))

        self._add(_Job(run, lambda _: None, waits=False))

    def abandon(self, record: OpenRecord, reason: str) -> None:
        """Give up a record in which nothing is to be kept."""

        def run() -> None:
            self._sink.abandon(record.record_id, reason)
            forget_marks(record.folder)
            self._following.pop(record.record_id, None)

        self._add(_Job(run, lambda _: None, waits=False))

    def close(self, timeout_s: float | None = None) -> bool:
        """Do what is left, once more each, and stop; whether that was done in time."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    # On the thread

    def _add(self, job: _Job) -> None:
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                work = self._next()
                while work is None:
                    if self._closing:
                        break
                    self._changed.wait(self._seconds_to_wait())
                    work = self._next()
            if work is None:
                break
            try:
                work()
            except Exception as error:
                # A defect: it must not end the thread on which everything depends.
                _logger.exception("committing failed unexpectedly")
                self._note(last_error=f"unexpected: {error!r}")
        if self._ready is not None:
            try:
                self._sink.abandon(self._ready.record_id, "not used")
            except LedgerError as error:
                _logger.warning("a record that was not used stays open: %s", error)

    def _next(self) -> Callable[[], None] | None:
        """The next piece of work, if there is any now. With the lock held."""
        now = time.monotonic()
        if self._ready is None and not self._closing and now >= self._begin_not_before:
            return self._begin
        if self._progress is not None:
            work, self._progress = self._progress, None
            self._busy_with_progress = True
            return lambda: self._commit_progress(*work)
        for job in self._jobs:
            if self._closing or job.not_before <= now:
                self._jobs.remove(job)
                return lambda: self._try(job)
        return None

    def _seconds_to_wait(self) -> float | None:
        times = [job.not_before for job in self._jobs]
        if self._ready is None:
            times.append(self._begin_not_before)
        return max(0.001, min(times) - time.monotonic()) if times else None

    def _begin(self) -> None:
        try:
            record = self._sink.begin()
        except LedgerError as error:
            self._begin_not_before = time.monotonic() + _FIRST_RETRY_S
            self._report(f"no record can be begun: {error}")
            return
        if not self._swept:
            self._swept = True
            forget_stray_marks(record.folder.parent)
        with self._changed:
            self._ready = record
            self._changed.notify_all()

    def _commit_progress(self, record: OpenRecord, descriptor: int, mark: ProgressMark) -> None:
        following = self._following.setdefault(record.record_id, _Following())
        try:
            self._sync(record, descriptor, following)
            self._sink.progress(record.record_id, mark)
        except LedgerError as error:
            self._report(f"progress of a segment is not committed: {error}")
            return
        finally:
            self._busy_with_progress = False
        following.marks.append(mark)
        self._note(
            progress_entries=self._status.progress_entries + 1,
            committed_at=time.monotonic(),
            last_error="",
        )

    def _sync(self, record: OpenRecord, descriptor: int, following: _Following) -> None:
        """Make what was written durable, its name too. Raises StorageError."""
        if following.unsynced:
            raise StorageError("an earlier sync of the segment failed", hint="look at the disk")
        start = time.monotonic()
        with storage_errors(record.folder):
            try:
                os.fdatasync(descriptor)
                if not following.named:
                    sync_folder(record.folder)
                    following.named = True
            except OSError:
                following.unsynced = True
                raise
        self._note(last_sync_s=time.monotonic() - start)

    def _try(self, job: _Job) -> None:
        self._note(waiting=int(job.waits))
        try:
            job.run()
        except StorageError as error:
            self._report(f"a segment is not sealed yet: {error}")
            if self._closing:
                job.give_up(error)
                return
            job.not_before = time.monotonic() + job.delay_s
            job.delay_s = min(2 * job.delay_s, _LONGEST_RETRY_S)
            self._add(job)
        except LedgerError as error:
            self._report(f"a segment cannot be sealed: {error}")
            job.give_up(error)
        finally:
            self._note(waiting=0)

    def seal_now(
        self, record: OpenRecord, finished: Finished, hidden: tuple[HiddenValue, ...]
    ) -> Sealed:
        """Sync and seal. Only on the committing thread.

        The sink syncs too; here the bulk goes to disk before the sink has to take its turn.
        """
        following = self._following.setdefault(record.record_id, _Following())
        self._sync(record, finished.descriptor, following)
        receipt = self._sink.seal(record.record_id, finished.recording, finished.digest, hidden)
        forget_marks(record.folder)
        recording = finished.recording
        sealed = Sealed(receipt, recording.name, recording.files[0].size, recording.message_count)
        self._end(record, sealed)
        return sealed

    def tell(self, done: Future[Sealed] | None, sealed: Sealed) -> None:
        """Tell who waits for a segment. Only on the committing thread."""
        if done is None:
            return
        try:
            sealed = replace(sealed, leaf_hash=self._sink.leaf_hash(sealed.receipt.index))
        except LedgerError as error:
            _logger.warning("the leaf hash of entry %d: %s", sealed.receipt.index, error)
        self._note(waiting=0)  # before whoever is told can look
        done.set_result(sealed)

    def is_unsynced(self, record: OpenRecord) -> bool:
        """Whether a sync of this record failed. Only on the committing thread."""
        following = self._following.get(record.record_id)
        return following is not None and following.unsynced

    def _recover(self, interrupted: InterruptedRecord, done: Future[Sealed] | None) -> None:
        record = interrupted.record
        try:
            outcome = recover_segment(self._sink, interrupted)
        except VerificationError as error:
            _logger.error("segment %s is kept and not sealed: %s", record.folder, error)
            self._note(damaged=(*self._status.damaged, str(record.folder)))
            raise
        match outcome:
            case GivenUp():
                self._following.pop(record.record_id, None)
                _fail(done, StorageError("nothing of the segment could be written"))
            case Recovered(receipt=receipt, messages=messages, cut_bytes=cut):
                _logger.info("recovered segment %s, %d bytes cut off", receipt.name, cut)
                sealed = Sealed(receipt, receipt.name, receipt.content_size, messages)
                self._note(recovered=self._status.recovered + 1)
                self._end(record, sealed)
                self.tell(done, sealed)

    def _end(self, record: OpenRecord, sealed: Sealed) -> None:
        self._following.pop(record.record_id, None)
        self._note(sealed=self._status.sealed + 1, committed_at=time.monotonic(), last_error="")
        _logger.info(
            "sealed %s: entry %d, %d messages", sealed.name, sealed.receipt.index, sealed.messages
        )

    def _report(self, what: str) -> None:
        _logger.warning("%s", what)
        self._note(last_error=what)

    def _note(self, **changes: Any) -> None:
        with self._changed:
            self._status = replace(self._status, **changes)


@dataclass(slots=True)
class _Sealing:
    """A finished segment on its way into the log."""

    committer: Committer
    record: OpenRecord
    finished: Finished
    hide: Callable[[], tuple[HiddenValue, ...]]
    done: Future[Sealed] | None
    hidden: tuple[HiddenValue, ...] | None = None
    """Committed to once: a second try must say the same."""

    def run(self) -> None:
        if self.committer.is_unsynced(self.record):
            os.close(self.finished.descriptor)
            self.committer.seal_from_file(self.record, self.done)
            return
        if self.hidden is None:
            self.hidden = self.hide()
        sealed = self.committer.seal_now(self.record, self.finished, self.hidden)
        os.close(self.finished.descriptor)
        self.committer.tell(self.done, sealed)

    def give_up(self, error: LedgerError) -> None:
        os.close(self.finished.descriptor)
        _fail(self.done, error)


def _fail(done: Future[Sealed] | None, error: LedgerError) -> None:
    if done is not None:
        done.set_exception(error)
