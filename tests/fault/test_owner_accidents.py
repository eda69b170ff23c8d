"""The owner of a home in bad hours: killed in its work, on a slow disk, on a full one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.experience.growing_content import GrowingContent
from ledger.experience.ingest import ingest_all
from ledger.experience.readers.recording import Recording, RecordingFile
from ledger.fsck import AuditRequest, Depth, audit_home
from ledger.home import create_home
from ledger.memory.borrowing import borrow_home
from ledger.memory.control_client import ControlClient
from ledger.memory.control_server import ControlServer
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.memory.status import OwnerState
from ledger.published import published_directory
from tests.fault.private_mount import run_with_tmpfs
from tests.fault.syscall_killer import CHANGING_CALLS, SYNC_CALLS, TraceError, kill_at_call
from tests.ledger.memory.owner_process import owner_process, wait_for
from tests.ledger.memory.recorded import GrowingFile

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine"),
]


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A home."""
    create_home(tmp_path / "home", "example.com/r1")
    return tmp_path / "home"


def trace(work: Callable[[], None], kth: int, watch: Callable[..., None] = lambda *_: None) -> int:
    try:
        status, seen = kill_at_call(work, kth, watch)
    except TraceError as error:
        pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
    assert os.WIFSIGNALED(status) or status == 0
    return seen


def a_life(root: Path, said: int) -> None:
    """Everything an owner does; what is acknowledged is said."""
    owner = MemoryOwner.open(root)
    sink = OwnerSink(owner)
    for each in sink.interrupted():
        sink.abandon(each.record.record_id, "its recorder died")
    growing = GrowingFile.begin(sink)
    growing.write(b"a" * 300_000)
    os.write(said, b"p")
    owner.checkpoint()
    os.write(said, b"c")
    growing.write(b"b" * 1000)
    growing.seal()
    os.write(said, b"s")
    given_up = GrowingFile.begin(sink)
    given_up.write(b"c" * 10)
    sink.abandon(given_up.record.record_id, "of no use")
    os.write(said, b"a")
    with owner.lent(1):
        pass
    owner.checkpoint()
    os.write(said, b"C")
    owner.close()


