"""Records messages from any source into segments that are committed while they grow.

Three threads share the work::

    receiving (the caller's)   receive: into a bounded queue, or counted and gone
    writing                    MCAP, hashes, segments, episodes, black box
    committing                 fdatasync, progress entries, sealing, recovery

What the disk or the ledger cannot take in time shows in `Recorder.status`; nothing is
lost without being counted there by topic.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Self, TypeVar

from ledger.errors import LedgerError, RefusedError
from ledger.memory.sink import RecordSink
from ledger.recording.black_box import TriggerOutcome
from ledger.recording.channel import ChannelSpec
from ledger.recording.commit_status import Sealed
from ledger.recording.committer import Committer
from ledger.recording.episode import EpisodeGoal, EpisodeOutcome
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.message_queue import MessageQueue
from ledger.recording.settings import RecorderSettings
from ledger.recording.status import RecorderState, RecorderStatus
from ledger.recording.writing import WritingThread

T = TypeVar("T")

_BEHIND_PERIODS: Final = 5
_BEHIND_S: Final = 5.0


class Recorder:
    """A recorder into one sink. Methods may be called from any thread.

    Started on making; `close` it, or use it as a context manager: what is buffered is
    written, sealed and committed then.
    """

    def __init__(self, sink: RecordSink, settings: RecorderSettings | None = None) -> None:
        self._settings = settings or RecorderSettings()
        self._queue = MessageQueue(self._settings.queue_max_bytes)
        self._put = self._queue.put
        self._committer = Committer(sink)
        self._specs: dict[int, ChannelSpec] = {}
        self._numbers: dict[tuple[str, str, str], int] = {}
        self._specs_lock = threading.Lock()
        self._writing = WritingThread(self._settings, self._queue, self._committer, {})
        self._committer.start()
        self._committer.recover_interrupted()
        self._writing.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def add_channel(self, spec: ChannelSpec) -> int:
        """The number to `receive` messages of a topic and type with.

        The same topic with the same type keeps its number; what is new of it (offers of
        a publisher that came later) holds from the next segment on. The same topic with
        another type or definition gets a number, and a channel in the files, of its own.
        """
        key = (spec.topic, spec.type, spec.definition)
        with self._specs_lock:
            number = self._numbers.setdefault(key, len(self._numbers))
            if self._specs.get(number) != spec:
                self._specs[number] = spec
                self._queue.order(lambda: self._writing.expect(number, spec))
            return number

    def receive(self, channel: int, received_ns: int, source_ns: int, data: bytes) -> bool:
        """Take a message in; False when it found no room, and then it is counted.

        Cheap, and never waits. ``received_ns`` is when it came in and ``source_ns`` when
        it was published (0: not known), in ns since the epoch.
        """
        return self._put((channel, received_ns, source_ns, data))

    def start_episode(
        self, goal: EpisodeGoal, timeout_s: float | None = None
    ) -> Future[EpisodeOutcome]:
        """Begin an episode with the next message; what was being recorded is sealed.

        Raises `RefusedError` while another one is being recorded.
        """
        episode = self._order(lambda: self._writing.start_episode(goal), timeout_s)
        return episode.outcome

    def mark_episode(self, marks: EpisodeMarks, timeout_s: float | None = None) -> None:
        """Say how the episode goes; the last call stands, and it is durable on return.

        Raises `RefusedError` where none is being recorded, StorageError.
        """
        self._order(lambda: self._writing.mark_episode(marks), timeout_s)

    def stop_episode(self, timeout_s: float | None = None) -> Future[EpisodeOutcome]:
        """End the episode: sealed and committed, it is in the outcome.

        Raises `RefusedError` where none is being recorded.
        """
        return self._order(lambda: self._writing.stop_episode(), timeout_s).outcome

    def trigger(self, reason: str, timeout_s: float | None = None) -> TriggerOutcome:
        """Write what the black box holds."""
        return self._order(lambda: self._writing.trigger(reason), timeout_s)

    def split(self, timeout_s: float | None = None) -> Future[Sealed] | None:
        """Seal the segment being recorded. None where there is none, or it is an episode."""
        return self._order(self._writing.split, timeout_s)

    def status(self) -> RecorderStatus:
        """What it is at, and what it has done."""
        writing, commits = self._writing, self._committer.status
        segment, episode = writing.segment, writing.episode
        written, written_bytes = writing.written
        uncommitted = 0.0
        if segment is not None:
            since = max(writing.opened_at, commits.committed_at or 0.0)
            uncommitted = max(0.0, time.monotonic() - since)
        state = writing.state
        late = max(_BEHIND_S, _BEHIND_PERIODS * self._settings.progress_period_s)
        if state is RecorderState.RECORDING and uncommitted > late and commits.last_error:
            state = RecorderState.LEDGER_BEHIND
        return RecorderStatus(
            state=state,
            received=self._queue.received,
            written=written,
            written_bytes=written_bytes,
            repeated=writing.repeated,
            lost_in_queue=self._by_topic(self._queue.refused()),
            lost_on_disk=self._by_topic(dict(writing.lost)),
            queued_bytes=self._queue.queued_bytes,
            buffered_bytes=writing.buffered_bytes,
            disk_free_bytes=writing.disk.free_bytes,
            segment=segment.about.name if segment else "",
            segment_bytes=segment.size if segment else 0,
            uncommitted_s=uncommitted,
            episode=writing.episode_progress(episode) if episode else None,
            commits=commits,
        )

    def close(self, timeout_s: float | None = None) -> bool:
        """Write, seal and commit what there is, and stop; whether all was done in time.

        What was not is in the files, and is recovered by the next recorder.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        if not self._queue.closing:
            self._queue.closing = True
            self._queue.order(self._writing.stop)
        done = self._writing.join(timeout_s)
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        return self._committer.close(left) and done

    def _order(self, work: Callable[[], T], timeout_s: float | None) -> T:
        """Have something done on the writing thread, behind the messages so far."""
        if self._queue.closing:
            raise RefusedError("the recorder is closed")
        done: Future[T] = Future()

        def carry_out() -> None:
            try:
                done.set_result(work())
            except LedgerError as error:
                done.set_exception(error)

        self._queue.order(carry_out)
        try:
            return done.result(timeout_s)
        except TimeoutError:
            raise RefusedError("the recorder is busy", hint="see its status") from None

    def _by_topic(self, counts: dict[int, int]) -> dict[str, int]:
        topics: dict[str, int] = {}
        for number, count in counts.items():
            spec = self._specs.get(number)
            name = spec.topic if spec else f"channel {number}"
            topics[name] = topics.get(name, 0) + count
        return topics
