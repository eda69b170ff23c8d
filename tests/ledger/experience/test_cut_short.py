"""Killed, or failing, at every step in turn: what was acknowledged stays, nothing else does.

An audit hook sees every file opened for writing, made, renamed and removed, and a
wrapper every ``fsync``; each of them in turn kills the process, or fails.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import LedgerError
from ledger.experience.content_store import StoreMode
from ledger.experience.erasure import erase
from ledger.experience.growing import (
    InterruptedRecord,
    abandon_record,
    interrupted_records,
    marks_of,
)
from ledger.experience.growing_content import GrowingContent, regrow
from ledger.experience.growing_seal import seal_record
from ledger.experience.ingest import IngestOptions, IngestReceipt, ingest, ingest_all
from ledger.experience.offload import offload
from ledger.experience.provenance import acquisitions_of
from ledger.experience.readers.recording import Recording, RecordingFile
from ledger.experience.records import Presence
from ledger.experience.recovery import recover
from ledger.experience.restore import restore
from ledger.experience.retention import prune
from tests.ledger.experience.experience_home import TestHome, check_at_rest, make_recording
from tests.ledger.experience.growing_record import CONTENT, METADATA, GrowingRecord
from tests.ledger.experience.test_provenance import own

EVENTS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "os.chmod"}
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT

KILLED, REFUSED, DONE, WRONG = 137, 3, 0, 4


def run_child(work: Callable[[], None]) -> int:
    """Run ``work`` in a forked child; the child's exit code."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001
            traceback.print_exc()
            os._exit(WRONG)
        os._exit(DONE)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Steps:
    """Counts the steps that change the disk; at step ``fatal`` something happens."""

    def __init__(self, fatal: int, happens: Callable[[], None]) -> None:
        self.count = 0
        self.fatal = fatal
        self.happens = happens
        self.armed = True

    def install(self) -> None:
        sys.addaudithook(self.see)
        real = os.fsync

        def fsync(descriptor: Any) -> None:
            self.step()
            real(descriptor)

        os.fsync = fsync  # type: ignore[assignment]

    def see(self, event: str, args: tuple[Any, ...]) -> None:
        if event in EVENTS or (event == "open" and args[2] is not None and args[2] & WRITING):
            self.step()

    def step(self) -> None:
        if self.armed:
            self.count += 1
            if self.count == self.fatal:
                self.happens()

    def touch(self, path: Path) -> None:
        """Note something for the test; no step of what is tested."""
        self.armed = False
        path.touch()
        self.armed = True


def die() -> None:
    os._exit(KILLED)


def fail() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@dataclass
class Stage:
    """Where an operation happens, and two recordings that are not ingested yet."""

    folder: Path
    steps: Steps

    def __post_init__(self) -> None:
        made = [
            make_recording(self.folder / name, seed=7, name=name, shrunk=50) for name in ("c", "d")
        ]
        self.recordings = [replace(each, files=each.files[1::2]) for each in made]

    def acknowledge(self, receipt: IngestReceipt) -> None:
        self.steps.touch(self.folder / f"acknowledged-{receipt.record_id.hex()}")


Operation = Callable[[TestHome, Stage], None]


def ingest_two(home: TestHome, stage: Stage) -> None:
    for receipt in ingest_all(home.writer, stage.recordings):
        stage.acknowledge(receipt)


def ingest_sealed(home: TestHome, stage: Stage) -> None:
    stage.acknowledge(ingest(home.writer, stage.recordings[0], IngestOptions(seal=True)))


def ingest_linked(home: TestHome, stage: Stage) -> None:
    options = IngestOptions(mode=StoreMode.LINK)
    stage.acknowledge(ingest(home.writer, stage.recordings[0], options))


def ingest_bought(home: TestHome, stage: Stage) -> None:
    options = IngestOptions(acquired=own)
    for receipt in ingest_all(home.writer, stage.recordings, options):
        stage.acknowledge(receipt)


def first_record(home: TestHome) -> bytes:
    return next(home.writer.tables.states())[0]


