"""Follows directories in which another recorder writes its bags.

::

    follower = Follower(sink, [Path("/data/bags")], HomeCatalogue(owner.reader), listener=...)
    follower.run(stop)          # or poll() from a loop of one's own
    follower.close()

Nothing in the directories is written, renamed or deleted, and no name is guessed at. An
MCAP file is one record, committed as it grows; everything else of a bag is one, once
it is closed. What a crash interrupted is taken up at the next start, after its
committed beginning was read again.

One `Follower` a home follows all its directories: it takes up every interrupted record
that was recorded in place.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from ledger.errors import LedgerError, LockedError, RecordingError
from ledger.experience.growing import InterruptedRecord
from ledger.follow.catalogue import Catalogue, KnownFile
from ledger.follow.commitment import Surroundings
from ledger.follow.directory_scan import FileKind, FoundFile, scan
from ledger.follow.events import Alarm, AlarmKind, Event, Listener, NoteKind
from ledger.follow.file_life import FileLife, Outcome
from ledger.follow.mcap_life import McapLife
from ledger.follow.sealed_files import SealedFiles
from ledger.follow.settings import FollowSettings
from ledger.follow.settled_life import SettledLife
from ledger.follow.steps import Clock, Steps, Turn, take_turn
from ledger.follow.unpacking import compare_packed, packed_forms
from ledger.follow.watched_file import FileState
from ledger.memory.sink import RecordSink

_DATABASE_WAITS = (
    "SQLite rewrites its pages: it is committed once, after its recorder has closed it"
)


def _nobody(_: Event) -> None:
    return None


class Follower:
    """Commits the bags of some directories. For one thread; `run` may have one of its own.

    ``avoid`` is a folder that is not looked into: the home, if it lies there. Raises
    `LockedError` where another process follows a directory already.
    """

    def __init__(
        self,
        sink: RecordSink,
        directories: Sequence[Path],
        catalogue: Catalogue,
        *,
        settings: FollowSettings | None = None,
        listener: Listener = _nobody,
        avoid: Path | None = None,
        clock: Clock = time.monotonic,
    ) -> None:
        self._directories = tuple(Path(os.path.realpath(each)) for each in directories)
        self._settings = settings or FollowSettings()
        self._around = Surroundings(sink, self._settings, listener, clock)
        self._catalogue = catalogue
        self._avoid = None if avoid is None else Path(os.path.realpath(avoid))
        self._sealed = SealedFiles(self._around, catalogue)
        self._lives: list[FileLife] = []
        self._work: list[Steps] = []
        self._interrupted: dict[Path, list[InterruptedRecord]] = {}
        self._passed_over: dict[Path, FileState] = {}
        self._not_mcap: set[Path] = set()
        self._retry_s: dict[Path, float] = {}
        self._told: set[tuple[Path, str]] = set()
        self._waiting = 0
        self._next_scan_s = 0.0
        self._started = False
        self._locks: dict[Path, int] = {}
        for directory in self._directories:
            self._lock(directory)

    @property
    def at_rest(self) -> bool:
        """Whether all that can be committed is, until somebody writes or closes a file."""
        return (
            self._started
            and self._next_scan_s > 0  # else something ended, and is yet to be looked for
            and not self._work
            and not self._waiting
            and not self._sealed.is_unsure
            and all(life.at_rest for life in self._lives)
        )

    @property
    def failure(self) -> LedgerError | None:
        """Why the home took nothing when it was asked last; None if it did, or was not asked."""
        return self._around.failure

    def poll(self) -> bool:
        """Do what there is to do, for a short while; whether there is more to do at once."""
        clock = self._around.clock
        if not self._started and not self._start():
            return False
        if clock() >= self._next_scan_s:
            self._scan()
            self._next_scan_s = clock() + self._settings.scan_period_s
        busy = False
        for life in list(self._lives):
            turn = take_turn(life.steps, self._settings.slice_s, clock)
            busy = busy or turn is Turn.MORE
            if turn is None:
                self._lives.remove(life)
                self._end(life)
                self._next_scan_s = 0.0
        for steps in list(self._work):
            turn = take_turn(steps, self._settings.slice_s, clock)
            busy = busy or turn is Turn.MORE
            if turn is None:
                self._work.remove(steps)
                self._next_scan_s = 0.0
        return busy

    def run(self, stop: threading.Event) -> None:
        """Follow until ``stop`` is set."""
        while not stop.is_set():
            if not self.poll():
                stop.wait(self._settings.poll_period_s)

    def close(self) -> None:
        """Commit what was read, and let everything go; the sink is its owner's to close."""
        while self._lives:
            self._lives.pop().close()
        while self._locks:
            os.close(self._locks.popitem()[1])

    def _start(self) -> bool:
        """Take up what was interrupted, and learn what is in the log already."""
        found = self._around.attempt(self._directories[0], self._read_home)
        if found is None:
            return False
        interrupted, known = found
        for each in interrupted:
            record = each.record
            if record.source is None or not each.marks:
                self._give_up(each)
            else:
                self._interrupted.setdefault(record.source, []).append(each)
        for file in known:
            self._sealed.add(file)
        self._started = True
        return True

    def _read_home(self) -> tuple[tuple[InterruptedRecord, ...], list[KnownFile]]:
        known = self._catalogue.known_under(self._directories)
        return self._around.sink.interrupted(in_place=True), known

    def _give_up(self, interrupted: InterruptedRecord) -> None:
        """Nothing was committed of it, or nobody knows of what: it leaves no trace."""
        record = interrupted.record
        if interrupted.marks:
            what = "a record was begun in place, and nobody knows of which file"
            self._alarm_lost(self._directories[0], interrupted, what)
            return
        try:
            self._around.sink.abandon(record.record_id, "nothing was committed of it")
        except LedgerError as error:
            path = record.source or self._directories[0]
            self._around.note(NoteKind.NOT_COMMITTED, path, error.message)

    def _scan(self) -> None:
        files = scan(
            [directory for directory in self._directories if self._may_follow(directory)],
            avoid=self._avoid,
            max_depth=self._settings.max_depth,
            ignored=self._ignore,
        )
        found = {file.path: file for file in files}
        places = {(file.state.device, file.state.inode): file.path for file in found.values()}
        followed = set()
        for life in self._lives:
            inode = (life.state.device, life.state.inode)
            life.found_at = places.get(inode)
            followed.add(inode)
        self._work += self._sealed.see(found)
        self._check_lost(found)
        waiting = [
            file
            for file in found.values()
            if (file.state.device, file.state.inode) not in followed and self._is_new(file)
        ]
        # The newest first: what is being written now must not wait for an archive.
        waiting.sort(key=lambda file: file.state.mtime_ns, reverse=True)
        room = self._settings.max_open - len(self._lives)
        self._waiting = max(0, len(waiting) - room)
        for file in waiting[:room]:
            self._follow(file)

    def _is_new(self, file: FoundFile) -> bool:
        if file.path in self._sealed:
            return False
        if self._passed_over.get(file.path) == file.state:
            return False
        return self._around.clock() >= self._retry_s.get(file.path, 0.0)

    def _follow(self, file: FoundFile) -> None:
        self._passed_over.pop(file.path, None)
        try:
            life = self._life(file)
        except FileNotFoundError:
            return
        except (OSError, RecordingError) as error:
            self._ignore(file.path, str(error))
            self._retry_s[file.path] = self._around.clock() + self._settings.settle_s
            return
        self._lives.append(life)

    def _life(self, file: FoundFile) -> FileLife:
        path = file.path
        if file.kind is FileKind.MCAP and path not in self._not_mcap:
            interrupted = tuple(self._interrupted.pop(path, ()))
            return McapLife(path, self._around, interrupted)
        if file.kind is FileKind.METADATA:
            return SettledLife(
                path, self._around, is_ready=lambda: self._bag_is_closed(path.parent)
            )
        why = _DATABASE_WAITS if file.kind is FileKind.DATABASE else None
        return SettledLife(path, self._around, why=why)

    def _bag_is_closed(self, folder: Path) -> bool:
        return not any(
            isinstance(life, McapLife) and life.path.parent == folder for life in self._lives
        )

    def _end(self, life: FileLife) -> None:
        """Remember how a file's life ended."""
        ending, path = life.ending, life.path
        if ending is None:
            return
        match ending.outcome:
            case Outcome.SEALED:
                size = ending.state.size if ending.state else 0
                known = KnownFile(path, size, ending.record_id, ending.presence)
                self._sealed.add(known, ending.state)
            case Outcome.PASSED_OVER if ending.state is not None:
                self._passed_over[path] = ending.state
            case Outcome.NOT_MCAP:
                self._not_mcap.add(path)
                what = "it is named like an MCAP file, and is none"
                self._around.note(NoteKind.NOT_A_BAG, path, what)
            case Outcome.FAILED:
                self._retry_s[path] = self._around.clock() + self._settings.settle_s
                if life.interrupted is not None:
                    self._interrupted.setdefault(path, []).append(life.interrupted)
            case _:
                pass

    def _check_lost(self, found: dict[Path, FoundFile]) -> None:
        """Alarm for interrupted records whose file is not there any more."""
        for path in [path for path in self._interrupted if path not in found]:
            if not any(folder in path.parents for folder in self._directories):
                continue  # of a directory that is not followed this time
            packed = next((form for form in packed_forms(path) if form in found), None)
            for interrupted in self._interrupted.pop(path):
                if packed is None:
                    committed = interrupted.marks[-1].length
                    what = f"it is gone and was not sealed; {committed} bytes were committed"
                    self._alarm_lost(path, interrupted, what)
                else:
                    self._work.append(self._compare_packed(path, packed, interrupted))

    def _compare_packed(self, path: Path, packed: Path, interrupted: InterruptedRecord) -> Steps:
        record = interrupted.record
        wrong = yield from compare_packed(packed, record.salt_key, interrupted.marks[-1])
        if wrong is not None:
            self._around.tell(Alarm(AlarmKind.NOT_THE_SAME, path, record.record_id, wrong))
            return
        what = f"{packed.name} holds the same {interrupted.marks[-1].length} bytes"
        self._around.note(NoteKind.COMPRESSED, path, what)
        sink, reason = self._around.sink, f"replaced by {packed.name} before it was sealed"

        def abandon() -> bool:
            sink.abandon(record.record_id, reason)
            return True

        while self._around.attempt(path, abandon) is None:
            yield Turn.WAIT

    def _alarm_lost(self, path: Path, interrupted: InterruptedRecord, what: str) -> None:
        record_id = interrupted.record.record_id
        self._around.tell(Alarm(AlarmKind.LOST, path, record_id, what))

    def _ignore(self, path: Path, why: str) -> None:
        self._tell_once(NoteKind.IGNORED, path, why)

    def _tell_once(self, kind: NoteKind, path: Path, what: str) -> None:
        if (path, what) not in self._told:
            self._told.add((path, what))
            self._around.note(kind, path, what)

    def _may_follow(self, directory: Path) -> bool:
        try:
            self._lock(directory)
        except LockedError as error:
            self._ignore(directory, error.message)
        return directory in self._locks

    def _lock(self, directory: Path) -> None:
        """Have a directory that is there to ourselves, among those who follow."""
        if directory in self._locks:
            return
        try:
            descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            self._tell_once(NoteKind.NOT_THERE, directory, "it is not there yet")
            return
        except OSError as error:
            self._ignore(directory, f"it cannot be opened: {error.strerror}")
            return
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise LockedError(
                f"another process follows {directory}", hint="one is enough; stop that one"
            ) from None
        self._locks[directory] = descriptor
