"""The chapters about one robot's memory: committed, proved to a stranger, and tampered with."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quipu_sim.episode import EpisodeSummary, run_episode
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from story import VERIFY_CLAIM, DemoError, Story, console, say

from ledger.experience.disclosure import parse_disclosure
from ledger.home import open_home

ORIGIN = "example.com/fleet/robot-1"
EPISODES = 3
CHUNK = 262_144


@dataclass(frozen=True)
class Memory:
    """A robot's home, and one of its entries: a rosbag2 folder called ``name``."""

    home: Path
    index: int
    name: str


def drive_and_commit(story: Story, seconds: float) -> Memory:
    """Without ROS: a simulated robot writes its own bags, and they are ingested."""
    story.chapter("A robot drives, and records what it senses")
    bags = [story.folder / f"drive-{number}" for number in range(1, EPISODES + 1)]
    columns = (TextColumn("driving"), BarColumn(), TimeRemainingColumn())
    started = time.perf_counter()
    episodes: list[EpisodeSummary] = []
    with Progress(*columns, console=console, transient=True) as shown:
        for seed, bag in enumerate(bags, 1):
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
    _show_episodes(episodes, time.perf_counter() - started)
    count = sum(sum(summary.messages.values()) for summary in episodes)
    size = sum(map(_size, bags)) / 1e6
    story.fact("recorded", f"{count:,} messages, {size:.1f} MB of rosbag2")

    story.chapter("The recording is tied into the robot's own ledger")
    story.run("quipu", "init", "--origin", ORIGIN)
    story.run("quipu", "ingest", *(bag.name for bag in bags))
    story.run("quipu", "checkpoint", "-o", "checkpoint.txt")
    story.fact("committed", f"{EPISODES} signed entries under a signed checkpoint")
    return Memory(story.folder / "robot", 1, "drive-2")


def convince(story: Story, memory: Memory) -> None:
    """Prove an entry, and have it checked by a program that shares no code with ours."""
    story.chapter("A stranger checks one of these memories, with another program")
    home = ("--home", str(memory.home))
    story.run("quipu", *home, "get", "--segment", str(memory.index), f"stranger/{memory.name}")
    vkey = str(story.ask(*home, "key", "show")["active"][0])
    story.run(
        *("quipu", *home, "prove", str(memory.index), "--recording"),
        *("-o", "stranger/claim.tlog-proof"),
    )
    elsewhere = story.folder / "stranger"
    claim = [str(VERIFY_CLAIM), "claim.tlog-proof", vkey, "--recording", memory.name]
    story.run("python", *claim, where=elsewhere)
    story.fact("convinced", "a program that shares no code with quipu, offline")
    storage = next(elsewhere.glob(f"{memory.name}/*.mcap"))
    _flip(storage, storage.stat().st_size // 3)
    say("... and once more, with one bit of the stranger's copy flipped:")
    story.run("python", *claim, where=elsewhere, expect=1)


def tamper(story: Story, memory: Memory) -> None:
    """Alter one byte of a recording and one of the ledger; the audit names both."""
    story.chapter("Somebody alters one byte of the recording, and one of the ledger")
    audit = ("--home", str(memory.home), "audit", "--deep")
    story.run("quipu", *audit)
    stored = next((memory.home / "content").rglob(f"{memory.name}_0.mcap"))
    position = stored.stat().st_size // 2
    _flip(stored, position)
    database = memory.home / "log" / "data.mdb"
    place = _alter_entry(story, memory, database)
    console.print(
        f"[yellow]flipped[/] byte {position} of {stored.name} and byte {place} of {database.name}"
    )
    story.run("quipu", *audit, expect=1)
    report = story.ask(*audit, expect=1)
    if report["ok"]:
        raise DemoError("the audit found nothing")
    _require_named(report, memory, stored, position)
    story.fact(
        "found",
        f"the altered chunk of {stored.name}, and entry {memory.index} of the ledger, by name",
    )


def _show_episodes(episodes: list[EpisodeSummary], took: float) -> None:
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
    console.print(f"[dim]MuJoCo, headless, in {took:.1f} s[/]")


def _require_named(report: dict[str, Any], memory: Memory, stored: Path, position: int) -> None:
    """Both bytes are named: the file with a range around the byte, and the entry."""
    findings = report["findings"]
    in_file = [
        finding
        for finding in findings
        if finding.get("file") == str(stored)
        and finding["bytes"][0] <= position < finding["bytes"][1] <= finding["bytes"][0] + CHUNK
    ]
    in_entry = [
        finding
        for finding in findings
        if finding["kind"] == "entry-changed" and finding["entry"] == memory.index
    ]
    if not in_file or not in_entry:
        raise DemoError(f"the audit did not name both bytes: {findings}")


def _alter_entry(story: Story, memory: Memory, database: Path) -> int:
    """Flip the last bit of the memory's entry in the database; where it was.

    Writing on, LMDB leaves old copies of its pages behind: only in one of the places
    where the entry's bytes lie are they the entry that is read.
    """
    line = (story.folder / "stranger" / "claim.tlog-proof").read_text().splitlines()[1]
    entry = parse_disclosure(base64.b64decode(line.removeprefix("extra "))).entry
    data = database.read_bytes()
    found = data.find(entry)
    while found >= 0:
        place = found + len(entry) - 1
        _flip(database, place)
        with open_home(memory.home) as home:
            if home.log.entry(memory.index) != entry:
                return place
        _flip(database, place)
        found = data.find(entry, found + 1)
    raise DemoError(f"entry {memory.index} is not in the database")


def _flip(path: Path, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 1]))


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