def test_killed_at_any_step_it_loses_nothing_that_it_said(root: Path) -> None:
    """A new owner goes on after each death, and the audit finds nothing."""
    reader, writer = os.pipe()
    entries = {"p": 1, "c": 1, "s": 3, "a": 5, "C": 5}
    try:
        total = trace(lambda: a_life(root, writer), 1 << 40)
        os.read(reader, 100)
        for kth in range(3, total, max(1, total // 20)):
            before = size(root)
            trace(lambda: a_life(root, writer), kth)
            os.set_blocking(reader, False)
            try:
                said = os.read(reader, 100).decode()
            except BlockingIOError:
                said = ""
            with MemoryOwner.open(root) as owner:
                status = owner.status()
                assert status.state is OwnerState.OPEN
                if said:
                    assert status.entries >= before + entries[said[-1]]
                OwnerSink(owner).interrupted()
                owner.checkpoint()
        assert_whole(root)
    finally:
        os.close(reader)
        os.close(writer)


def assert_whole(root: Path) -> None:
    report = audit_home(AuditRequest(root, published_directory(), Depth.DEEP))
    assert report.ok, report.findings


def size(root: Path) -> int:
    with MemoryOwner.open(root) as owner:
        return owner.status().entries


def ingest_borrowed(root: Path, file: Path) -> None:
    recording = Recording(
        file.parent,
        file.name,
        "application/octet-stream",
        (RecordingFile(file.name, file, file.stat().st_size),),
    )
    with borrow_home(root) as home:
        list(ingest_all(home.experiences, [recording]))
        home.log.checkpoint(home.signers())


def test_a_borrower_killed_at_any_step_leaves_a_whole_home(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "a.log"
    file.write_bytes(b"a" * 300_000)
    with owner_process(root), ControlClient(root) as client:
        total = trace(lambda: ingest_borrowed(root, file), 1 << 40)
        for kth in range(2, total, max(1, total // 12)):
            trace(lambda: ingest_borrowed(root, file), kth)
            wait_for(lambda: client.status().state is OwnerState.OPEN)
            client.checkpoint()
    assert_whole(root)


def test_on_a_slow_disk_nobody_who_only_asks_waits(root: Path) -> None:
    """Each sync takes half a second; the status and proofs come at once all the same."""
    sync_s = 0.5
    ready, go = os.pipe(), os.pipe()

    def work() -> None:
        with MemoryOwner.open(root) as owner:
            ControlServer(owner)
            growing = GrowingFile.begin(OwnerSink(owner))
            owner.checkpoint()
            os.write(ready[1], b"!")
            os.read(go[0], 1)
            for _ in range(3):
                growing.write(b"a" * 1000)
            slow_ms = owner.status().last_commit_ms
            os.write(ready[1], b"slow" if slow_ms >= 1e3 * sync_s else b"fast")

    asking = os.fork()
    if not asking:  # beside the traced owner: this process is its tracer
        code = 1
        try:
            os.read(ready[0], 1)
            slowest = 0.0
            with ControlClient(root) as client:
                os.write(go[1], b"!")
                until = time.monotonic() + 2 * sync_s
                while time.monotonic() < until:
                    began = time.monotonic()
                    client.status()
                    client.prove_consistency(0)
                    slowest = max(slowest, time.monotonic() - began)
                    time.sleep(0.01)
            code = 0 if slowest < sync_s / 2 and os.read(ready[0], 4) == b"slow" else 2
        finally:
            os._exit(code)

    def watch(pid: int, number: int, fd: int) -> None:
        if number in SYNC_CALLS:
            time.sleep(sync_s)

    try:
        trace(work, 1 << 40, watch)
        _, status = os.waitpid(asking, 0)
        asking = 0
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        if asking:
            os.kill(asking, signal.SIGKILL)
            os.waitpid(asking, 0)
        for end in (*ready, *go):
            os.close(end)


def test_on_a_full_disk_it_says_so_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    printed = run_with_tmpfs(
        tmp_path,
        "2m",
        """
        import os, pathlib, sys
        from ledger.errors import StorageFullError
        from ledger.home import create_home
        from ledger.memory import owner as owner_module
        from ledger.memory.owner import MemoryOwner
        from ledger.memory.owner_sink import OwnerSink
        from ledger.memory.status import OwnerState
        from tests.ledger.memory.recorded import GrowingFile

        folder = pathlib.Path(sys.argv[1])
        os.environ["QUIPU_PUBLISHED"] = str(folder / "published")
        owner_module.RETRY_S = 0.0
        create_home(folder / "home", "example.com/r1")
        owner = MemoryOwner.open(folder / "home")
        growing = GrowingFile.begin(OwnerSink(owner))
        growing.write(b"a" * 1000)
        owner.checkpoint()
        for _ in range(3):
            filler = open(folder / "filler", "wb", buffering=0)
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                pass
            try:
                for _ in range(1000):  # into pages that are free in the store, at first
                    growing.content.update(b"b")
                    kept = owner.status().entries
                    growing.sink.progress(growing.record.record_id, growing.content.mark())
            except StorageFullError as error:
                assert error.hint
            else:
                raise SystemExit("committed without room")
            with owner.lent(1):  # and back again, without room for anything
                pass
            status = owner.status()
            assert (status.state, status.entries, status.disk_free_bytes) == (
                OwnerState.OPEN, kept, 0
            ), status
            filler.close()
            (folder / "filler").unlink()
            growing.sink.progress(growing.record.record_id, growing.content.mark())
            owner.checkpoint()
            assert owner.status().checkpoint_size == kept + 1
        owner.close()
        print("done")
        """,
    )
    assert printed == "done\n"


def test_progress_survives_the_owner(root: Path) -> None:
    """Killed between two commits, the next owner finds the record as far as it was said."""
    with owner_process(root) as process:
        from ledger.memory.socket_sink import SocketSink

        sink = SocketSink(root, patience_s=0.0)
        growing = GrowingFile.begin(sink)
        for _ in range(5):
            growing.write(b"a" * 100_000)
        process.kill()
        process.wait()
        sink.close()
    with MemoryOwner.open(root) as owner:
        (found,) = OwnerSink(owner).interrupted()
        assert [mark.length for mark in found.marks] == [n * 100_000 for n in range(1, 6)]
        again = GrowingContent(found.record.salt_key)
        again.update(b"a" * 500_000)
        assert again.mark() == found.marks[-1]
