"""Files that are in the log, watched from then on: changed, deleted, or compressed.

A changed file is read again and compared chunk by chunk. A deleted one is no alarm: a
recorder may delete its oldest; the log is told that the bytes are gone from where they
were left.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from ledger.errors import LedgerError, NotFoundError, RefusedError, VerificationError
from ledger.experience.growing_content import GrowingContent
from ledger.experience.records import Presence
from ledger.follow.catalogue import Catalogue, KnownFile
from ledger.follow.commitment import Surroundings
from ledger.follow.directory_scan import FileKind, FoundFile
from ledger.follow.events import Alarm, AlarmKind, NoteKind
from ledger.follow.steps import Steps, Turn
from ledger.follow.unpacking import packed_forms, unpack_in_steps
from ledger.follow.watched_file import FileState


@dataclass(frozen=True, slots=True)
class SealedFile:
    """A file in the log. ``state`` is None before it was seen."""

    known: KnownFile
    state: FileState | None = None
    missing_since_s: float | None = None


class SealedFiles:
    """The sealed files of the followed directories, by path."""

    def __init__(self, around: Surroundings, catalogue: Catalogue) -> None:
        self._around = around
        self._catalogue = catalogue
        self._files: dict[Path, SealedFile] = {}
        self._in_doubt: set[Path] = set()

    def add(self, known: KnownFile, state: FileState | None = None) -> None:
        """Watch a file from now on."""
        self._files[known.path] = SealedFile(known, state)

    def __contains__(self, path: Path) -> bool:
        return path in self._files or path in self._in_doubt

    @property
    def is_unsure(self) -> bool:
        """Whether a file is missing that may only be on its way to another name."""
        return any(file.missing_since_s is not None for file in self._files.values())

    def see(self, found: Mapping[Path, FoundFile]) -> Iterator[Steps]:
        """Compare with what a scan found; the work that follows from it."""
        now = self._around.clock()
        for path, file in list(self._files.items()):
            seen = found.get(path)
            if seen is None:
                if file.missing_since_s is None:
                    self._files[path] = replace(file, missing_since_s=now)
                elif now - file.missing_since_s >= self._around.settings.settle_s:
                    del self._files[path]
                    yield self._departed(file)
            elif file.state is None and self._is_as_known(file.known, seen):
                self._files[path] = SealedFile(file.known, seen.state)
            elif file.state != seen.state:
                del self._files[path]
                self._in_doubt.add(path)
                yield self._changed(file.known, seen)
            elif file.missing_since_s is not None:
                self._files[path] = replace(file, missing_since_s=None)

    def _is_as_known(self, known: KnownFile, seen: FoundFile) -> bool:
        """Whether a file that the home knew of before need not be read again."""
        if seen.state.size != known.size or known.presence is Presence.PRUNED:
            return False
        if known.presence is Presence.ERASED:
            what = "it was erased from the log, and is not committed again"
            self._around.note(NoteKind.IGNORED, known.path, what)
        return True

    def _changed(self, known: KnownFile, seen: FoundFile) -> Steps:
        """Read a file again that was written to; it stays sealed, or is followed anew."""
        yield Turn.MORE
        is_alarm = known.presence is Presence.IN_PLACE and seen.kind is not FileKind.METADATA
        try:
            wrong = self._catalogue.content(known.record_id).first_difference()
        except NotFoundError:  # its keys went with an erasure
            wrong, is_alarm = "what was sealed of it was erased since", False
        except LedgerError as error:
            wrong = error.message
        self._in_doubt.discard(known.path)
        if wrong is None:
            self.add(known, seen.state)
        elif is_alarm:
            kind = AlarmKind.SEALED_CHANGED
            self._around.tell(Alarm(kind, known.path, known.record_id, wrong))
        else:
            self._around.note(NoteKind.CHANGED, known.path, wrong)

    def _departed(self, file: SealedFile) -> Steps:
        known = file.known
        if known.presence not in (Presence.IN_PLACE, Presence.STORED):
            return
        reason = yield from self._why_gone(known)
        if reason is None or known.presence is not Presence.IN_PLACE:
            return
        sink = self._around.sink
        while True:
            try:
                done = self._around.attempt(
                    known.path, lambda: (sink.missing(known.record_id, reason),)
                )
            except (NotFoundError, RefusedError):  # erased, or back where it was
                return
            if done is not None:
                return
            yield Turn.WAIT

    def _why_gone(self, known: KnownFile) -> Generator[Turn, None, str | None]:
        """What to say in the log of a file that is gone; None if it was an alarm."""
        packed = next((path for path in packed_forms(known.path) if path.is_file()), None)
        if packed is None:
            self._around.note(NoteKind.DELETED, known.path, "it was sealed, and is gone now")
            return "deleted where it was recorded"
        wrong = yield from self._compare_packed(known, packed)
        if wrong is not None:
            kind = AlarmKind.NOT_THE_SAME
            self._around.tell(Alarm(kind, known.path, known.record_id, wrong))
            return None
        what = f"{packed.name} holds the same {known.size} bytes"
        self._around.note(NoteKind.COMPRESSED, known.path, what)
        return f"replaced by {packed.name}, which holds the same bytes"

    def _compare_packed(self, known: KnownFile, packed: Path) -> Generator[Turn, None, str | None]:
        try:
            content = self._catalogue.content(known.record_id)
            if len(content.experience.files) > 1:
                return f"{packed.name} cannot be compared with a record of several files"
            again = GrowingContent(content.salt_key)
            yield from unpack_in_steps(packed, again, known.size + 1)
        except (VerificationError, LedgerError) as error:
            return error.message
        except OSError as error:
            return f"{packed.name} cannot be read: {error.strerror}"
        if again.finish().root != content.experience.content_root:
            return f"{packed.name} does not hold what was sealed"
        return None