def erase_one(home: TestHome, stage: Stage) -> None:
    erase(home.writer, [first_record(home)])
    stage.steps.touch(stage.folder / "erased")


def prune_one(home: TestHome, _: Stage) -> None:
    prune(home.writer, [first_record(home)], force=True)


def offload_one(home: TestHome, stage: Stage) -> None:
    list(offload(home.writer, [first_record(home)], stage.folder / "usb"))


def restore_one(home: TestHome, stage: Stage) -> None:
    restore(home.writer, first_record(home), stage.folder / "back")


def write(stage: Stage, record: GrowingRecord, name: str, data: bytes) -> None:
    """The recorder's own writing; no step of what is tested."""
    stage.steps.armed = False
    record.write(name, data)
    stage.steps.armed = True


def record_in_part(home: TestHome, stage: Stage) -> GrowingRecord:
    record = GrowingRecord(home.writer)
    for start in (0, 1_000):
        write(stage, record, "run_0.mcap", CONTENT[start : start + 1_000])
        record.commit()
        stage.steps.touch(stage.folder / f"committed-{record.id.hex()}-{record.content.length}")
    return record


def record_one(home: TestHome, stage: Stage) -> None:
    record = record_in_part(home, stage)
    write(stage, record, "metadata.yaml", METADATA)
    stage.acknowledge(record.seal())


def record_encrypted(home: TestHome, stage: Stage) -> None:
    record = record_in_part(home, stage)
    write(stage, record, "metadata.yaml", METADATA)
    stage.acknowledge(record.seal(IngestOptions(seal=True)))


def give_up(home: TestHome, stage: Stage) -> None:
    record = record_in_part(home, stage)
    stage.steps.touch(stage.folder / f"doomed-{record.id.hex()}")
    abandon_record(home.writer, record.id, "the test says so")
    stage.steps.touch(stage.folder / f"abandoned-{record.id.hex()}")


OPERATIONS: list[Operation] = [
    record_one,
    record_encrypted,
    give_up,
    ingest_two,
    ingest_sealed,
    ingest_linked,
    ingest_bought,
    erase_one,
    prune_one,
    offload_one,
    restore_one,
]


def prepare(folder: Path) -> dict[bytes, list[bytes]]:
    """A home with two records; the secrets of each."""
    with TestHome.create(folder / "robot") as home:
        for name, seal in (("a", False), ("b", True)):
            recording = make_recording(folder / name, seed=ord(name), name=name, shrunk=50)
            ingest(home.writer, recording, IngestOptions(seal=seal))
        secrets = {}
        for record_id, _ in home.writer.tables.states():
            keys = home.writer.keys.get(record_id)
            secrets[record_id] = [keys.salt_key] + ([keys.content_key] if keys.content_key else [])
    return secrets


def check(folder: Path, secrets: dict[bytes, list[bytes]], operation: Operation) -> None:
    """Open again as a new process would, and look at everything."""
    with TestHome.open(folder / "robot") as home:
        recover(home.writer)
        recover(home.writer)
        check_at_rest(home, folder / "scratch")
        for path in folder.glob("acknowledged-*"):
            record_id = bytes.fromhex(path.name.partition("-")[2])
            assert home.writer.tables.state(record_id).presence is Presence.STORED
        check_committed(home, folder)
        check_provenance(home, operation, secrets)
        states = dict(home.writer.tables.states())
        assert states.keys() >= secrets.keys()
        for record_id, keys in secrets.items():
            for secret in keys:
                found = home.files_with(secret)
                assert bool(found) == (states[record_id].presence is not Presence.ERASED)
        if (folder / "erased").exists():
            assert Presence.ERASED in {state.presence for state in states.values()}
        # The home goes on: the same can be done, and be finished, now.
        (folder / "again").mkdir()
        operation(home, Stage(folder / "again", Steps(0, die)))
        take_up(home)
        check_at_rest(home, folder / "scratch2")


def noted(folder: Path, what: str) -> list[tuple[bytes, ...]]:
    found = [path.name.split("-")[1:] for path in folder.glob(f"{what}-*")]
    return [(bytes.fromhex(words[0]), *map(str.encode, words[1:])) for words in found]


