"""What is committed after it is closed, and what is not followed at all."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest
import zstandard

from ledger.experience.kinds import Tag
from ledger.follow.directory_scan import FileKind, kind_of
from ledger.follow.events import NoteKind, Sealed
from ledger.follow.watched_file import WatchedFile
from ledger.follow.writer_presence import WriterPresence
from tests.ledger.follow.followed_home import Followed, Recorder, database, record


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("drive_0.mcap", FileKind.MCAP),
        ("0.33-style-name.mcap", FileKind.MCAP),
        ("drive_0.db3", FileKind.DATABASE),
        ("drive_0.mcap.zstd", FileKind.PACKED),
        ("drive_0.db3.zst", FileKind.PACKED),
        ("metadata.yaml", FileKind.METADATA),
        ("notes.zstd", None),
        ("drive_0.db3-wal", None),
        ("drive.mcap.part", None),
        ("mcap", None),
        (".mcap", None),
        ("photo.jpg", None),
    ],
)
def test_what_a_name_stands_for(name: str, kind: FileKind | None) -> None:
    assert kind_of(name) is kind


def test_a_database_is_committed_when_it_is_closed(followed: Followed) -> None:
    path = followed.bags / "old" / "old_0.db3"
    with database(path) as connection:
        for stamp in range(50):
            connection.execute("INSERT INTO messages VALUES (NULL, 1, ?, x'00')", (stamp,))
            connection.commit()
            followed.poll(2)
        followed.until_told(NoteKind.WAITING_FOR_CLOSE)
        followed.poll(40)
        assert followed.log() == []
    (path.parent / "metadata.yaml").write_text("rosbag2_bagfile_information:\n")
    followed.until_sealed("old_0.db3", "metadata.yaml")
    sealed = followed.experience("old_0.db3")
    assert [(topic.name, topic.count) for topic in sealed.topics] == [("/a", 50)]
    assert Tag("bag", "old") in sealed.tags
    assert followed.kinds().count(NoteKind.WAITING_FOR_CLOSE) == 1
    followed.is_whole()


def test_a_database_that_was_not_closed_well(followed: Followed) -> None:
    """Its log lies beside it: the bytes are committed, and not read as a bag."""
    path = followed.bags / "old_0.db3"
    connection = sqlite3.connect(path)
    connection.executescript("PRAGMA journal_mode=WAL; CREATE TABLE a(b); INSERT INTO a VALUES(1)")
    data, log = path.read_bytes(), path.with_name("old_0.db3-wal").read_bytes()
    connection.close()
    path.write_bytes(data)
    path.with_name("old_0.db3-wal").write_bytes(log)
    followed.until_sealed("old_0.db3")
    assert Tag("unfinished", "true") in followed.experience("old_0.db3").tags
    followed.is_whole()


def test_a_compressed_file_is_committed_when_it_is_closed(followed: Followed) -> None:
    packed = zstandard.compress(os.urandom(50_000))
    path = followed.bags / "drive_0.mcap.zstd"
    with path.open("wb") as file:
        file.write(packed[:1_000])
        file.flush()
        followed.poll(40)
        assert followed.log() == []
        file.write(packed[1_000:])
    followed.until_sealed("drive_0.mcap.zstd")
    assert followed.experience("drive_0.mcap.zstd").content_size == len(packed)
    assert followed.lengths(path) == []
    followed.is_whole()


def test_messages_compressed_one_by_one_are_an_mcap_like_any(followed: Followed) -> None:
    recorder = Recorder(followed.bags / "drive_0.mcap", chunked=False)
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    recorder.finish()
    followed.until_sealed("drive_0.mcap")
    followed.is_whole()


def test_what_is_named_like_a_bag_and_is_none(followed: Followed) -> None:
    (followed.bags / "fake.mcap").write_bytes(b"not what it says" * 100)
    followed.until_sealed("fake.mcap")
    assert NoteKind.NOT_A_BAG in followed.kinds()
    assert Tag("unfinished", "true") in followed.experience("fake.mcap").tags
    followed.is_whole()


def test_empty_files_are_told_and_followed_when_they_are_not(followed: Followed) -> None:
    for name in ("empty.mcap", "empty.db3", "metadata.yaml"):
        (followed.bags / name).touch()
    followed.until(lambda: followed.kinds().count(NoteKind.EMPTY) == 3)
    followed.poll(20)
    assert followed.follower.at_rest
    assert followed.log() == []
    assert followed.kinds().count(NoteKind.EMPTY) == 3
    record(followed.bags / "empty.mcap")
    followed.until_sealed("empty.mcap")
    followed.is_whole()


def test_a_few_bytes_that_are_no_magic_yet(followed: Followed) -> None:
    (followed.bags / "short.mcap").write_bytes(b"\x89MCAP")
    followed.until_sealed("short.mcap")
    assert followed.experience("short.mcap").content_size == 5
    followed.is_whole()


def test_links_and_what_is_no_file_are_left_alone(followed: Followed, tmp_path: Path) -> None:
    outside = record(tmp_path / "outside" / "secret.mcap")
    (followed.bags / "link.mcap").symlink_to(outside)
    (followed.bags / "folder").symlink_to(outside.parent)
    (followed.bags / "loop.mcap").symlink_to("loop.mcap")
    (followed.bags / "folder.mcap").mkdir()
    os.mkfifo(followed.bags / "pipe.mcap")
    (followed.bags / os.fsdecode(b"\xff.mcap")).write_bytes(b"x")
    followed.poll(30)
    ignored = {e.path.name for e in followed.events if e.kind is NoteKind.IGNORED}  # type: ignore[union-attr]
    assert ignored == {"link.mcap", "loop.mcap", "pipe.mcap", os.fsdecode(b"\xff.mcap")}
    assert len(followed.events) == 4
    assert followed.log() == []
    # Names with anything else in them are names.
    record(followed.bags / "bad\n[red]name\x1b.mcap")
    followed.until(lambda: followed.all(Sealed))
    assert followed.experience("bad\n[red]name\x1b.mcap").message_count == 60


def test_a_link_put_in_a_file_s_place_while_it_is_followed(
    followed: Followed, tmp_path: Path
) -> None:
    outside = record(tmp_path / "outside.mcap")
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    recorder.path.unlink()
    recorder.path.symlink_to(outside)
    followed.until(lambda: followed.alarms)
    assert NoteKind.IGNORED in followed.kinds()
    followed.poll(20)
    assert followed.all(Sealed) == []


def test_the_home_is_not_followed_into_itself(tmp_path: Path) -> None:
    followed = Followed(tmp_path)
    followed.close()
    followed.bags = tmp_path  # the home lies in what is followed
    followed.open()
    record(tmp_path / "bags" / "drive_0.mcap")
    record(followed.root / "content" / "stray.mcap")
    followed.until_sealed("drive_0.mcap")
    followed.poll(20)
    assert [event.path.name for event in followed.all(Sealed)] == ["drive_0.mcap"]
    followed.close()


def test_a_file_that_may_not_be_read(followed: Followed, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: WatchedFile, path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    with monkeypatch.context() as patch:
        patch.setattr(WatchedFile, "__init__", refuse)
        record(followed.bags / "drive_0.mcap")
        followed.until_told(NoteKind.IGNORED)
        followed.poll(20)
        assert len(followed.events) == 1
    followed.until_sealed("drive_0.mcap")


def test_a_disk_that_fails_to_read_once(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    followed.until(lambda: followed.lengths(recorder.path))
    recorder.write(60)

    def fail(self: WatchedFile, *_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(WatchedFile, "read_at", fail)
        followed.until_told(NoteKind.UNREADABLE)
    recorder.finish()
    followed.until_sealed("drive_0.mcap")
    # It went on with the record that it had begun.
    assert NoteKind.RESUMED in followed.kinds()
    assert len({kind.record_id for kind in followed.log()}) == 1  # type: ignore[union-attr]
    followed.is_whole()


def test_what_cannot_be_synced_is_not_committed(
    followed: Followed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: WatchedFile) -> None:
        raise OSError(5, "Input/output error")

    recorder = Recorder(followed.bags / "drive_0.mcap")
    recorder.write(60)
    with monkeypatch.context() as patch:
        patch.setattr(WatchedFile, "sync", fail)
        followed.until_told(NoteKind.UNREADABLE)
        assert followed.lengths(recorder.path) == []
    followed.until(lambda: followed.lengths(recorder.path))


def test_many_files_are_taken_a_few_at_a_time(tmp_path: Path) -> None:
    from dataclasses import replace

    from tests.ledger.follow.followed_home import QUICK

    followed = Followed(tmp_path, replace(QUICK, max_open=3))
    for number in range(12):
        record(followed.bags / f"{number}.mcap", 3)
        os.utime(followed.bags / f"{number}.mcap", (1, 1))
    live = Recorder(followed.bags / "live.mcap")
    live.write(60)
    followed.poll(1)
    assert len(followed.lengths(live.path)) == 1  # the newest first
    assert len(followed.all(Sealed)) <= 2
    live.finish()
    followed.until(lambda: len(followed.all(Sealed)) == 13)
    followed.is_whole()
    followed.close()


def test_who_writes_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as writing:
        file = WatchedFile(path)
        assert file.presence() is WriterPresence.SOMEBODY
        writing.write(b"x")
    with path.open("rb"):  # readers do not count
        assert file.presence() is WriterPresence.NOBODY
    with path.open("ab"):
        assert file.presence() is WriterPresence.SOMEBODY
    assert file.presence() is WriterPresence.NOBODY
    path.unlink()
    assert file.presence() is WriterPresence.NOBODY
    file.close()
    with pytest.raises(OSError):
        file.state()
