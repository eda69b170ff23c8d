"""A follower that dies goes on where it was; a home that cannot be written is waited for."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard

from ledger.errors import LockedError, NotFoundError, StorageError
from ledger.experience.content_store import StoreMode
from ledger.experience.erasure import erase
from ledger.experience.growing import abandon_record, begin_record, interrupted_records
from ledger.experience.ingest import IngestOptions, ingest_all
from ledger.experience.kinds import Erasure, Experience, Progress, Pruning
from ledger.experience.readers import read_recording
from ledger.follow.catalogue import HomeCatalogue
from ledger.follow.events import AlarmKind, Event, NoteKind, Sealed
from ledger.follow.follower import Follower
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from tests.ledger.follow.followed_home import QUICK, Followed, Recorder, record


def begun(followed: Followed) -> Recorder:
    """A recording of which something is committed, its follower dead."""
    recorder = Recorder(followed.bags / "drive" / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    followed.crash()
    return recorder


def records(followed: Followed) -> set[bytes]:
    return {kind.record_id for kind in followed.log() if isinstance(kind, Progress | Experience)}


def test_an_interrupted_record_is_gone_on_with(followed: Followed) -> None:
    recorder = begun(followed)
    recorder.write(60)
    followed.open()
    followed.until(lambda: len(followed.lengths(recorder.path)) == 2)
    assert NoteKind.RESUMED in followed.kinds()
    recorder.finish()
    followed.until_sealed("drive_0.mcap")
    assert len(records(followed)) == 1
    assert followed.experience("drive_0.mcap").message_count == 120
    followed.is_whole()


def test_what_ended_meanwhile_is_sealed(followed: Followed) -> None:
    recorder = begun(followed)
    recorder.write(60)
    recorder.finish()
    followed.open()
    followed.until_sealed("drive_0.mcap")
    assert len(records(followed)) == 1
    followed.is_whole()


def test_a_follower_that_ends_well_commits_what_it_has_read(followed: Followed) -> None:
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.poll(5)
    followed.close()
    assert followed.lengths(recorder.path)[-1] > 40_000
    followed.open()


def test_a_change_meanwhile_is_an_alarm_each_time(followed: Followed) -> None:
    recorder = begun(followed)
    length = followed.lengths(recorder.path)[-1]
    with recorder.path.open("r+b") as file:
        file.seek(length - 1)
        file.write(b"\xee")
    for number in (1, 2):
        followed.open()
        followed.until(lambda number=number: len(followed.alarms) == number)
        assert followed.alarms[-1].kind is AlarmKind.PREFIX_CHANGED
        assert f", {length}) are not what was committed" in followed.alarms[-1].detail
        followed.crash()
    followed.open()
    recorder.finish()
    followed.until_sealed("drive_0.mcap")
    assert followed.all(Sealed)[0].receipt.record_id != followed.alarms[0].record_id


def test_a_file_that_is_shorter_than_what_was_committed(followed: Followed) -> None:
    recorder = begun(followed)
    os.truncate(recorder.path, 9_000)
    followed.open()
    followed.until(lambda: followed.alarms)
    assert "it ends at byte 9000" in followed.alarms[0].detail


def test_a_file_that_is_gone(followed: Followed) -> None:
    recorder = begun(followed)
    recorder.path.unlink()
    followed.open()
    followed.until(lambda: followed.alarms)
    assert followed.alarms[0].kind is AlarmKind.LOST
    with followed.owner.writer() as home:
        assert len(interrupted_records(home.experiences)) == 1  # the evidence stays
    followed.poll(20)
    assert len(followed.alarms) == 1


@pytest.mark.parametrize("same", [True, False])
def test_a_file_that_was_compressed_meanwhile(followed: Followed, *, same: bool) -> None:
    recorder = begun(followed)
    data = bytearray(recorder.finish().read_bytes())
    data[100] ^= not same
    packed = recorder.path.with_name("drive_0.mcap.zst")
    packed.write_bytes(zstandard.compress(bytes(data)))
    recorder.path.unlink()
    followed.open()
    followed.until_sealed(packed.name)
    if same:
        followed.until_told(NoteKind.COMPRESSED)
        followed.until(lambda: any(isinstance(kind, Erasure) for kind in followed.log()))
        followed.is_whole()
    else:
        followed.until(lambda: followed.alarms)
        assert followed.alarms[0].kind is AlarmKind.NOT_THE_SAME


def test_a_record_of_which_nothing_was_committed_leaves_no_trace(followed: Followed) -> None:
    path = followed.bags / "drive_0.mcap"
    with followed.owner.writer() as home:
        begin_record(home.experiences, in_place=True, source=path)
        begin_record(home.experiences, in_place=True)
    record(path)
    followed.until_sealed("drive_0.mcap")
    with followed.owner.writer() as home:
        assert interrupted_records(home.experiences) == ()
    followed.is_whole()


def test_records_of_directories_that_are_not_followed_stay(
    followed: Followed, tmp_path: Path
) -> None:
    begun(followed)
    shutil.rmtree(followed.bags)
    followed.bags = tmp_path / "elsewhere"
    followed.bags.mkdir()
    followed.open()
    followed.poll(20)
    assert followed.alarms == []
    with followed.owner.writer() as home:
        assert len(interrupted_records(home.experiences)) == 1


def test_a_recorder_s_own_records_are_not_touched(followed: Followed) -> None:
    with followed.owner.writer() as home:
        own = begin_record(home.experiences)
    followed.poll(10)
    with followed.owner.writer() as home:
        (left,) = interrupted_records(home.experiences)
    assert left.record == own


def test_what_was_ingested_in_place_is_known(followed: Followed) -> None:
    bag = followed.bags / "drive"
    record(bag / "drive_0.mcap")
    (bag / "metadata.yaml").write_text("x: 1\n")
    followed.close()
    with MemoryOwner.open(followed.root) as owner, owner.writer() as home:
        options = IngestOptions(mode=StoreMode.IN_PLACE)
        for path in bag.iterdir():
            list(ingest_all(home.experiences, read_recording(path), options))
    followed.open()
    followed.until(lambda: followed.follower.at_rest)
    assert followed.events == []
    # And is watched like any other.
    with (bag / "drive_0.mcap").open("ab") as file:
        file.write(b"x")
    followed.until(lambda: followed.alarms)


def test_a_sealed_file_that_changed_meanwhile(followed: Followed) -> None:
    path = record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    followed.close()
    os.truncate(path, 500)
    followed.open()
    followed.until(lambda: followed.alarms)
    assert followed.alarms[0].kind is AlarmKind.SEALED_CHANGED


def test_what_was_erased_is_not_committed_again(followed: Followed) -> None:
    """Erasing leaves the file to whoever wrote it; following must not bring it back."""
    path = record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    with followed.owner.writer() as home:
        erase(home.experiences, [followed.all(Sealed)[0].receipt.record_id])
    followed.poll(20)
    followed.close()
    followed.open()
    followed.until(lambda: followed.follower.at_rest)
    assert followed.kinds() == [NoteKind.IGNORED]
    path.unlink()
    followed.poll(20)
    record(path, 90)  # something else under its name is
    followed.until(lambda: len(followed.all(Sealed)) == 2)
    followed.is_whole()


@pytest.mark.parametrize("same", [True, False])
def test_what_was_pruned_is_known_by_its_bytes(followed: Followed, *, same: bool) -> None:
    path = record(followed.bags / "drive_0.mcap")
    data = path.read_bytes()
    followed.until_sealed("drive_0.mcap")
    path.unlink()
    followed.until(lambda: isinstance(followed.log()[-1], Pruning))
    followed.close()
    path.write_bytes(data if same else data[:-9] + b"x" + data[-8:])
    followed.open()
    followed.until(lambda: followed.follower.at_rest)
    assert len(followed.all(Sealed)) == (1 if same else 2)
    assert followed.alarms == []


@pytest.mark.parametrize("mode", [StoreMode.LINK, StoreMode.REFLINK_OR_COPY])
def test_what_is_kept_in_the_home_is_known(tmp_path: Path, mode: StoreMode) -> None:
    followed = Followed(tmp_path, replace(QUICK, options=IngestOptions(mode=mode)))
    record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    followed.close()
    followed.open()
    followed.until(lambda: followed.follower.at_rest)
    assert len(followed.all(Sealed)) == 1
    followed.is_whole()


def test_a_record_that_somebody_gave_up_is_begun_again(followed: Followed) -> None:
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    with followed.owner.writer() as home:
        (found,) = interrupted_records(home.experiences)
        abandon_record(home.experiences, found.record.record_id, "by hand")
    recorder.write(60)
    recorder.finish()
    followed.until_sealed("drive_0.mcap")
    assert followed.alarms == []


class Moody(OwnerSink):
    """A sink that sometimes cannot."""

    mood: type[Exception] | None = None

    def _check(self) -> None:
        if self.mood is not None:
            raise self.mood("the disk is full")

    def begin(self, **how: Any) -> Any:
        self._check()
        return super().begin(**how)

    def progress(self, *what: Any) -> Any:
        self._check()
        return super().progress(*what)

    def seal(self, *what: Any, **how: Any) -> Any:
        self._check()
        return super().seal(*what, **how)

    def interrupted(self, **how: Any) -> Any:
        self._check()
        return super().interrupted(**how)

    def missing(self, *what: Any) -> Any:
        self._check()
        return super().missing(*what)


@pytest.fixture
def moody(followed: Followed) -> Followed:
    followed.close()
    followed.open(Moody)
    return followed


def sulk(followed: Followed, mood: type[Exception] | None) -> None:
    assert isinstance(followed.sink, Moody)
    followed.sink.mood = mood


@pytest.mark.parametrize("moment", ["start", "begin", "progress", "seal", "missing"])
def test_a_home_that_cannot_be_written_is_told_once_and_waited_for(
    moody: Followed, moment: str
) -> None:
    recorder = Recorder(moody.bags / "drive_0.mcap")

    def fails() -> None:
        sulk(moody, StorageError)
        moody.until_told(NoteKind.NOT_COMMITTED)
        moody.poll(30)
        assert moody.kinds().count(NoteKind.NOT_COMMITTED) == 1
        sulk(moody, None)

    if moment == "start":
        fails()
    moody.poll(5)
    recorder.write(60)
    if moment == "begin":
        fails()
    moody.until(lambda: moody.lengths(recorder.path))
    recorder.write(60)
    if moment == "progress":
        fails()
    recorder.finish()
    if moment == "seal":
        fails()
    moody.until_sealed("drive_0.mcap")
    if moment == "missing":
        recorder.path.unlink()
        sulk(moody, StorageError)
        moody.until_told(NoteKind.DELETED)
        fails()
        moody.until(lambda: isinstance(moody.log()[-1], Pruning))
    assert len(records(moody)) == 1
    moody.is_whole()


def test_a_disk_that_fills_up_again_is_told_again(moody: Followed) -> None:
    recorder = Recorder(moody.bags / "drive_0.mcap")
    for number in (1, 2):
        recorder.write(60)
        sulk(moody, StorageError)
        moody.until(lambda n=number: moody.kinds().count(NoteKind.NOT_COMMITTED) == n)
        sulk(moody, None)
        before = len(moody.lengths(recorder.path))
        moody.until(lambda before=before: len(moody.lengths(recorder.path)) > before)
    recorder.finish()
    moody.until_sealed("drive_0.mcap")


def test_one_process_follows_a_directory(followed: Followed) -> None:
    catalogue = HomeCatalogue(followed.owner.reader)
    sink = OwnerSink(followed.owner)
    with pytest.raises(LockedError, match="another process follows"):
        Follower(sink, [followed.bags], catalogue)
    followed.follower.close()
    Follower(sink, [followed.bags], catalogue).close()


def test_a_directory_that_comes_later_may_be_another_s(followed: Followed) -> None:
    later = followed.bags.with_name("later")
    catalogue = HomeCatalogue(followed.owner.reader)
    events: list[Event] = []
    second = Follower(OwnerSink(followed.owner), [later], catalogue, listener=events.append)
    later.mkdir()
    record(later / "drive_0.mcap")
    with closing(Follower(OwnerSink(followed.owner), [later], catalogue)):
        second.poll()
        assert [event.kind for event in events] == [NoteKind.NOT_THERE, NoteKind.IGNORED]  # type: ignore[union-attr]
    second._next_scan_s = 0.0
    second.poll()
    second.close()
    assert [type(event) for event in events[2:]] == [Sealed]


def test_a_catalogue_knows_the_newest_record_of_a_file(followed: Followed) -> None:
    path = record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    with path.open("ab") as file:
        file.write(b"x")
    followed.until(lambda: len(followed.all(Sealed)) == 2)
    catalogue = HomeCatalogue(followed.owner.reader)
    (known,) = catalogue.known_under([followed.bags])
    assert known.record_id == followed.all(Sealed)[1].receipt.record_id
    assert catalogue.known_under([followed.root]) == []
    assert catalogue.content(known.record_id).first_difference() is None
    with pytest.raises(NotFoundError):
        catalogue.content(bytes(16))
