"""The life of an MCAP file: committed record by record, sealed when it has its end.

    growing     hashed to the end of its last complete record, and committed every second
    whole       it has its Footer, or nobody writes it any more: all of it is read again
    sealed      what was read again is what was committed

All that was hashed is read again, too, each time it has doubled: a change of the
committed beginning is not found only when the file ends.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Final

from ledger.errors import VerificationError
from ledger.experience.growing import InterruptedRecord
from ledger.experience.growing_content import GrowingContent
from ledger.follow.commitment import Surroundings
from ledger.follow.events import Alarm, AlarmKind, NoteKind
from ledger.follow.file_life import ChangedError, Ending, FileLife, Outcome
from ledger.follow.mcap_boundary import Form, McapBoundary
from ledger.follow.steps import Steps, Turn, compare_in_steps, grow_to, regrow_in_steps
from ledger.follow.unpacking import compare_packed, packed_forms
from ledger.follow.watched_file import FileState

_STEP_BYTES: Final = 64 << 20
"""Of a file that is far ahead, about so much is taken at a time, and committed."""
_FIRST_COMPARISON: Final = 64 << 20
"""Bytes hashed before the first time they are read again."""


class McapLife(FileLife):
    """Follows one ``.mcap`` file. ``interrupted`` are the records begun of it before."""

    def __init__(
        self, path: Path, around: Surroundings, interrupted: tuple[InterruptedRecord, ...] = ()
    ) -> None:
        super().__init__(path, around)
        self._interrupted = interrupted
        self._boundary = McapBoundary()
        self._boundary_before = 0
        self._record_end = -1
        """Where the last complete record that was hashed ends; only there is committed."""
        self._compared = _FIRST_COMPARISON
        self._said_rewriting = False

    def _live(self) -> Steps:
        yield from self._take_up()
        while True:
            unfinished = yield from self._until_whole()
            if self.ending is not None:
                return
            state = self._last_state
            yield from self._compare()
            if self._look() == state:
                break
        if unfinished:
            what = "nobody writes it any more, and it has no end"
            self._around.note(NoteKind.UNFINISHED, self.path, what)
        yield from self._seal(unfinished=unfinished)

    def _take_up(self) -> Steps:
        """Go on with the newest record whose every mark holds; alarm for the others."""
        for interrupted in reversed(self._interrupted):
            record = interrupted.record
            content = GrowingContent(record.salt_key)
            try:
                yield from regrow_in_steps(content, self._file, interrupted.marks)
            except VerificationError as error:
                kind = AlarmKind.PREFIX_CHANGED
                self._around.tell(Alarm(kind, self.path, record.record_id, error.message))
                continue
            if self._commitment.record is None:
                self._commitment.take_up(record, content)
                what = f"{content.length} bytes were committed, and are as they were"
                self._around.note(NoteKind.RESUMED, self.path, what)

    def _until_whole(self) -> Generator[Turn, None, bool]:
        """Hash and commit what comes, until the file has its end or its writer is gone.

        Whether it is unfinished then.
        """
        boundary = self._boundary
        while True:
            state = self._look()
            self._require_no_shorter(state)
            content = self._commitment.content
            enough = (content.length if content else 0) + _STEP_BYTES
            boundary.advance(self._file.read_at, state.size, enough)
            if boundary.form is Form.OTHER:
                self.ending = Ending(Outcome.NOT_MCAP)
                return False
            finished = boundary.finished and state.size == boundary.end
            closed = not finished and self._is_closed()
            if closed and state.size == 0:
                self._around.note(NoteKind.EMPTY, self.path, "there is nothing in it")
                self.ending = Ending(Outcome.PASSED_OVER, state)
                return False
            stop = state.size if closed else self._trusted_end(finished=finished)
            if stop and (content := self._commitment.begin(self.path)) is not None:
                yield from self._hash(content, stop)
                if finished or closed:
                    return not boundary.finished
                self._record_end = content.length
            self._commit_if_due()
            yield Turn.MORE if content and boundary.end >= enough else Turn.WAIT

    def _trusted_end(self, *, finished: bool) -> int:
        """How far the file may be committed: to its last complete record.

        Of a writer that goes back only to what was complete a turn ago.
        """
        boundary, before = self._boundary, self._boundary_before
        self._boundary_before = boundary.end
        if boundary.rewriting and not self._said_rewriting:
            self._said_rewriting = True
            what = "its writer goes back to fill in the length of what it wrote"
            self._around.note(NoteKind.REWRITING, self.path, what)
        if boundary.records == 0:
            return 0
        if not boundary.rewriting or finished:
            return boundary.end
        return before

    def _hash(self, content: GrowingContent, stop: int) -> Steps:
        yield from grow_to(content, self._file, stop)
        if content.length >= 2 * self._compared:
            self._compared = content.length
            yield from self._compare()

    def _commit_if_due(self) -> None:
        if self._may_commit() and self._commitment.is_due():
            self._commitment.commit(self.path, self._sync)

    def _may_commit(self) -> bool:
        content = self._commitment.content
        return content is not None and content.length == self._record_end

    def _compare(self) -> Steps:
        record, content = self._commitment.record, self._commitment.content
        if record is None or content is None:
            return
        try:
            yield from compare_in_steps(content, record.salt_key, self._file)
        except VerificationError as error:
            self._require_no_shorter(self._file.state())
            raise ChangedError(AlarmKind.PREFIX_CHANGED, error.message) from error

    def _require_no_shorter(self, state: FileState) -> None:
        content = self._commitment.content
        if content is not None and state.size < content.length:
            what = f"it has {state.size} bytes; {content.length} were read before"
            raise ChangedError(AlarmKind.TRUNCATED, what)

    def _vanished(self) -> Steps:
        content = self._commitment.content
        if content is None:
            return
        # What is held open is still there: its end, too.
        yield from grow_to(content, self._file, self._boundary.end)
        packed = yield from self._packed_form()
        committed = self._commitment.committed
        if packed is None:
            if committed:
                what = f"it is gone and was not sealed; {committed} bytes were committed"
                self._alarm(AlarmKind.LOST, what)
            else:
                yield from self._give_up("deleted before anything of it was committed")
            return
        yield from self._compare_packed(packed, content)

    def _packed_form(self) -> Generator[Turn, None, Path | None]:
        """The file that took this one's place, if one does within a while."""
        until = self._around.clock() + self._around.settings.settle_s
        while True:
            for packed in packed_forms(self.path):
                if packed.is_file():
                    return packed
            if self._around.clock() >= until:
                return None
            yield Turn.WAIT

    def _compare_packed(self, packed: Path, content: GrowingContent) -> Steps:
        record = self._commitment.record
        if record is None:
            return
        wrong = yield from compare_packed(packed, record.salt_key, content.mark())
        if wrong is not None:
            self._alarm(AlarmKind.NOT_THE_SAME, wrong)
            return
        what = f"{packed.name} holds the same {content.length} bytes"
        self._around.note(NoteKind.COMPRESSED, self.path, what)
        yield from self._give_up(f"replaced by {packed.name} before it was sealed")
