"""The whole product once: a robot drives, its memory is committed, proved, and audited.

Run it by ``script/demo``, which sets everything up. Every command that is shown is run
as shown, by the installed ``quipu``; the stranger's check is a separate program that was
written from docs/format.md and shares no code with the package.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ros_ws" / "src" / "quipu_sim"))

from quipu_sim.episode import EpisodeSummary, run_episode  # noqa: E402

from ledger.experience.disclosure import parse_disclosure  # noqa: E402
from ledger.home import open_home  # noqa: E402

VERIFY_CLAIM = ROOT / "tests" / "independent" / "verify_claim.py"
SECONDS = 15.0
EPISODES = 3
CHUNK = 262_144

console = Console(highlight=False)


class DemoError(Exception):
    """A step did not go as it must."""


@dataclass
class Story:
    """The folder where the demo plays, and what came out of it."""

    folder: Path
    facts: list[tuple[str, str]] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "robot"

    @property
    def bags(self) -> list[Path]:
        return [self.folder / f"drive-{number}" for number in range(1, EPISODES + 1)]

    def environment(self) -> dict[str, str]:
        """Nothing of the user's own homes is touched."""
        return {
            **os.environ,
            "QUIPU_HOME": str(self.home),
            "QUIPU_PUBLISHED": str(self.folder / "published"),
        }

    def fact(self, what: str, value: str) -> None:
        self.facts.append((what, value))


def chapter(number: int, title: str) -> None:
    console.print()
    console.rule(f"[bold]{number}. {title}[/]", align="left", style="dim")


