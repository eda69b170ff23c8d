"""The whole product once: robots drive; their memory is committed, witnessed, anchored, proved.

Run it by ``script/demo``, which sets everything up. Every command that is shown is run
as shown, by the installed ``quipu``; the stranger's check is a separate program that was
written from docs/format.md and shares no code with the package. Without ROS 2 one robot
drives alone, and the rest of the story is the same.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ros_ws" / "src" / "quipu_sim"))

import story_chain  # noqa: E402
import story_ledger  # noqa: E402
from rich.markup import escape  # noqa: E402
from rich.panel import Panel  # noqa: E402
from rich.table import Table  # noqa: E402
from story import DemoError, Story, console, say  # noqa: E402

SECONDS = 15.0


def play(story: Story, seconds: float) -> None:
    """Tell the story with a fleet where ROS 2 is there, else with one robot."""
    missing = os.environ.get("QUIPU_ROS_MISSING")
    if missing or find_spec("rclpy") is None:
        reason = missing or "rclpy is not installed"
        say(f"[yellow]Without ROS 2 one robot plays alone: {escape(reason)}[/]")
        memory = story_ledger.drive_and_commit(story, seconds)
        settlement = story_chain.settle_alone(story, memory.home, story_ledger.ORIGIN)
        story_chain.pay_by_the_piece(story, settlement, "robot-1", "robot-2")
        story_chain.audit_chain(story, settlement, [memory.home])
    else:
        memory = _play_fleet(story)
    story_ledger.convince(story, memory)
    story_ledger.tamper(story, memory)


def _play_fleet(story: Story) -> story_ledger.Memory:
    import story_fleet

    # A domain of our own and the next one: nobody else's robots are in this story.
    yard = story_fleet.Yard(story, domain=30 + 2 * (os.getpid() % 35))
    try:
        story_fleet.record_and_witness(story, yard)
        story_fleet.kill_and_return(story, yard)
        copied = story_fleet.cut_off_and_heal(story, yard)
        story_fleet.catch_a_fork(story, yard, copied)
        origins = [f"example.com/yard/{robot}" for robot in story_fleet.ROBOTS]
        story_chain.show_anchors(story, yard.settlement, origins, thief=origins[0])
        story_chain.pay_by_the_piece(story, yard.settlement, "r2", "r3")
        memory = story_fleet.audit_and_open(story, yard)
        homes = [yard.home(robot) for robot in story_fleet.ROBOTS]
        story_chain.audit_chain(story, yard.settlement, homes)
        return memory
    finally:
        story.ask("fleet", "down", "yard.yaml", expect=None)


def conclude(story: Story, took: float, kept: bool) -> None:
    rows = Table.grid(padding=(0, 2))
    for what, value in story.facts:
        rows.add_row(f"[bold green]{what}[/]", value)
    rows.add_row("[dim]took[/]", f"[dim]{took:.0f} s[/]")
    if kept:
        rows.add_row("[dim]kept in[/]", f"[dim]{story.folder}[/]")
    console.print()
    console.print(Panel(rows, title="memories, tied into ledgers", expand=False, padding=(1, 2)))
    console.print("[dim]Your own robot: docs/robot.md. Your own recording: quipu ingest BAG[/]")


def main() -> int:
    parser = argparse.ArgumentParser(description="The whole product once.")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="play here, and leave it all")
    parser.add_argument(
        "--seconds", type=float, default=SECONDS, help="how long a drive is, without ROS 2"
    )
    arguments = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="quipu-demo-") as temporary:
        story = Story((arguments.keep or Path(temporary)).resolve())
        story.folder.mkdir(parents=True, exist_ok=True)
        try:
            play(story, arguments.seconds)
        except (DemoError, OSError) as error:
            console.print(f"[bold red]demo:[/] {escape(str(error))}", soft_wrap=True)
            return 1
        conclude(story, time.perf_counter() - started, kept=bool(arguments.keep))
    return 0


if __name__ == "__main__":
    sys.exit(main())
