"""MCAP files followed while they are written: committed, sealed, and caught when they change."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import zstandard
from mcap.writer import CompressionType

from ledger.experience.content_store import StoreMode
from ledger.experience.growing import interrupted_records
from ledger.experience.ingest import IngestOptions
from ledger.experience.kinds import Erasure, Experience, Progress, Pruning, Tag
from ledger.experience.records import Presence
from ledger.experience.restore import restore
from ledger.follow.events import AlarmKind, NoteKind, Sealed
from ledger.follow.settings import FollowSettings
from tests.ledger.follow.followed_home import QUICK, Followed, Recorder, complete_records, record


@pytest.mark.parametrize("compression", list(CompressionType))
@pytest.mark.parametrize("chunked", [True, False], ids=["chunked", "unchunked"])
def test_a_recording_is_committed_as_it_grows(
    followed: Followed, compression: CompressionType, *, chunked: bool
) -> None:
    path = followed.bags / "drive" / "drive_0.mcap"
    recorder = Recorder(path, compression=compression, chunked=chunked)
    for _ in range(5):
        recorder.write(45)
        before = len(followed.lengths(path))
        followed.until(lambda before=before: len(followed.lengths(path)) > before)
    recorder.finish()
    followed.until_sealed("drive_0.mcap")
    data = path.read_bytes()
    lengths = followed.lengths(path)
    assert lengths == sorted(set(lengths))
    assert set(lengths) <= {*complete_records(data), len(data)}
    sealed = followed.experience("drive_0.mcap")
    assert sealed.name == "drive/drive_0.mcap"
    assert sealed.message_count == 225
    assert [(topic.name, topic.count) for topic in sealed.topics] == [("/chatter", 225)]
    assert Tag("bag", "drive") in sealed.tags
    assert sealed.content_size == len(data)
    kinds = [type(kind) for kind in followed.log()]
    assert kinds == [Progress] * len(lengths) + [Experience]
    followed.is_whole()


def test_a_recording_that_was_there_before_is_sealed_once(followed: Followed) -> None:
    path = record(followed.bags / "old" / "old_0.mcap")
    followed.until_sealed("old_0.mcap")
    followed.poll(20)
    assert len(followed.all(Sealed)) == 1
    assert followed.follower.at_rest
    followed.close()
    followed.open()
    followed.until(lambda: followed.follower.at_rest)
    assert len(followed.all(Sealed)) == 1
    assert path.exists()
    followed.is_whole()


def test_a_folder_that_appears_late_and_deep(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    shutil.rmtree(followed.bags)
    followed.close()
    followed.open()
    assert NoteKind.NOT_THERE in followed.kinds()
    followed.poll()
    record(followed.bags / "2026" / "11" / "drive" / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    record(followed.bags / "1" / "2" / "3" / "4" / "5" / "deep.mcap")
    record(followed.bags / ".hidden" / "hidden.mcap")
    followed.poll(30)
    assert [event.path.name for event in followed.all(Sealed)] == ["drive_0.mcap"]
    followed.close()


def test_a_bag_that_is_split(followed: Followed) -> None:
    bag = followed.bags / "long"
    for number in range(3):
        recorder = Recorder(bag / f"long_{number}.mcap")
        recorder.write(30)
        followed.until(lambda: followed.lengths(recorder.path))  # noqa: B023
        recorder.finish()
    (bag / "metadata.yaml").write_text("rosbag2_bagfile_information:\n  version: 9\n")
    followed.until_sealed("long_0.mcap", "long_1.mcap", "long_2.mcap", "metadata.yaml")
    names = [event.path.name for event in followed.all(Sealed)]
    assert names[-1] == "metadata.yaml"
    followed.is_whole()


def test_metadata_waits_for_the_bag_and_may_change(followed: Followed) -> None:
    """rosbag2 may write it at a split, and `ros2 bag reindex` later."""
    bag = followed.bags / "drive"
    recorder = Recorder(bag / "drive_0.mcap")
    (bag / "metadata.yaml").write_text("first")
    recorder.write(30)
    followed.until(lambda: followed.lengths(recorder.path))
    followed.poll(30)
    assert followed.all(Sealed) == []
    (bag / "metadata.yaml").write_text("second")
    recorder.finish()
    followed.until_sealed("metadata.yaml", "drive_0.mcap")
    (bag / "metadata.yaml").write_text("reindexed")
    followed.until_told(NoteKind.CHANGED)
    followed.until(lambda: len(followed.all(Sealed)) == 3)
    assert followed.experience("metadata.yaml").content_size == len("reindexed")
    assert followed.alarms == []


def test_a_recorder_that_died_leaves_what_it_wrote(followed: Followed) -> None:
    recorder = Recorder(followed.bags / "cut" / "cut_0.mcap")
    recorder.write(50)
    with recorder.path.open("ab") as file:
        file.write(b"\x06\xff\xff")  # the beginning of a record
    followed.until(lambda: followed.lengths(recorder.path))
    assert followed.all(Sealed) == []
    recorder.die()
    followed.until_sealed("cut_0.mcap")
    assert NoteKind.UNFINISHED in followed.kinds()
    sealed = followed.experience("cut_0.mcap")
    assert sealed.content_size == recorder.path.stat().st_size
    assert Tag("unfinished", "true") in sealed.tags
    assert max(followed.lengths(recorder.path)) < sealed.content_size
    followed.is_whole()


def test_a_recorder_that_only_pauses_is_not_sealed(followed: Followed) -> None:
    recorder = Recorder(followed.bags / "slow.mcap")
    recorder.write(30)
    followed.until(lambda: followed.follower.at_rest)
    followed.poll(50)
    assert followed.all(Sealed) == []
    recorder.finish()
    followed.until_sealed("slow.mcap")
    followed.is_whole()


@pytest.mark.parametrize("position", [20, 10_000])
def test_a_change_of_the_committed_prefix(followed: Followed, position: int) -> None:
    recorder = Recorder(followed.bags / "drive" / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    with recorder.path.open("r+b") as file:
        file.seek(position)
        file.write(b"\xaa\xbb\xcc")
    recorder.finish()
    followed.until(lambda: followed.alarms)
    (alarm,) = followed.alarms
    assert (alarm.kind, alarm.path) == (AlarmKind.PREFIX_CHANGED, recorder.path)
    assert alarm.detail.startswith("bytes [0, ")
    # The evidence stays: the record is open, with its keys. The file is committed anew.
    followed.until_sealed("drive_0.mcap")
    (sealed,) = followed.all(Sealed)
    assert sealed.receipt.record_id != alarm.record_id
    with followed.owner.writer() as home:
        (still_open,) = interrupted_records(home.experiences)
    assert still_open.record.record_id == alarm.record_id
    assert followed.audit().ok


def test_a_change_is_found_before_the_file_ends(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.follow.mcap_life._FIRST_COMPARISON", 40_000)
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    with recorder.path.open("r+b") as file:
        file.seek(100)
        file.write(b"\xaa\xbb\xcc")
    for _ in range(6):
        recorder.write(40)
        followed.poll(5)
    assert [alarm.kind for alarm in followed.alarms] == [AlarmKind.PREFIX_CHANGED]
    recorder.finish()


def test_a_file_cut_short(followed: Followed) -> None:
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    os.truncate(recorder.path, 1_000)
    followed.until(lambda: followed.alarms)
    assert followed.alarms[0].kind is AlarmKind.TRUNCATED
    assert "it has 1000 bytes" in followed.alarms[0].detail


def test_a_recording_started_again_over_the_old_one(followed: Followed) -> None:
    """allow_overwrite: the same file, from its beginning."""
    path = followed.bags / "drive_0.mcap"
    first = Recorder(path)
    first.write(60)
    followed.until(lambda: followed.lengths(path))
    second = Recorder(path)
    followed.until(lambda: followed.alarms)
    second.write(30)
    second.finish()
    followed.until_sealed("drive_0.mcap")
    assert [alarm.kind for alarm in followed.alarms] == [AlarmKind.TRUNCATED]


def test_a_file_in_the_place_of_another(followed: Followed, tmp_path: Path) -> None:
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    record(tmp_path / "forged.mcap").rename(recorder.path)
    followed.until(lambda: followed.alarms)
    assert followed.alarms[0].kind is AlarmKind.LOST
    followed.until_sealed("drive_0.mcap")
    assert followed.all(Sealed)[0].receipt.record_id != followed.alarms[0].record_id


def test_a_file_that_is_renamed_is_the_same(followed: Followed) -> None:
    recorder = Recorder(followed.bags / "drive.mcap.active.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    recorder.finish().rename(followed.bags / "drive.mcap")
    followed.until_sealed("drive.mcap")
    assert NoteKind.RENAMED in followed.kinds()
    followed.is_whole()


def test_a_file_deleted_while_it_was_written(followed: Followed) -> None:
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    recorder.path.unlink()
    followed.until(lambda: followed.alarms)
    (alarm,) = followed.alarms
    assert alarm.kind is AlarmKind.LOST
    assert "bytes were committed" in alarm.detail


def test_a_file_deleted_before_anything_was_committed(tmp_path: Path) -> None:
    followed = Followed(tmp_path, FollowSettings(progress_period_s=9, scan_period_s=0, settle_s=0))
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.poll(5)
    recorder.path.unlink()
    followed.until(lambda: not followed.follower._lives)
    assert (followed.log(), followed.alarms) == ([], [])
    with followed.owner.writer() as home:
        assert interrupted_records(home.experiences) == ()
    followed.close()


def test_a_sealed_file_that_is_deleted_is_noted_in_the_log(followed: Followed) -> None:
    """Circular recording deletes the oldest."""
    path = record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    path.unlink()
    followed.until_told(NoteKind.DELETED)
    followed.until(lambda: isinstance(followed.log()[-1], Pruning))
    record_id = followed.all(Sealed)[0].receipt.record_id
    assert followed.log()[-1] == Pruning((record_id,), "deleted where it was recorded")
    followed.is_whole()


def test_a_sealed_file_that_is_compressed(followed: Followed) -> None:
    path = record(followed.bags / "drive" / "drive_0.mcap", 200)
    followed.until_sealed("drive_0.mcap")
    packed = path.with_name("drive_0.mcap.zstd")
    packed.write_bytes(zstandard.compress(path.read_bytes()))
    path.unlink()
    followed.until_told(NoteKind.COMPRESSED)
    followed.until_sealed("drive_0.mcap.zstd")
    followed.until(lambda: any(isinstance(kind, Pruning) for kind in followed.log()))
    (pruning,) = [kind for kind in followed.log() if isinstance(kind, Pruning)]
    assert pruning.reason == "replaced by drive_0.mcap.zstd, which holds the same bytes"
    followed.is_whole()


@pytest.mark.parametrize(
    "packed",
    [
        zstandard.compress(b"something else"),
        b"no zstd at all",
        zstandard.compress(bytes(100_000))[:-5],
        b"",
    ],
    ids=["other", "damaged", "cut", "empty"],
)
def test_what_is_compressed_must_be_the_same(followed: Followed, packed: bytes) -> None:
    path = record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    path.with_name("drive_0.mcap.zstd").write_bytes(packed)
    path.unlink()
    followed.until(lambda: followed.alarms)
    assert followed.alarms[0].kind is AlarmKind.NOT_THE_SAME
    assert not any(isinstance(kind, Pruning) for kind in followed.log())


def test_a_longer_file_is_not_the_same(followed: Followed) -> None:
    path = record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    longer = zstandard.compress(path.read_bytes() + b"x")
    path.with_name("drive_0.mcap.zstd").write_bytes(longer)
    path.unlink()
    followed.until(lambda: followed.alarms)
    assert followed.alarms[0].kind is AlarmKind.NOT_THE_SAME


@pytest.mark.parametrize("same", [True, False])
def test_compressed_before_it_was_sealed(followed: Followed, *, same: bool) -> None:
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    recorder.writer.finish()
    recorder.stream.flush()
    data = bytearray(recorder.path.read_bytes())
    data[500] ^= not same
    packed = recorder.path.with_name("drive_0.mcap.zstd")
    packed.write_bytes(zstandard.compress(bytes(data)))
    recorder.path.unlink()
    if same:
        followed.until_told(NoteKind.COMPRESSED)
        followed.until_sealed("drive_0.mcap.zstd")
        (erasure,) = [kind for kind in followed.log() if isinstance(kind, Erasure)]
        assert erasure.reason == "replaced by drive_0.mcap.zstd before it was sealed"
        followed.is_whole()
    else:
        followed.until(lambda: followed.alarms)
        assert followed.alarms[0].kind is AlarmKind.NOT_THE_SAME


def test_a_sealed_file_that_changes(followed: Followed) -> None:
    path = record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    path.touch()  # looked at again, and as it was
    followed.poll(20)
    assert followed.alarms == []
    with path.open("r+b") as file:
        file.seek(5_000)
        file.write(b"\xaa\xbb")
    followed.until(lambda: followed.alarms)
    (alarm,) = followed.alarms
    assert alarm.kind is AlarmKind.SEALED_CHANGED
    assert "chunk 0 (drive_0.mcap bytes 0 to " in alarm.detail
    followed.until(lambda: len(followed.all(Sealed)) == 2)  # as it is now, too


def test_a_sealed_file_that_grows(followed: Followed) -> None:
    path = record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    with path.open("ab") as file:
        file.write(b"tail")
    followed.until(lambda: followed.alarms)
    assert "grew from" in followed.alarms[0].detail


@pytest.mark.parametrize("seal", [False, True], ids=["plain", "encrypted"])
def test_kept_in_the_home_too(tmp_path: Path, *, seal: bool) -> None:
    options = IngestOptions(seal=seal, tags=(Tag("site", "hall-3"),))
    settings = FollowSettings(options=options, progress_period_s=0, scan_period_s=0, settle_s=0.05)
    followed = Followed(tmp_path, settings)
    path = record(followed.bags / "drive_0.mcap")
    data = path.read_bytes()
    followed.until_sealed("drive_0.mcap")
    receipt = followed.all(Sealed)[0].receipt
    assert (receipt.presence, receipt.sealed) == (Presence.STORED, seal)
    path.unlink()
    followed.until_told(NoteKind.DELETED)
    assert not any(isinstance(kind, Pruning) for kind in followed.log())
    followed.read(lambda home: restore(home.experiences, receipt.record_id, tmp_path / "back"))
    assert (tmp_path / "back" / "drive_0.mcap").read_bytes() == data
    assert Tag("site", "hall-3") in followed.experience("drive_0.mcap").tags
    followed.is_whole()
    followed.close()


def test_linked_into_the_home(tmp_path: Path) -> None:
    followed = Followed(
        tmp_path,
        FollowSettings(IngestOptions(mode=StoreMode.LINK), scan_period_s=0, settle_s=0.05),
    )
    record(followed.bags / "drive_0.mcap")
    followed.until_sealed("drive_0.mcap")
    assert followed.all(Sealed)[0].receipt.presence is Presence.STORED
    followed.is_whole()
    followed.close()


def test_where_nobody_tells_who_writes_rest_decides(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's file, or a file system without leases."""
    from ledger.follow.writer_presence import WriterPresence

    monkeypatch.setattr(
        "ledger.follow.watched_file.writer_presence", lambda _: WriterPresence.UNKNOWN
    )
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(30)
    followed.until(lambda: followed.lengths(recorder.path))
    followed.until_sealed("drive_0.mcap")  # QUICK.quiet_s later
    assert NoteKind.UNFINISHED in followed.kinds()
    assert QUICK.quiet_s > QUICK.settle_s