def check_committed(home: TestHome, folder: Path) -> None:
    """What was acknowledged of a record is in the log, and its bytes are there."""
    still_open = {each.record.record_id: each for each in interrupted_records(home.writer)}
    doomed, abandoned = noted(folder, "doomed"), noted(folder, "abandoned")
    for record_id, length in noted(folder, "committed"):
        marks = [mark for _, mark in marks_of(home.writer, record_id)]
        assert int(length) in [mark.length for mark in marks]
        if record_id in still_open:
            assert (record_id,) not in abandoned
            read_again(still_open[record_id])
        elif (record_id,) not in doomed:
            assert home.writer.tables.state(record_id).presence is Presence.STORED
        else:
            assert home.writer.tables.state(record_id).presence is Presence.ERASED


def check_provenance(
    home: TestHome, operation: Operation, before: dict[bytes, list[bytes]]
) -> None:
    """A recording that was bought is never there without its Acquisition."""
    if operation is ingest_bought:
        for record_id in dict(home.writer.tables.states()).keys() - before.keys():
            assert [kind for _, kind in acquisitions_of(home.writer, record_id)] == [own(record_id)]


def read_again(found: InterruptedRecord) -> GrowingContent:
    path = found.record.folder / "run_0.mcap"
    with path.open("rb") as file:
        return regrow(
            found.record.salt_key,
            lambda offset, view: os.preadv(file.fileno(), [view], offset),
            found.marks,
            stop=1 << 40,
        )


def take_up(home: TestHome) -> None:
    """End what was left open, as a recorder that starts again does."""
    for found in interrupted_records(home.writer):
        path = found.record.folder / "run_0.mcap"
        if not path.exists():
            abandon_record(home.writer, found.record.record_id, "empty")
            continue
        digest = read_again(found).finish()
        (path.parent / "metadata.yaml").unlink(missing_ok=True)
        file = RecordingFile(path.name, path, digest.size)
        recording = Recording(path.parent, "taken up", "application/vnd.mcap", (file,))
        seal_record(home.writer, found.record.record_id, recording, digest)
    assert interrupted_records(home.writer) == ()


@pytest.fixture
def quick(tmp_path: Path) -> Iterator[Path]:
    """A folder in memory if there is one: processes die here, not machines."""
    memory = Path("/dev/shm")  # noqa: S108
    if not memory.is_dir() or not os.access(memory, os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_killed_at_every_step(quick: Path, operation: Operation) -> None:
    fatal = 0
    code = KILLED
    while code == KILLED:
        fatal += 1
        folder = quick / str(fatal)
        folder.mkdir()
        secrets = prepare(folder)

        def work(folder: Path = folder, fatal: int = fatal) -> None:
            home = TestHome.open(folder / "robot")
            stage = Stage(folder, Steps(fatal, die))
            stage.steps.install()
            operation(home, stage)

        code = run_child(work)
        check(folder, secrets, operation)
        shutil.rmtree(folder)
    assert code == DONE
    assert fatal > 5


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.__name__)
def test_failing_at_every_step(quick: Path, operation: Operation) -> None:
    fatal = 0
    reached = True
    refused = 0
    while reached:
        fatal += 1
        folder = quick / str(fatal)
        folder.mkdir()
        secrets = prepare(folder)
        marker = folder / "not-reached"

        def work(folder: Path = folder, fatal: int = fatal, marker: Path = marker) -> None:
            home = TestHome.open(folder / "robot")
            stage = Stage(folder, Steps(fatal, fail))
            stage.steps.install()
            try:
                operation(home, stage)
            except LedgerError as error:
                if "\n" in str(error):
                    raise
                os._exit(REFUSED)
            finally:
                if stage.steps.count < fatal:
                    stage.steps.touch(marker)

        code = run_child(work)
        assert code in (DONE, REFUSED), f"step {fatal} let another error out"
        refused += code == REFUSED
        reached = not marker.exists()
        marker.unlink(missing_ok=True)
        check(folder, secrets, operation)
        shutil.rmtree(folder)
    assert refused > 2
