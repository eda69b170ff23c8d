"""`quipu watch`: live on a terminal, plain where there is none, once for scripts."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fleet.yard import Yard, without_ros

PATIENCE_S = 60.0


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    made = without_ros(tmp_path, robots=("r1", "r2"))
    made.told("fleet", "init", made.file)
    return made


def test_on_a_terminal_it_is_drawn_until_ctrl_c(yard: Yard) -> None:
    terminal, behind = pty.openpty()
    with subprocess.Popen(
        yard.command("watch", yard.file, "--no-ros", "--interval", "0.2"),
        cwd=yard.folder,
        env={**yard.environment, "TERM": "xterm"},
        stdin=behind,
        stdout=behind,
        stderr=behind,
        start_new_session=True,
    ) as watching:
        os.close(behind)
        shown = b""
        deadline = time.monotonic() + PATIENCE_S
        try:
            while shown.count(b"Ctrl-C ends the view") < 3:
                assert time.monotonic() < deadline, shown
                shown += os.read(terminal, 4096)
            watching.send_signal(signal.SIGINT)
            assert watching.wait(timeout=PATIENCE_S) == 0
        finally:
            watching.kill()
            os.close(terminal)
    for word in (b"example.com/yard", b"entries", b"r1", b"r2"):
        assert word in shown
    assert shown.startswith(b"\x1b[?1049h")  # a screen of its own, given back at the end


def test_without_a_terminal_every_look_is_a_plain_table(yard: Yard) -> None:
    with subprocess.Popen(
        yard.command("watch", yard.file, "--no-ros", "--interval", "0.1"),
        cwd=yard.folder,
        env=yard.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        lines = []
        while lines.count("") < 2:
            lines.append(watching.stdout.readline().rstrip())
        watching.send_signal(signal.SIGINT)
        _, err = watching.communicate(timeout=PATIENCE_S)
    assert watching.returncode == 0
    assert err == ""
    first, *rest = lines
    assert first.split() == ["robot", "health", "process", "entries", "signed", "ago", "witnesses"]
    assert rest[0].split()[:2] == ["r1", "good"]
    assert not any("\x1b" in line for line in lines)


def test_whoever_stops_reading_ends_it(yard: Yard) -> None:
    with subprocess.Popen(
        yard.command("watch", yard.file, "--no-ros", "--interval", "0.1"),
        cwd=yard.folder,
        env=yard.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as watching:
        assert watching.stdout is not None
        assert watching.stderr is not None
        watching.stdout.readline()
        watching.stdout.close()
        err = watching.stderr.read()
        assert watching.wait(timeout=PATIENCE_S) == 0, err
    assert err == ""


@pytest.mark.parametrize(
    ("loading", "noted"),
    [
        ("raise ImportError('no ROS')", "no ros here"),
        ("raise LedgerError('the domain is full')", "ros: the domain is full"),
        ("raise RuntimeError('[broken]')", "ros: RuntimeError: [broken]"),
    ],
)
def test_an_observer_that_cannot_look_is_noted_not_fatal(
    yard: Yard, loading: str, noted: str
) -> None:
    script = f"""
import sys
import ledger.cli.watch as watch
from ledger.cli.main import main
from ledger.errors import LedgerError

class Entry:
    name = "ros"
    def load(self):
        {loading}

watch.entry_points = lambda group: [Entry()]
sys.argv = ["quipu", "watch", "fleet.yaml", "--once"]
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=yard.folder,
        env=yard.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert noted in done.stderr
    assert "r2" in done.stdout
