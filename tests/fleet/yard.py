"""A fleet to try: its file, its folder, and ``quipu`` in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger.cli.fleet_view import show_board
from ledger.fleet.board import Board
from ledger.fleet.config import read_fleet
from ledger.fleet.home_observer import HomeObserver
from ledger.fleet.state import FleetState
from ledger.home import open_home

REPOSITORY = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
PATIENCE_S = 60.0

FAKE_NODES = HERE / "fake_nodes"
"""Robots without ROS, which commit all the same."""

FAKE_ROS = HERE / "fake_ros"
"""An empty ``rclpy``."""


@dataclass(frozen=True)
class Said:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found


@dataclass
class Yard:
    """A fleet file in a folder of its own, beside the fleet's directory."""

    folder: Path
    robots: tuple[str, ...] = ("r1", "r2", "r3")
    more: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = "".join(f"  - name: {name}\n" for name in self.robots)
        self.file.write_text(
            f"fleet: example.com/yard\ndirectory: {self.directory}\n{self.more}robots:\n{rows}",
            encoding="utf-8",
        )

    @property
    def file(self) -> Path:
        return self.folder / "fleet.yaml"

    @property
    def directory(self) -> Path:
        return self.folder / "made"

    def home(self, robot: str) -> Path:
        return self.directory / "homes" / robot

    @property
    def environment(self) -> dict[str, str]:
        environment = {
            **os.environ,
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),  # what is killed leaves its temporary folders
            "QUIPU_PUBLISHED": str(self.folder / "published"),
            "NO_COLOR": "1",
            "COLUMNS": "100",
            **self.extra,
        }
        behind = os.environ.get("PYTHONPATH", "")
        paths = [self.extra.get("PYTHONPATH", ""), str(REPOSITORY), behind]
        environment["PYTHONPATH"] = os.pathsep.join(path for path in paths if path)
        return environment

    def command(self, *words: object) -> list[str]:
        return [sys.executable, "-m", "ledger.cli.main", *map(str, words)]

    def run(self, *words: object) -> Said:
        """Run ``quipu``."""
        done = subprocess.run(
            self.command(*words),
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return Said(done.returncode, done.stdout, done.stderr)

    def told(self, *words: object, code: int = 0) -> dict[str, Any]:
        """Run ``quipu ... --json``, which must end with ``code``; its object."""
        said = self.run(*words, "--json")
        assert said.code == code, said
        return said.object

    def entries(self, robot: str) -> int:
        """How many entries a robot's log has, read from its home."""
        with open_home(self.home(robot)) as home:
            return home.log.size

    def watch(self) -> dict[str, dict[str, Any]]:
        """What `quipu watch --json --no-ros` tells of each robot, without a process for it."""
        board = Board(read_fleet(self.file))
        board.take(HomeObserver(board.fleet).look())
        board.take_state(FleetState.read(board.fleet.paths.state))
        return {row["name"]: row for row in show_board(board).data}

    def pids(self) -> dict[str, int]:
        """The processes that have pid files."""
        found = {}
        for path in (self.directory / "run").glob("*.pid"):
            try:
                found[path.stem] = int(path.read_text().split()[0])
            except (FileNotFoundError, IndexError):
                continue  # it ended just now
        return found

    def is_whole(self, robot: str) -> dict[str, Any]:
        """The report of a deep audit of a robot's home, which must find nothing."""
        report = self.told("--home", self.home(robot), "audit", "--deep")
        assert report["ok"] is True, report
        return report


def without_ros(folder: Path, **how: Any) -> Yard:
    """A yard whose robots need no ROS."""
    paths = os.pathsep.join([str(FAKE_NODES), str(FAKE_ROS)])
    return Yard(folder, extra={"PYTHONPATH": paths}, **how)


def until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for ``condition``; `AssertionError` with ``what`` when it does not come."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"no {what} after {patience_s} s"
        time.sleep(0.1)


def runs(pid: int) -> bool:
    """Whether a process runs, zombies left out."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}
