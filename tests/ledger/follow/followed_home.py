"""A home that follows a directory, driven step by step; and recorders that write there."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, ClassVar, TypeVar

from mcap.writer import CompressionType, Writer

from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience, Kind
from ledger.follow.catalogue import HomeCatalogue
from ledger.follow.events import Alarm, Event, Noted, Progressed, Sealed
from ledger.follow.follower import Follower
from ledger.follow.settings import FollowSettings
from ledger.fsck import AuditReport, AuditRequest, Depth
from ledger.fsck.audit import audit_in_process
from ledger.fsck.findings import AuditTrail
from ledger.home import HomeReader, create_home
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.memory.sink import RecordSink

E = TypeVar("E", bound=Event)

PATIENCE_S = 60.0
MAGIC = b"\x89MCAP0\r\n"
QUICK = FollowSettings(
    progress_period_s=0.0, scan_period_s=0.0, settle_s=0.05, quiet_s=0.3, retry_s=0.02
)


class Followed:
    """A home, a directory beside it, and a follower that lives on only in `until`."""

    def __init__(self, folder: Path, settings: FollowSettings = QUICK) -> None:
        self.root = folder / "home"
        self.bags = folder / "bags"
        self.published = Path(os.environ["QUIPU_PUBLISHED"])
        self.settings = settings
        self.events: list[Event] = []
        create_home(self.root, "example.com/follower")
        self.bags.mkdir()
        self.open()

    def open(self, sink: Callable[[MemoryOwner], RecordSink] = OwnerSink) -> None:
        """Start following, as a new process would."""
        self.owner = MemoryOwner.open(self.root)
        self.sink = sink(self.owner)
        self.follower = Follower(
            self.sink,
            [self.bags],
            HomeCatalogue(self.owner.reader),
            settings=self.settings,
            listener=self.events.append,
            avoid=self.root,
        )

    def close(self) -> None:
        self.follower.close()
        self.sink.close()
        self.owner.close()

    def crash(self) -> None:
        """End without a last commit: what was not acknowledged is not."""
        for life in self.follower._lives:
            life._file.close()
        self.follower._lives.clear()
        self.close()

    def poll(self, times: int = 3) -> None:
        for _ in range(times):
            self.follower.poll()

    def until(self, done: Callable[[], object]) -> None:
        """Follow until something is true."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            assert time.monotonic() < deadline, self.events
            if not self.follower.poll():
                time.sleep(0.005)

    def until_sealed(self, *names: str) -> None:
        self.until(lambda: set(names) <= {event.path.name for event in self.all(Sealed)})

    def until_told(self, kind: object) -> None:
        self.until(lambda: kind in self.kinds())

    def all(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def kinds(self) -> list[object]:
        return [event.kind for event in self.events if isinstance(event, Noted | Alarm)]

    @property
    def alarms(self) -> list[Alarm]:
        return self.all(Alarm)

    def lengths(self, path: Path) -> list[int]:
        return [event.length for event in self.all(Progressed) if event.path == path]

    def log(self) -> list[Kind]:
        with self.owner.reader() as home:
            return [parse_entry(entry).kind for entry in home.log.entries()]

    def experience(self, name: str) -> Experience:
        """The newest record of a file."""
        found = [k for k in self.log() if isinstance(k, Experience) and k.files[0].name == name]
        return found[-1]

    def read(self, work: Callable[[HomeReader], object]) -> object:
        with self.owner.reader() as home:
            return work(home)

    def audit(self) -> AuditReport:
        """The audit's report; to be the last thing, for the home is closed for it."""
        self.close()
        trail = AuditTrail()
        audit_in_process(AuditRequest(self.root, self.published, Depth.DEEP), trail)
        return trail.report()

    def is_whole(self) -> None:
        """No alarm was raised, and the audit finds nothing; to be the last thing."""
        assert self.alarms == []
        report = self.audit()
        assert report.ok, report.findings


class Recorder:
    """Writes an MCAP file the way a recorder does: bytes reach the file chunk by chunk."""

    streams: ClassVar[list[BinaryIO]] = []
    """Of all recorders, to be closed after a test."""

    def __init__(
        self,
        path: Path,
        *,
        compression: CompressionType = CompressionType.NONE,
        chunked: bool = True,
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.stream = path.open("wb")
        Recorder.streams.append(self.stream)
        self.writer = Writer(
            self.stream, chunk_size=20_000, compression=compression, use_chunking=chunked
        )
        self.writer.start("ros2", "test")
        schema = self.writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data")
        self._channel = self.writer.register_channel("/chatter", "cdr", schema)
        self.count = 0

    def write(self, messages: int, size: int = 1_000) -> None:
        for _ in range(messages):
            self.count += 1
            self.writer.add_message(
                self._channel, self.count, os.urandom(size), self.count, self.count
            )
        self.stream.flush()

    def finish(self) -> Path:
        self.writer.finish()
        self.stream.close()
        return self.path

    def die(self) -> None:
        """As after SIGKILL: what is in the file stays, and no more comes."""
        self.stream.close()


def record(path: Path, messages: int = 60) -> Path:
    """A finished recording."""
    recorder = Recorder(path)
    recorder.write(messages)
    return recorder.finish()


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """A rosbag2 database that is being written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path)
    try:
        connection.executescript(
            "CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT, type TEXT,"
            " serialization_format TEXT, offered_qos_profiles TEXT);"
            "CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER, timestamp INTEGER,"
            " data BLOB);"
            "INSERT INTO topics VALUES (1, '/a', 'std_msgs/msg/String', 'cdr', '');"
        )
        yield connection
    finally:
        connection.close()


def complete_records(data: bytes) -> list[int]:
    """Where the complete top-level records of an MCAP file end, the Footer's with its magic."""
    ends, at = [8], 8
    while at + 9 <= len(data):
        at += 9 + int.from_bytes(data[at + 1 : at + 9], "little")
        if at > len(data):
            break
        ends.append(at + 8 if data[at:] == MAGIC else at)
    return ends
