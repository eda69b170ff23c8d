"""``quipu follow`` killed at random while a recorder writes: nothing acknowledged is lost.

Real processes: a recorder that writes split bags, and a follower that is killed and
started again until the recorder is done. Then every file is sealed exactly once, each
as it lies there, and every line that said a commit was durable is borne out by the log.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mcap.writer import MCAP0_MAGIC

from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience, Progress
from ledger.fsck import AuditRequest, Depth, audit_home
from ledger.home import create_home, open_home
from ledger.memory.control_server import owned_home

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0
KILLS = 4
SAID = re.compile(r"committed .* of .*, entry (\d+)|sealed .*: entry (\d+),")


class Scene:
    """A home, a folder of bags, and processes of ours."""

    def __init__(self, folder: Path) -> None:
        self.home, self.bags = folder / "home", folder / "bags"
        self.published = folder / "published"
        self.said = folder / "said"
        self.bags.mkdir()
        self.said.touch()
        create_home(self.home, "example.com/followed")

    def start(self, *arguments: object) -> subprocess.Popen[bytes]:
        with self.said.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1", "COLUMNS": "200"},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def follow(self, *more: str) -> subprocess.Popen[bytes]:
        return self.start(
            "-m", "ledger.cli.main", "follow", self.bags, "--home", self.home,
            "--every", "0.05", "--verbose", *more,
        )  # fmt: skip

    def lines(self) -> list[str]:
        """What was said, whole lines only: a killed process may leave a part of one."""
        return self.said.read_text(errors="replace").split("\n")[:-1]

    def acknowledged(self) -> set[int]:
        found = (SAID.fullmatch(line) or SAID.match(line) for line in self.lines())
        return {int(match[1] or match[2]) for match in found if match}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    return Scene(tmp_path)


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Whatever happens, the process is gone afterwards."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE_S)


def check(scene: Scene) -> None:
    """Every file once, as it lies there; every word borne out; the audit finds nothing."""
    files = {path for path in scene.bags.rglob("*") if path.is_file()}
    with open_home(scene.home) as home:
        kinds = [parse_entry(entry).kind for entry in home.log.entries()]
        sealed = Counter(kind.name for kind in kinds if isinstance(kind, Experience))
        assert sealed == Counter(f"{path.parent.name}/{path.name}" for path in files)
        sizes = {kind.name: kind.content_size for kind in kinds if isinstance(kind, Experience)}
        assert sizes == {f"{path.parent.name}/{path.name}": path.stat().st_size for path in files}
        experiences = {kind.record_id for kind in kinds if isinstance(kind, Experience)}
        assert {k.record_id for k in kinds if isinstance(k, Progress)} <= experiences
        said = scene.acknowledged()
        assert said
        assert max(said) < len(kinds)
    assert not any("ALARM" in line or "Traceback" in line for line in scene.lines())
    report = audit_home(AuditRequest(scene.home, scene.published, Depth.DEEP))
    assert report.ok, report.findings
    assert report.notes == ()


@pytest.mark.slow
def test_a_follower_killed_again_and_again(scene: Scene) -> None:
    chance = random.Random(7)
    with ended(scene.start("-m", "tests.fault.bag_writer", scene.bags, 99, 6)) as recorder:
        for _ in range(KILLS):
            said = len(scene.lines())
            with ended(scene.follow()) as follower:
                deadline = time.monotonic() + PATIENCE_S
                while len(scene.lines()) <= said:  # it has begun
                    assert time.monotonic() < deadline
                    time.sleep(0.01)
                time.sleep(chance.uniform(0.0, 0.6))
                follower.send_signal(signal.SIGKILL)
        assert recorder.poll() is None
        recorder.terminate()
        assert recorder.wait(PATIENCE_S) == 0
    with ended(scene.follow("--once")) as last:
        assert last.wait(PATIENCE_S) == 0
    check(scene)


def stopped_within_a_file(recorder: subprocess.Popen[bytes], bags: Path) -> bool:
    """Stop the recorder; let it go on where it has just ended a file, or not begun one."""
    recorder.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, recorder.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    newest = max(bags.rglob("*.mcap"), key=lambda path: path.stat().st_mtime_ns)
    written = newest.read_bytes()
    if written.startswith(MCAP0_MAGIC) and not written.endswith(MCAP0_MAGIC):
        return True
    recorder.send_signal(signal.SIGCONT)
    return False


@pytest.mark.slow
def test_a_recorder_killed_while_it_is_followed(scene: Scene) -> None:
    with ended(scene.follow()) as follower:
        with ended(scene.start("-m", "tests.fault.bag_writer", scene.bags, 9, 9)) as recorder:
            deadline = time.monotonic() + PATIENCE_S
            while len(scene.acknowledged()) < 10:
                assert time.monotonic() < deadline, scene.lines()
                time.sleep(0.05)
            while not stopped_within_a_file(recorder, scene.bags):
                assert time.monotonic() < deadline, scene.lines()
                time.sleep(0.01)
            recorder.kill()
        while not any("unfinished: " in line for line in scene.lines()):
            assert time.monotonic() < deadline, scene.lines()
            time.sleep(0.05)
        follower.send_signal(signal.SIGTERM)
        assert follower.wait(PATIENCE_S) == 0
    with ended(scene.follow("--once")) as last:
        assert last.wait(PATIENCE_S) == 0
    check(scene)


def test_beside_the_process_that_owns_the_home(scene: Scene) -> None:
    """Through its socket; and commands may borrow the home meanwhile."""
    with owned_home(scene.home), ended(scene.follow()) as follower:
        with ended(scene.start("-m", "tests.fault.bag_writer", scene.bags, 1, 2)) as recorder:
            deadline = time.monotonic() + PATIENCE_S
            while len(scene.acknowledged()) < 2:
                assert time.monotonic() < deadline, scene.lines()
                time.sleep(0.05)
            with ended(
                scene.start("-m", "ledger.cli.main", "checkpoint", "--home", scene.home)
            ) as command:
                assert command.wait(PATIENCE_S) == 0
            assert recorder.wait(PATIENCE_S) == 0
        while sum("sealed bag_0/" in line for line in scene.lines()) < 3:
            assert time.monotonic() < deadline, scene.lines()
            time.sleep(0.05)
        follower.send_signal(signal.SIGINT)
        assert follower.wait(PATIENCE_S) == 0
    check(scene)
