"""What every followed file has in common: how it rests, is closed, is sealed, and goes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

from ledger.errors import (
    EntryTooLargeError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RecordingError,
    RefusedError,
    VerificationError,
)
from ledger.experience.growing import InterruptedRecord
from ledger.experience.readers.recording import Recording
from ledger.experience.records import Presence
from ledger.follow.commitment import Commitment, Surroundings
from ledger.follow.describe import describe, describe_plainly
from ledger.follow.events import Alarm, AlarmKind, NoteKind, Sealed
from ledger.follow.steps import Steps, Turn
from ledger.follow.watched_file import FileState, WatchedFile
from ledger.follow.writer_presence import WriterPresence


class Outcome(Enum):
    """How a life ended."""

    SEALED = auto()
    PASSED_OVER = auto()
    """There is nothing to commit, as it is now."""
    NOT_MCAP = auto()
    """To be followed as what it is."""
    AGAIN = auto()
    """To be followed anew, as another record."""
    GONE = auto()
    FAILED = auto()
    """It could not be read; to be tried again later."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a life ended, and as which record, of which state of the file."""

    outcome: Outcome
    state: FileState | None = None
    record_id: bytes = b""
    presence: Presence = Presence.EMPTY


class GoneError(Exception):
    """The file is not in the directory any more."""


class ChangedError(Exception):
    """What was committed is not there any more: which alarm, and in what words."""

    def __init__(self, kind: AlarmKind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail


class FileLife(ABC):
    """One file from being found to being sealed. `turn` lets it live on for a while.

    ``found_at`` is where the directory's scans see the file: None when they do not.
    """

    def __init__(self, path: Path, around: Surroundings) -> None:
        self.path = path
        self.found_at: Path | None = path
        self.ending: Ending | None = None
        self._has_writer = False
        self._around = around
        self._commitment = Commitment(around)
        self._file = WatchedFile(path)
        self._last_state = self._file.state()
        self._changed_s = around.clock()
        self._ask_s = 0.0
        self.steps: Steps = self._guarded()

    @property
    def state(self) -> FileState:
        """The file as it was when it was last looked at."""
        return self._last_state

    @property
    def at_rest(self) -> bool:
        """Whether nothing is left to do before its writer does something."""
        return self._has_writer

    @property
    def interrupted(self) -> InterruptedRecord | None:
        """The record it began and has not ended, for another life to go on with."""
        return self._commitment.interrupted()

    def close(self) -> None:
        """Commit what was read, and let the file go. Whoever starts again goes on with it."""
        commitment = self._commitment
        content = commitment.content
        ahead = content is not None and content.length > commitment.committed
        if self.ending is None and ahead and self._may_commit():
            try:
                commitment.commit(self.path, self._sync)
            except (OSError, LedgerError) as error:
                self._around.note(NoteKind.NOT_COMMITTED, self.path, str(error))
        self._file.close()

    def _may_commit(self) -> bool:
        """Whether what was hashed may be committed before the file is whole."""
        return False

    @abstractmethod
    def _live(self) -> Steps:
        """Follow the file until it can be sealed, and seal it."""

    @abstractmethod
    def _vanished(self) -> Steps:
        """Say what a file was that went before it was sealed."""

    def _guarded(self) -> Steps:
        try:
            try:
                yield from self._live()
            except GoneError:
                yield from self._vanished()
                self.ending = self.ending or Ending(Outcome.GONE)
            except ChangedError as changed:
                self._alarm(changed.kind, changed.detail)
                self.ending = Ending(Outcome.AGAIN)
            except NotFoundError:  # somebody gave the record up
                self.ending = Ending(Outcome.AGAIN)
            except VerificationError as error:
                self._alarm(AlarmKind.PREFIX_CHANGED, error.message)
                self.ending = Ending(Outcome.AGAIN)
        except LedgerError as error:
            self._around.note(NoteKind.NOT_COMMITTED, self.path, error.message)
            self.ending = Ending(Outcome.FAILED)
        except OSError as error:
            self._around.note(NoteKind.UNREADABLE, self.path, f"{error.strerror or error}")
            self.ending = Ending(Outcome.FAILED)
        finally:
            self._file.close()

    def _alarm(self, kind: AlarmKind, detail: str) -> None:
        record = self._commitment.record
        record_id = record.record_id if record else b""
        self._around.tell(Alarm(kind, self.path, record_id, detail))

    def _look(self) -> FileState:
        """The file as it is now. Raises GoneError where it is not in its directory."""
        if self.found_at is None:
            raise GoneError
        if self.found_at != self.path:
            self._around.note(NoteKind.RENAMED, self.path, f"it is {self.found_at.name} now")
            self.path = self.found_at
        state = self._file.state()
        if state != self._last_state:
            self._last_state, self._changed_s = state, self._around.clock()
            self._has_writer = False
        return state

    def _is_closed(self) -> bool:
        """Whether nobody writes the file any more, as far as can be known."""
        settings, now = self._around.settings, self._around.clock()
        rest_s = now - self._changed_s
        if rest_s < settings.settle_s or now < self._ask_s:
            return False
        self._ask_s = now + settings.settle_s
        presence = self._file.presence()
        if presence is WriterPresence.UNKNOWN:
            self._has_writer = rest_s < settings.quiet_s
        else:
            self._has_writer = presence is WriterPresence.SOMEBODY
        return not self._has_writer

    def _sync(self) -> None:
        if self._commitment.committed == 0:
            self._file.sync_name()
        self._file.sync()

    def _seal(self, *, unfinished: bool = False) -> Steps:
        """Seal what was hashed. Raises ChangedError if it contradicts its progress."""
        content = self._commitment.content
        size = content.length if content else 0
        if unfinished:
            recording = describe_plainly(self.path, size, unfinished=True)
        else:
            recording = describe(self.path, size)
        try:
            yield from self._seal_as(recording)
        except (EntryTooLargeError, MalformedError, RecordingError, RefusedError):
            if self._file.state() != self._last_state:
                self.ending = Ending(Outcome.AGAIN)
                return
            yield from self._seal_plainly(size)
        except VerificationError as error:
            raise ChangedError(AlarmKind.PREFIX_CHANGED, error.message) from error

    def _seal_plainly(self, size: int) -> Steps:
        """The reader's words did not fit an entry: seal the bytes."""
        try:
            yield from self._seal_as(describe_plainly(self.path, size, unfinished=False))
        except LedgerError as error:
            self._around.note(NoteKind.IGNORED, self.path, error.message)
            yield from self._give_up(error.message)
            self.ending = Ending(Outcome.PASSED_OVER, self._last_state)

    def _seal_as(self, recording: Recording) -> Steps:
        state = self._last_state
        while (receipt := self._commitment.seal(self.path, recording)) is None:
            self._look()
            yield Turn.WAIT
        self._around.tell(Sealed(self.path, receipt))
        self.ending = Ending(Outcome.SEALED, state, receipt.record_id, receipt.presence)

    def _give_up(self, reason: str) -> Steps:
        while not self._commitment.give_up(self.path, reason):
            yield Turn.WAIT
