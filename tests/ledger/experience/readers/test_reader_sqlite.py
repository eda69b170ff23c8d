from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ledger.errors import RecordingError
from ledger.experience.readers import read_recording
from tests.ledger.experience.readers.recording_writers import (
    EXPECTED,
    START_NS,
    counted,
    make_rosbag2,
    outcome,
    read_one,
)


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return make_rosbag2(tmp_path / "bag", "sqlite3")


def leave_hot(bag: Path, mode: str) -> None:
    """Write to the database as a recorder does, and keep what its death would leave."""
    database = bag / "bag.db3"
    beside = database.with_name("bag.db3-wal" if mode == "wal" else "bag.db3-journal")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA journal_mode={mode}")
        # More than the cache holds, so that a rollback journal is synced and hot.
        connection.execute("PRAGMA cache_size=2")
        connection.execute("BEGIN")
        insert = "INSERT INTO messages(topic_id, timestamp, data) VALUES (1, 5, zeroblob(9000))"
        for _ in range(20):
            connection.execute(insert)
        if mode == "wal":
            connection.execute("COMMIT")
        saved = beside.read_bytes()
    beside.write_bytes(saved)


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_hot_log_is_refused_and_the_hint_works(bag: Path, mode: str) -> None:
    leave_hot(bag, mode)
    for path in (bag, bag / "bag.db3"):
        with pytest.raises(RecordingError, match="recorder is still running or has died") as caught:
            read_one(path)
        assert "wal_checkpoint" in str(caught.value.hint)
    with closing(sqlite3.connect(bag / "bag.db3")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert outcome(bag / "bag.db3") is not None


def test_a_folder_without_metadata_but_with_a_hot_log(bag: Path) -> None:
    leave_hot(bag, "wal")
    (bag / "metadata.yaml").unlink()
    with pytest.raises(RecordingError, match="write-ahead log"):
        read_one(bag)
    (recording,) = read_recording(bag, force_opaque=True)
    assert [file.name for file in recording.files] == ["bag.db3", "bag.db3-wal"]


def test_an_empty_log_is_no_obstacle(bag: Path) -> None:
    for suffix in ("-wal", "-shm", "-journal"):
        (bag / f"bag.db3{suffix}").touch()
    assert counted(read_one(bag)) == EXPECTED


def test_nothing_is_written_beside_the_database(bag: Path) -> None:
    with closing(sqlite3.connect(bag / "bag.db3")) as connection:
        connection.execute("PRAGMA journal_mode=wal")
    before = {path: path.read_bytes() for path in bag.iterdir()}
    assert counted(read_one(bag)) == EXPECTED
    assert {path: path.read_bytes() for path in bag.iterdir()} == before


def test_a_bare_db3_is_read(bag: Path, tmp_path: Path) -> None:
    for name in ("bare.db3", "odd?mode=rw&name #1.db3", "100%25.db3"):
        shutil.copy(bag / "bag.db3", tmp_path / name)
        recording = read_one(tmp_path / name)
        assert counted(recording) == EXPECTED
        assert recording.media_type == "application/vnd.sqlite3"


def test_every_truncation_is_refused(bag: Path) -> None:
    database = bag / "bag.db3"
    content = database.read_bytes()
    for size in range(0, len(content), 509):
        database.write_bytes(content[:size])
        assert outcome(bag) is None


def test_flipped_bits_leak_no_exception(bag: Path) -> None:
    database = bag / "bag.db3"
    content = database.read_bytes()
    for at in (*range(100), *range(100, len(content), 97)):
        flipped = bytearray(content)
        flipped[at] ^= 1 << at % 8
        database.write_bytes(flipped)
        # metadata.yaml holds a second count, so that a change is noticed.
        assert outcome(bag) in (None, EXPECTED)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET timestamp = -1",
        "UPDATE messages SET timestamp = 'soon'",
        "UPDATE messages SET topic_id = 99 WHERE id = 1",
        "UPDATE topics SET name = x'ff'",
        "UPDATE topics SET name = CAST(x'ff' AS TEXT)",
        "DROP TABLE messages",
        "DELETE FROM messages WHERE id = 3",
    ],
)
def test_values_that_rosbag2_never_writes(bag: Path, statement: str) -> None:
    with closing(sqlite3.connect(bag / "bag.db3")) as connection:
        connection.execute(statement)
        connection.commit()
    assert outcome(bag) is None


def test_another_database_is_opaque(tmp_path: Path) -> None:
    file = tmp_path / "other.db3"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("CREATE TABLE notes(text)")
    assert counted(read_one(file)) == ((), 0, 0, 0)


def test_an_old_schema_without_distro(bag: Path) -> None:
    with closing(sqlite3.connect(bag / "bag.db3")) as connection:
        connection.execute("DROP TABLE schema")
        connection.execute("DROP TABLE metadata")
        connection.commit()
    assert counted(read_one(bag / "bag.db3")) == EXPECTED
    assert read_one(bag / "bag.db3").start_ns == START_NS
