"""The sqlite3 storage of rosbag2 (``.db3``): counts and times by SQL, read-only.

The database is opened ``immutable``, so that not even a lock or a ``-shm`` file
is written beside the original. That hides whatever still lies in a write-ahead
log or a rollback journal, so a file with one of those is refused.

    topics(id, name, type, ...)    messages(id, topic_id, timestamp, data)
    schema(schema_version, ros_distro)     from schema version 3 on
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from ledger.errors import RecordingError
from ledger.experience.readers.input_files import open_input, reason, recording_file
from ledger.experience.readers.recording import Recording
from ledger.experience.readers.topic_counts import StorageContents, count_topics, file_recording

MAGIC = b"SQLite format 3\0"
MEDIA_TYPE = "application/vnd.sqlite3"
OPAQUE_HINT = "re-index the bag with `ros2 bag reindex`, or keep the bytes with --opaque"


def read_sqlite_file(path: Path) -> Recording | None:
    """The recording in a bare ``.db3`` file, or None when it is no rosbag2 database.

    Raises `RecordingError` when it is damaged or still being written.
    """
    contents = read_sqlite(path)
    if contents is None:
        return None
    return file_recording(path, MEDIA_TYPE, "rosbag2", contents)


def read_sqlite(path: Path) -> StorageContents | None:
    """Topics, counts and times of a rosbag2 database; None without its two tables.

    Raises `RecordingError`.
    """
    check_settled(path)
    _check_size(path)
    # Percent-encoded, so that a "?" in the file name does not start the query.
    uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            return _query(connection)
    except (sqlite3.Error, OverflowError, UnicodeDecodeError, _BrokenDatabaseError) as error:
        raise RecordingError(f"{path} is damaged: {reason(error)}", hint=OPAQUE_HINT) from error


def check_settled(path: Path) -> None:
    """Raise `RecordingError` when a write-ahead log or a hot journal lies beside ``path``."""
    for suffix, kind in (("-wal", "write-ahead log"), ("-journal", "rollback journal")):
        beside = path.with_name(path.name + suffix)
        if not beside.is_file():
            continue
        with open_input(beside) as stream:
            first = stream.read(1)
        # Empty, or with a zeroed header (journal_mode=PERSIST), it holds nothing.
        if first not in (b"", b"\0"):
            raise RecordingError(
                f"{path} has a {kind} beside it ({beside.name}): its recorder is still running or "
                "has died",
                hint="stop the recorder; if it died, fold the log in with "
                f"`sqlite3 {path.name} 'PRAGMA wal_checkpoint(TRUNCATE)'`",
            )


def _check_size(path: Path) -> None:
    """The header says how many pages there are (https://sqlite.org/fileformat.html, 1.3)."""
    with open_input(path) as stream:
        header = stream.read(100)
    if len(header) < 100 or not header.startswith(MAGIC):
        raise RecordingError(
            f"{path} is not an SQLite database", hint="ingest with --opaque to keep it as it is"
        )
    page = int.from_bytes(header[16:18], "big")
    page = 65536 if page == 1 else page
    pages = int.from_bytes(header[28:32], "big")
    # The page count is valid when "version-valid-for" equals the file change counter.
    size = recording_file(path.parent, path.name).size
    if header[24:28] == header[92:96] and size < page * pages:
        raise RecordingError(f"{path} is cut off: {size} bytes of {page * pages}", hint=OPAQUE_HINT)


class _BrokenDatabaseError(Exception):
    """The database holds what rosbag2 never writes."""


def _query(connection: sqlite3.Connection) -> StorageContents | None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    if not {"topics", "messages"} <= tables:
        return None
    topics = {}
    for number, name, kind in connection.execute("SELECT id, name, type FROM topics"):
        if not (isinstance(number, int) and isinstance(name, str) and isinstance(kind, str)):
            raise _BrokenDatabaseError("its topics table holds values of the wrong type")
        topics[number] = (name, kind)
    counts = dict.fromkeys(topics, 0)
    starts, ends = [], []
    per_topic = "SELECT topic_id, COUNT(*), MIN(timestamp), MAX(timestamp) FROM messages GROUP BY 1"
    for number, count, start, end in connection.execute(per_topic):
        if number not in topics:
            raise _BrokenDatabaseError(
                f"it holds messages of a topic {number!r} that is not listed"
            )
        if not (isinstance(start, int) and isinstance(end, int)):
            raise _BrokenDatabaseError("its messages table holds times of the wrong type")
        counts[number] = count
        starts.append(start)
        ends.append(end)
    # The same from the index on timestamp, where there is one: a second witness.
    for whole in connection.execute("SELECT MIN(timestamp), MAX(timestamp) FROM messages"):
        if whole != (min(starts, default=None), max(ends, default=None)):
            raise _BrokenDatabaseError("its messages and their index disagree")
    tags = {"storage": "sqlite3", "ros_distro": _distro(connection, tables)}
    return StorageContents(
        topics=count_topics((*topics[number], count) for number, count in counts.items()),
        start_ns=min(starts, default=0),
        end_ns=max(ends, default=0),
        tags=tags,
    )


def _distro(connection: sqlite3.Connection, tables: set[str]) -> str:
    if "schema" not in tables:
        return ""
    for (distro,) in connection.execute("SELECT ros_distro FROM schema"):
        return str(distro)
    return ""
