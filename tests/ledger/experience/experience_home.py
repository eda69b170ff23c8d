"""A home for tests, and what must hold of any home at rest."""

from __future__ import annotations

import os
import random
from pathlib import Path
from types import TracebackType

from ledger.checkpoint import log_id
from ledger.ed25519 import PrivateKey
from ledger.errors import NotFoundError
from ledger.experience.access import ExperienceWriter
from ledger.experience.growing import interrupted_records, is_sealed
from ledger.experience.readers.recording import (
    Recording,
    RecordingFile,
    RecordingTag,
    RecordingTopic,
)
from ledger.experience.records import Presence
from ledger.experience.restore import restore
from ledger.log import Log
from ledger.note import NoteSigner
from ledger.published import PublishedCheckpoint
from ledger.storage.lmdb import LmdbStorage

ORIGIN = "robot.example/quipu"
SEED = bytes(range(32))


class TestHome:
    """One home and its writer."""

    __test__ = False

    def __init__(self, folder: Path, storage: LmdbStorage, log: Log, key: PrivateKey) -> None:
        self.folder = folder
        self.storage = storage
        self.log = log
        self.key = key
        self.writer = ExperienceWriter(folder, storage, log, key)

    @classmethod
    def create(cls, folder: Path) -> TestHome:
        folder.mkdir(parents=True)
        key = PrivateKey.from_seed(SEED)
        storage = LmdbStorage.create(folder / "log")
        vkey = NoteSigner(ORIGIN, key).verifier_key
        return cls(folder, storage, Log.create(storage, ORIGIN, vkey, _published(folder)), key)

    @classmethod
    def open(cls, folder: Path) -> TestHome:
        storage = LmdbStorage.open_writer(folder / "log")
        key = PrivateKey.from_seed(SEED)
        return cls(folder, storage, Log.open(storage, _published(folder)), key)

    def close(self) -> None:
        self.storage.close()

    def __enter__(self) -> TestHome:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def files_with(self, secret: bytes) -> list[Path]:
        """Every file under the home whose bytes hold ``secret``."""
        return [
            path
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and secret in path.read_bytes()
        ]


def _published(folder: Path) -> PublishedCheckpoint:
    return PublishedCheckpoint(folder.with_name(folder.name + "-published"), log_id(ORIGIN))


def make_recording(folder: Path, *, seed: int = 1, name: str = "run", shrunk: int = 1) -> Recording:
    """A recording of about four chunks (fewer if ``shrunk``) that cross its files' borders."""
    chance = random.Random(seed)
    contents = {
        "metadata.yaml": chance.randbytes(1_000 // shrunk),
        "run_0.mcap": chance.randbytes(300_000 // shrunk),
        "camera/empty.mp4": b"",
        "camera/front.mp4": chance.randbytes(500_000 // shrunk),
    }
    files = []
    for file_name, content in contents.items():
        path = folder / file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        files.append(RecordingFile(file_name, path, len(content)))
    return Recording(
        root=folder,
        name=name,
        media_type="application/x-rosbag2",
        files=tuple(files),
        topics=(RecordingTopic("/odom", "nav_msgs/msg/Odometry", 7),),
        start_ns=1_000,
        end_ns=2_000,
        message_count=7,
        tags=(RecordingTag("ros_distro", "jazzy"),),
    )


def content_of(recording: Recording) -> bytes:
    """The recording's content: its files joined."""
    return b"".join(file.path.read_bytes() for file in recording.files)


def stored_keys(home: TestHome) -> set[bytes]:
    """The ids of all records whose keys are kept."""
    store = home.writer.keys
    folder = home.folder / "keys" / "records"
    found: set[bytes] = set()
    for path in folder.glob("*.keys") if folder.is_dir() else []:
        found |= store._read(path).keys()
    return found


def check_at_rest(home: TestHome, scratch: Path) -> None:
    """Everything logged is whole, and nothing is there that is not logged, or being written."""
    writer = home.writer
    still_open = {each.record.record_id: each for each in interrupted_records(writer)}
    roots, with_keys = set(), set(still_open)
    for record_id, state in writer.tables.states():
        if state.presence is Presence.ERASED and not is_sealed(writer, record_id):
            assert writer.tables.progress(record_id)
            assert record_id not in stored_keys(home)
            continue
        record = writer.record(record_id)
        if state.presence is Presence.STORED:
            roots.add(record.experience.content_root.hex())
            restore(writer, record_id, scratch / os.urandom(4).hex())
        if state.presence is Presence.ERASED:
            try:
                writer.keys.get(record_id)
            except NotFoundError:
                continue
            raise AssertionError("the keys of an erased record are there")
        if record.experience.content_size:
            with_keys.add(record_id)
    folders = {name: home.folder / name for name in ("content", "incoming", "recording")}
    assert {path.name for path in folders["content"].glob("*/*")} == roots
    notes = {path.name for path in folders["incoming"].glob("*")}
    assert notes == {f"{record_id.hex()}.pending" for record_id in still_open}
    written_here = {each.record.folder for each in still_open.values() if not each.record.in_place}
    assert set(folders["recording"].glob("*")) == written_here
    assert stored_keys(home) == with_keys
    assert list((home.folder / "keys").rglob("*.new")) == []
