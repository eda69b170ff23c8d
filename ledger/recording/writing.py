"""The thread that writes: messages out of the queue, into a segment, the black box, or nowhere.

It alone touches the open segment. Orders reach it through the queue, between the
messages they came between. It never waits for a sync and never for the ledger, but
where no record is to be had to write into; then the queue fills, and what finds no room
in it is counted.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ledger.errors import LedgerError, RefusedError
from ledger.experience.growing import OpenRecord
from ledger.experience.ingest import HiddenValue
from ledger.recording.about import SegmentAbout, SegmentKind
from ledger.recording.black_box import BlackBox, TriggerOutcome
from ledger.recording.channel import ChannelSpec
from ledger.recording.commit_status import Sealed
from ledger.recording.committer import Committer
from ledger.recording.disk_room import DiskRoom
from ledger.recording.episode import (
    Episode,
    EpisodeEnd,
    EpisodeGoal,
    EpisodeOutcome,
    EpisodeProgress,
)
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.hidden_values import hide
from ledger.recording.latched import LatchedMessages
from ledger.recording.message_queue import MessageQueue
from ledger.recording.segment import Message, SegmentWriter, WriteFailedError
from ledger.recording.settings import RecorderSettings
from ledger.recording.status import RecorderState

_logger = logging.getLogger(__name__)

_BATCH_S: Final = 0.02
"""Messages are taken out of the queue this often: waking for each costs more than it takes."""

_IDLE_S: Final = 0.25
_RECORD_WAIT_S: Final = 0.1
_LAST_RECORD_WAIT_S: Final = 10.0
_LONGEST_FILE_NAME: Final = 200


class WritingThread:
    """Carries out what a recorder records."""

    def __init__(
        self,
        settings: RecorderSettings,
        queue: MessageQueue,
        committer: Committer,
        channels: dict[int, ChannelSpec],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._queue = queue
        self._committer = committer
        self._channels = channels
        self._clock = clock
        self._session = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ") + "-" + os.urandom(3).hex()
        self._latched = LatchedMessages()
        self._box = BlackBox(settings.black_box, clock) if settings.black_box else None
        self._number = 0
        self._stopping = False
        self._waiting_for_record = False
        self.disk: Final = DiskRoom(settings.min_free_bytes, clock)

        self._about_next: SegmentAbout | None = None
        self._aftermath_until: float | None = None
        self._lost_at_open = 0
        self._cut_at = 0.0
        self._cut_size = 0

        self.segment: SegmentWriter | None = None
        self.opened_at = 0.0
        self.episode: Episode | None = None
        self.lost: dict[int, int] = {}
        """Messages that could not be written, by channel."""
        self._ended_messages = 0
        self._ended_bytes = 0
        self.repeated = 0
        self._thread = threading.Thread(target=self._run, name="record-write", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout_s: float | None) -> bool:
        """Wait until it has stopped; whether it has."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def state(self) -> RecorderState:
        """What it is at. From any thread."""
        if not self._thread.is_alive() and self._stopping:
            return RecorderState.CLOSED
        if self.disk.trouble is not None:
            return self.disk.trouble
        if self._waiting_for_record:
            return RecorderState.LEDGER_BEHIND
        if self.segment is not None:
            return RecorderState.RECORDING
        return RecorderState.BUFFERING if self._box else RecorderState.WAITING

    @property
    def written(self) -> tuple[int, int]:
        """Messages and bytes of them in segments, repeats left out. From any thread."""
        segment = self.segment
        if segment is None:
            return self._ended_messages, self._ended_bytes
        return (
            self._ended_messages + segment.messages,
            self._ended_bytes + segment.message_bytes,
        )

    @property
    def buffered_bytes(self) -> int:
        """Bytes in the black box. From any thread."""
        return self._box.bytes if self._box else 0

    @property
    def lost_count(self) -> int:
        """Messages lost so far, for whatever reason. From any thread."""
        return sum(self._queue.refused().values()) + sum(dict(self.lost).values())

    def episode_progress(self, episode: Episode) -> EpisodeProgress:
        """How far an episode is. From any thread."""
        segment = self.segment
        return EpisodeProgress(
            elapsed_s=self._clock() - episode.started_at,
            messages=segment.messages if segment else 0,
            bytes=segment.message_bytes if segment else 0,
            lost=self.lost_count - episode.lost_before,
            marks=episode.marks,
        )

    # Orders: on the thread

    def expect(self, channel: int, spec: ChannelSpec) -> None:
        """Know a channel from now on, or know it better."""
        self._channels[channel] = spec
        self._latched.expect(channel, spec)

    def start_episode(self, goal: EpisodeGoal) -> Episode:
        """End what is being recorded and begin an episode."""
        if self._stopping:
            raise RefusedError("the recorder is closing")
        if self.episode is not None:
            raise RefusedError("an episode is being recorded", hint="stop it first")
        self._end_segment()
        self._aftermath_until = None
        self.episode = Episode(goal, self._clock(), self.lost_count)
        self._about_next = self._about(
            SegmentKind.EPISODE, goal.name, task=goal.task, tags=tuple(dict.fromkeys(goal.tags))
        )
        if self._box is not None:
            self._box.clear()
        return self.episode

    def mark_episode(self, marks: EpisodeMarks) -> None:
        """Say how the episode goes; durable on return where it has begun to be written."""
        if self.episode is None:
            raise RefusedError("no episode is being recorded")
        if self.segment is not None:
            marks.keep(self.segment.record.folder)
        self.episode.marks = marks

    def stop_episode(self, end: EpisodeEnd = EpisodeEnd.STOPPED) -> Episode:
        """End the episode; its outcome comes when it is sealed."""
        episode = self.episode
        if episode is None:
            raise RefusedError("no episode is being recorded")
        progress = self.episode_progress(episode)
        done: Future[Sealed] = Future()
        done.add_done_callback(lambda sealed: _tell(episode, end, progress, sealed))
        if self.segment is None or not self._end_segment(done):
            episode.outcome.set_result(EpisodeOutcome(end, progress, None))
        self.episode = None
        self._about_next = None
        return episode

    def trigger(self, reason: str) -> TriggerOutcome:
        """Write what the black box holds, and what comes in the seconds after."""
        if self.segment is not None or self.episode is not None:
            return TriggerOutcome.RECORDING
        if self._box is None or self._settings.black_box is None:
            return TriggerOutcome.EMPTY
        outcome, messages = self._box.trigger()
        if outcome is TriggerOutcome.WRITTEN:
            self._about_next = self._about(SegmentKind.BLACK_BOX, "", trigger=reason)
            self._aftermath_until = self._clock() + self._settings.black_box.after_s
            kept = {id(message) for message in messages}
            repeats = [each for each in self._latched.messages() if id(each) not in kept]
            for message in messages:
                self._write(message, repeats)
        return outcome

    def split(self) -> Future[Sealed] | None:
        """End the segment being recorded; a continuous recording goes on in a new one."""
        done: Future[Sealed] = Future()
        return done if self.episode is None and self._end_segment(done) else None

    def stop(self) -> None:
        """Seal what is open and end the thread."""
        self._stopping = True
        if self.episode is not None:
            self.stop_episode(EpisodeEnd.SHUTDOWN)
        self._end_segment()

    # The thread

    def _run(self) -> None:
        busy = True
        while not self._stopping:
            self._queue.wait(_BATCH_S if busy else _IDLE_S, idle=not busy)
            items = self._queue.take()
            busy = bool(items)
            while items:
                item = items.popleft()
                try:
                    if type(item) is tuple:
                        self._take(item)
                    else:
                        item()  # type: ignore[operator]
                except Exception:
                    # A defect, or a stamp that no file can hold: it must not end the thread.
                    _logger.exception("a message or an order was not carried out")
                    if type(item) is tuple:
                        self._lose({item[0]: 1})
            self._queue.release()
            self._keep_time(self._clock())

    def _take(self, message: Message) -> None:
        if self.segment is not None or self._about_next is not None or self._settings.continuous:
            self._write(message)
        elif self._box is not None:
            self._box.add(self._clock(), message)
        if message[0] in self._latched:
            self._latched.add(message)

    def _write(self, message: Message, repeats: Sequence[Message] | None = None) -> None:
        if self.disk.trouble is not None:
            self._lose({message[0]: 1})
            return
        try:
            segment = self.segment or self._open(message, repeats)
            segment.append(message)
        except WriteFailedError as error:
            self._lose(error.lost or {message[0]: 1})
            self.disk.failed(error)

    def _open(self, message: Message, repeats: Sequence[Message] | None) -> SegmentWriter:
        """A new segment that begins with ``message``. Raises `WriteFailedError`."""
        record = self._record(message)
        self.disk.watch(record.folder.parent)
        about = self._about_next or self._about(SegmentKind.CONTINUOUS, "")
        try:
            segment = SegmentWriter(
                record,
                about,
                self._channels,
                self._latched.messages() if repeats is None else repeats,
                start_ns=message[1],
                compression=self._settings.compression,
                ros_distro=self._settings.ros_distro,
            )
            if self.episode is not None and self.episode.marks:
                self.episode.marks.keep(record.folder)
        except LedgerError:
            self._committer.abandon(record, "the disk has no room")
            raise
        self._number += 1
        self._about_next = None if about.kind is not SegmentKind.EPISODE else about
        self.segment = segment
        self.repeated += len(segment.repeated)
        self._lost_at_open = self.lost_count
        self.opened_at = self._cut_at = self._clock()
        self._cut_size = 0
        return segment

    def _record(self, message: Message) -> OpenRecord:
        """A record to write into, waiting for one where there is none."""
        deadline = self._clock() + _LAST_RECORD_WAIT_S
        record = self._committer.take_record(_RECORD_WAIT_S)
        try:
            while record is None:
                self._waiting_for_record = True
                if self._queue.closing and self._clock() > deadline:
                    raise WriteFailedError(
                        Path("a new segment"),
                        OSError("the ledger does not answer"),
                        {message[0]: 1},
                    )
                record = self._committer.take_record(_RECORD_WAIT_S)
        finally:
            self._waiting_for_record = False
        return record

    def _end_segment(self, done: Future[Sealed] | None = None) -> bool:
        """Finish the open segment and hand it over; False where there is nothing to keep."""
        segment, self.segment = self.segment, None
        if segment is None:
            return False
        if not segment.messages:
            segment.close()
            self._committer.abandon(segment.record, "nothing was recorded")
            return False
        segment.lost = self.lost_count - self._lost_at_open
        marks = self.episode.marks if self.episode is not None else None
        try:
            finished = segment.finish()
        except WriteFailedError as error:
            self._lose(error.lost)
            self.disk.failed(error)
            segment.close()
            self._committer.seal_from_file(segment.record, done)
            return True
        finally:
            self._ended_messages += segment.messages
            self._ended_bytes += segment.message_bytes
        start_ns, end_ns = finished.recording.start_ns, finished.recording.end_ns

        def hidden() -> tuple[HiddenValue, ...]:
            return () if marks is None else hide(marks, start_ns, end_ns)

        self._committer.seal(segment.record, finished, hidden, done)
        return True

    def _keep_time(self, now: float) -> None:
        self.disk.check(now)
        if self.episode is not None and self.episode.is_over(now):
            self.stop_episode(EpisodeEnd.DURATION)
        if self._aftermath_until is not None and now >= self._aftermath_until:
            self._aftermath_until = None
            self._end_segment()
        segment = self.segment
        if segment is None:
            return
        if self._is_full(segment, now) and self._committer.has_record:
            # Without a record to go on in, a segment grows on: nothing is lost by it.
            self._end_segment()
        elif (
            now - self._cut_at >= self._settings.progress_period_s
            and self._committer.takes_progress
            and segment.size != self._cut_size
        ):
            self._cut(segment, now)

    def _is_full(self, segment: SegmentWriter, now: float) -> bool:
        settings = self._settings
        if segment.about.kind is not SegmentKind.CONTINUOUS:
            return False
        return bool(
            (settings.segment_max_s and now - self.opened_at >= settings.segment_max_s)
            or (settings.segment_max_bytes and segment.size >= settings.segment_max_bytes)
        )

    def _cut(self, segment: SegmentWriter, now: float) -> None:
        try:
            mark = segment.cut()
        except WriteFailedError as error:
            self._lose(error.lost)
            self.disk.failed(error)
            return
        self._cut_at, self._cut_size = now, segment.size
        self._committer.progress(segment.record, segment.file_descriptor, mark)

    def _lose(self, counts: Mapping[int, int]) -> None:
        for channel, count in counts.items():
            self.lost[channel] = self.lost.get(channel, 0) + count

    def _about(
        self,
        kind: SegmentKind,
        name: str,
        *,
        task: str = "",
        tags: tuple[str, ...] = (),
        trigger: str = "",
    ) -> SegmentAbout:
        own = f"{self._settings.name}_{self._session}_{self._number:06d}"
        return SegmentAbout(
            name=_file_name(name) or _file_name(own),
            number=self._number,
            kind=kind,
            session=self._session,
            task=task,
            tags=tags,
            trigger=trigger,
        )


def _tell(
    episode: Episode, end: EpisodeEnd, progress: EpisodeProgress, sealed: Future[Sealed]
) -> None:
    error = sealed.exception()
    if error is not None:
        episode.outcome.set_exception(error)
    else:
        episode.outcome.set_result(EpisodeOutcome(end, progress, sealed.result()))


def _file_name(name: str) -> str:
    """A name that a file can have: no slash, no NUL, no dot at the start, not too long."""
    kept = "".join("_" if letter in "/\0" else letter for letter in name).lstrip(".").strip()
    return kept.encode()[:_LONGEST_FILE_NAME].decode(errors="ignore")