def run(
    story: Story, arguments: Sequence[str], *, where: Path | None = None, expect: int = 0
) -> str:
    """Show a command, run it, show what it says, and hold it to its exit status."""
    shown = " ".join(shlex.quote(Path(a).name if a == str(VERIFY_CLAIM) else a) for a in arguments)
    console.print(f"[bold cyan]$[/] {escape(shown)}", soft_wrap=True)
    program = [str(Path(sys.executable).parent / "quipu"), *arguments[1:]]
    if arguments[0] != "quipu":
        program = [sys.executable, *arguments[1:]]
    done = subprocess.run(
        program,
        cwd=where or story.folder,
        env=story.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    for line in (done.stdout + done.stderr).rstrip().splitlines():
        console.print(f"  {escape(line)}", style="dim", soft_wrap=True)
    if done.returncode != expect:
        raise DemoError(f"`{shown}` ended with {done.returncode}, {expect} was expected")
    return done.stdout


def ask(story: Story, *arguments: str, expect: int = 0) -> dict[str, Any]:
    """The same, quietly and as JSON."""
    program = str(Path(sys.executable).parent / "quipu")
    done = subprocess.run(
        [program, *arguments, "--json"],
        cwd=story.folder,
        env=story.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != expect:
        raise DemoError(f"`quipu {' '.join(arguments)}` said: {done.stdout}{done.stderr}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def drive(story: Story, seconds: float) -> None:
    chapter(1, "A robot drives, and records what it senses")
    columns = (TextColumn("driving"), BarColumn(), TimeRemainingColumn())
    started = time.perf_counter()
    episodes: list[EpisodeSummary] = []
    with Progress(*columns, console=console, transient=True) as shown:
        for seed, bag in enumerate(story.bags, 1):
            task = shown.add_task("", total=seconds)
            episodes.append(
                run_episode(
                    bag,
                    seconds=seconds,
                    seed=seed,
                    start_ns=time.time_ns(),
                    progress=lambda done, task=task: shown.update(task, completed=done),
                )
            )
    took = time.perf_counter() - started
    rows = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("episode", "metres", "goals", "collisions", "reward", "messages"):
        rows.add_column(column, justify="left" if column == "episode" else "right")
    for summary in episodes:
        rows.add_row(
            summary.bag.name,
            f"{summary.distance:.1f}",
            str(summary.goals_reached),
            str(summary.collisions),
            f"{summary.reward:.1f}",
            f"{sum(summary.messages.values()):,}",
        )
    console.print(rows)
    console.print(f"[dim]MuJoCo, headless: {EPISODES} x {seconds:.0f} s in {took:.1f} s[/]")
    count = sum(sum(summary.messages.values()) for summary in episodes)
    topics = len(episodes[0].messages)
    size = sum(map(_size, story.bags)) / 1e6
    story.fact("recorded", f"{count:,} messages of {topics} topics, {size:.1f} MB of rosbag2")


def commit(story: Story) -> str:
    chapter(2, "The recording is tied into the robot's own ledger")
    run(story, ["quipu", "init", "--origin", "example.com/fleet/robot-1"])
    run(story, ["quipu", "ingest", *(bag.name for bag in story.bags)])
    run(story, ["quipu", "checkpoint", "-o", "checkpoint.txt"])
    vkey = str(ask(story, "key", "show")["active"][0])
    run(story, ["quipu", "prove", "1", "--recording", "-o", "claim.tlog-proof"])
    story.fact("committed", f"{EPISODES} signed entries under a signed checkpoint")
    return vkey


def convince(story: Story, vkey: str) -> None:
    chapter(3, "A stranger checks the claim, with another program")
    elsewhere = story.folder / "stranger"
    elsewhere.mkdir()
    for name in ("claim.tlog-proof", "drive-2"):
        subprocess.run(["cp", "-r", str(story.folder / name), str(elsewhere)], check=True)
    claim = [str(VERIFY_CLAIM), "claim.tlog-proof", vkey, "--recording"]
    run(story, ["python", *claim, "drive-2"], where=elsewhere)
    story.fact("convinced", "a program that shares no code with quipu, offline")
    storage = next(elsewhere.glob("drive-2/*.mcap"))
    _flip(storage, storage.stat().st_size // 3)
    console.print("[dim]... and once more, with one bit of the stranger's copy flipped:[/]")
    run(story, ["python", *claim, "drive-2"], where=elsewhere, expect=1)


def tamper(story: Story) -> None:
    chapter(4, "Somebody alters one byte of the recording, and one of the ledger")
    run(story, ["quipu", "audit", "--deep"])
    stored = next((story.home / "content").rglob("drive-2_0.mcap"))
    position = stored.stat().st_size // 2
    _flip(stored, position)
    database = story.home / "log" / "data.mdb"
    place = _alter_entry(story, database)
    console.print(
        f"[yellow]flipped[/] byte {position} of {stored.name} and byte {place} of {database.name}"
    )
    run(story, ["quipu", "audit", "--deep"], expect=1)
    report = ask(story, "audit", "--deep", expect=1)
    if report["ok"]:
        raise DemoError("the audit found nothing")
    _require_named(report, stored, position)
    story.fact("found", f"the altered chunk of {stored.name}, and entry 1 of the ledger, by name")


def _require_named(report: dict[str, Any], stored: Path, position: int) -> None:
    """Both bytes are named: the file with a range around the byte, and the entry."""
    findings = report["findings"]
    in_file = [
        finding
        for finding in findings
        if finding.get("file") == str(stored)
        and finding["bytes"][0] <= position < finding["bytes"][1] <= finding["bytes"][0] + CHUNK
    ]
    in_entry = [f for f in findings if f["kind"] == "entry-changed" and f["entry"] == 1]
    if not in_file or not in_entry:
        raise DemoError(f"the audit did not name both bytes: {findings}")


def _alter_entry(story: Story, database: Path) -> int:
    """Flip the last bit of entry 1 in the database; where it was.

    Writing on, LMDB leaves old copies of its pages behind: only in one of the places
    where the entry's bytes lie are they the entry that is read.
    """
    line = (story.folder / "claim.tlog-proof").read_text().splitlines()[1]
    entry = parse_disclosure(base64.b64decode(line.removeprefix("extra "))).entry
    data = database.read_bytes()
    found = data.find(entry)
    while found >= 0:
        place = found + len(entry) - 1
        _flip(database, place)
        with open_home(story.home) as home:
            if home.log.entry(1) != entry:
                return place
        _flip(database, place)
        found = data.find(entry, found + 1)
    raise DemoError("entry 1 is not in the database")


def _flip(path: Path, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def conclude(story: Story, took: float, kept: bool) -> None:
    rows = Table.grid(padding=(0, 2))
    for what, value in story.facts:
        rows.add_row(f"[bold green]{what}[/]", value)
    rows.add_row("[dim]took[/]", f"[dim]{took:.0f} s[/]")
    if kept:
        rows.add_row("[dim]kept in[/]", f"[dim]{story.folder}[/]")
    console.print()
    console.print(Panel(rows, title="one memory, tied into a ledger", expand=False, padding=(1, 2)))
    console.print("[dim]Your own recording: .venv/bin/quipu init && .venv/bin/quipu ingest BAG[/]")


def main() -> int:
    parser = argparse.ArgumentParser(description="The whole product once.")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="play here, and leave it all")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long each drive is")
    arguments = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="quipu-demo-") as temporary:
        story = Story((arguments.keep or Path(temporary)).resolve())
        story.folder.mkdir(parents=True, exist_ok=True)
        try:
            drive(story, arguments.seconds)
            vkey = commit(story)
            convince(story, vkey)
            tamper(story)
        except (DemoError, OSError) as error:
            console.print(f"[bold red]demo:[/] {escape(str(error))}", soft_wrap=True)
            return 1
        conclude(story, time.perf_counter() - started, kept=bool(arguments.keep))
    return 0


if __name__ == "__main__":
    sys.exit(main())
