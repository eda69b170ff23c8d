"""A slice of ``script/crash-test``, and proof that it would notice."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import lmdb
import pytest

from ledger.storage import Table
from tests.fault.crash_test import Acknowledged, CrashTest, Home, Result
from tests.fault.crash_writer import log_directory, open_log, published_in, write_log
from tests.fault.log_checker import check_log
from tests.fault.syscall_killer import (
    CHANGING_CALLS,
    SYNC_CALLS,
    TraceError,
    kill_at_call,
)

ROOT = Path(__file__).resolve().parents[2]

# Python 3.12 warns of forks beside threads; other tests may have left some waiting.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


@pytest.mark.slow
def test_nothing_acknowledged_is_lost() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.fault.crash_test", "--json", "--seconds", "15"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    result = json.loads(ran.stdout)
    assert ran.returncode == 0, result
    assert (result["lost"], result["torn"], result["corrupt"], result["refused"]) == (0, 0, 0, 0)
    assert result["kills"] >= 10
    assert result["kills_by"]["random"] and result["kills_by"]["limit"]
    if "call" not in result["kills_by"]:
        pytest.skip(f"SKIPPED IN PART, no deaths at chosen calls: {result['notes']}")


def test_the_script_runs() -> None:
    ran = subprocess.run(
        [ROOT / "script" / "crash-test", "--rounds", "0", "--json"],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(ran.stdout)["rounds"] == 0, ran.stderr


def written_home(directory: Path) -> tuple[Path, bytes]:
    """A home of a finished writer, and what the writer said."""
    reader, writer = os.pipe()
    write_log(directory, 7, 5, writer)
    os.close(writer)
    with os.fdopen(reader, "rb") as said:
        return directory, said.read()


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    return written_home(tmp_path_factory.mktemp("written"))


def test_the_checker_accepts_a_good_log(written: tuple[Path, bytes]) -> None:
    home, said = written
    checked = check_log(log_directory(home), published_in(home).path)
    acknowledged = Acknowledged()
    acknowledged.take(said, Result())
    assert checked.problems == []
    assert dict(enumerate(leaf.hex() for leaf in checked.leaf_hashes)) == acknowledged.leaf_hashes
    assert sorted(checked.checkpoints) == sorted(acknowledged.checkpoints) != []


@pytest.mark.parametrize("table", [Table.ENTRIES, Table.TILES, Table.CHECKPOINTS])
@pytest.mark.parametrize("change", ["flip", "remove"])
def test_the_checker_notices_a_change(
    written: tuple[Path, bytes], tmp_path: Path, table: Table, change: str
) -> None:
    home = tmp_path / "home"
    shutil.copytree(written[0], home)
    with lmdb.open(str(log_directory(home)), max_dbs=16) as env:
        database = env.open_db(table.value, create=False)
        with env.begin(write=True, db=database) as txn:
            key, value = next((key, value) for key, value in reversed(list(txn.cursor())) if value)
            if change == "remove":
                txn.delete(key)
            else:
                txn.put(key, value[:20] + bytes([value[20] ^ 1]) + value[21:])
    assert check_log(log_directory(home), published_in(home).path).problems


@pytest.mark.parametrize(
    ("lie", "what"),
    [
        (b"A 9999 " + b"00" * 32 + b"\n", "lost"),
        (b"A 0 " + b"00" * 32 + b"\n", "lost"),
        (b"C 1 AAAA\n", "lost"),
    ],
)
def test_a_writer_that_lies_is_caught(written: tuple[Path, bytes], lie: bytes, what: str) -> None:
    test = CrashTest(1)
    home = Home()
    try:
        shutil.copytree(written[0], home.path, dirs_exist_ok=True)
        home.acknowledged.take(written[1] + lie, test.result)
        test._examine(home, "a lie")
    finally:
        home.remove()
        test.finish()
    assert getattr(test.result, what) == 1
    assert not test.result.good


def test_a_part_of_a_batch_is_caught(written: tuple[Path, bytes]) -> None:
    test = CrashTest(1)
    home = Home()
    try:
        shutil.copytree(written[0], home.path, dirs_exist_ok=True)
        home.acknowledged.take(written[1], test.result)
        size = len(home.acknowledged.leaf_hashes)
        log = open_log(home.path)
        log.append([b"one of three"])
        log.close()
        home.acknowledged.take(b"B %d 3\n" % size, test.result)
        test._examine(home, "a part")
    finally:
        home.remove()
        test.finish()
    assert (test.result.torn, test.result.lost) == (1, 0)


@pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine")
def test_a_call_is_stopped_before_it_has_an_effect(tmp_path: Path) -> None:
    def work() -> None:
        for index in range(5):
            (tmp_path / str(index)).mkdir()

    try:
        status, seen = kill_at_call(work, 3)
    except TraceError as error:
        pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
    assert os.WIFSIGNALED(status)
    assert seen == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1"]
    assert kill_at_call(lambda: None, 1) == (0, 0)


@pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine")
def test_a_child_holds_no_lock_of_its_parent(tmp_path: Path) -> None:
    """What the parent lets go is free, though a child was made while it had it."""
    path = tmp_path / "lock"
    held = path.open("w")
    fcntl.flock(held, fcntl.LOCK_EX)
    ready, closed = os.pipe(), os.pipe()

    def let_go() -> None:
        os.read(ready[0], 1)
        held.close()
        os.write(closed[1], b"!")

    def work() -> None:
        os.write(ready[1], b"!")
        os.read(closed[0], 1)
        with path.open("w") as own:
            fcntl.flock(own, fcntl.LOCK_EX | fcntl.LOCK_NB)

    parent = threading.Thread(target=let_go)
    parent.start()
    try:
        status, _ = kill_at_call(work, 1 << 40)
    except TraceError as error:
        pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
    finally:
        os.write(ready[1], b"!")
        parent.join()
        for end in (*ready, *closed):
            os.close(end)
    assert status == 0


@pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine")
def test_what_is_acknowledged_was_synced(tmp_path: Path) -> None:
    """A kill cannot show a missing sync, for the page cache outlives it; the calls can."""
    reader, writer = os.pipe()
    calls: list[str] = []

    def watch(pid: int, number: int, fd: int) -> None:
        descriptor = Path(f"/proc/{pid}/fd/{fd}")
        if fd == writer:
            calls.append("say")
        elif descriptor.is_symlink() and descriptor.readlink().name == "data.mdb":
            info = Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
            flags = int(info.split("flags:")[1].split()[0], 8)
            kind = "synced write" if flags & os.O_DSYNC else "write"
            calls.append("sync" if number in SYNC_CALLS else kind)
        elif descriptor.is_symlink() and ".checkpoint" in descriptor.readlink().name:
            calls.append("publish, sync" if number in SYNC_CALLS else "publish")

    try:
        status, _ = kill_at_call(lambda: write_log(tmp_path, 7, 2, writer), 1 << 40, watch)
    except TraceError as error:
        pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
    finally:
        os.close(writer)
        os.close(reader)
    assert status == 0
    said = [at for at, call in enumerate(calls) if call == "say"]
    # B A B A C: begun, appended, begun, appended, checkpoint.
    assert len(said) == 5
    for begun, done in ((said[0], said[1]), (said[2], said[3])):
        between = calls[begun + 1 : done]
        assert between[-2:] == ["sync", "synced write"], between
        assert set(between[:-2]) == {"write"}
    signing = calls[said[3] + 1 : said[4]]
    assert signing[-4:] == ["sync", "synced write", "publish", "publish, sync"], signing
