"""The whole product once, by ``script/demo``, which sets everything up.

Two fleets, five robots: they record and commit, one offers, another buys without a name, some
cheat, a patient thinks better of it, a policy gets better, and an audit finds every book whole.

``script/demo --robots`` tells of three robots of one fleet: one is killed, one is cut off, one is
copied by a thief; a stranger checks a memory by a program that shares no code with the package.

Every command that is shown is run as shown, by the installed ``quipu``. Without ROS 2 both
stories are told in processes of their own instead of nodes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "ros_ws" / "src" / "quipu_sim"))

import story_books  # noqa: E402
import story_chain  # noqa: E402
import story_cheats  # noqa: E402
import story_learning  # noqa: E402
import story_ledger  # noqa: E402
import story_market  # noqa: E402
import story_patient  # noqa: E402
import story_purchase  # noqa: E402
import story_world  # noqa: E402
from rich.markup import escape  # noqa: E402
from rich.panel import Panel  # noqa: E402
from rich.table import Table  # noqa: E402
from story import DemoError, Story, console, say  # noqa: E402

from ledger.errors import LedgerError  # noqa: E402

SECONDS = 15.0


def share(story: Story) -> Path:
    """Two fleets that share what their robots have lived through; the report of the audit."""
    missing = _missing_ros()
    if missing:
        say(f"[yellow]Without ROS 2, in processes of its own: {escape(missing)}[/]")
    world = story_world.World(story, with_ros=not missing, domain=_own_domain())
    try:
        story_world.found(world)
        story_world.record(world)
        market = story_market.offer(world)
        story_market.refuse_the_novice(market)
        story_purchase.buy_and_be_killed(market)
        story_purchase.refuse_a_second_use(market)
        cheats = story_cheats.offer_more(market)
        story_cheats.stop_paying(cheats)
        story_cheats.sell_spoilt(cheats)
        story_patient.withdraw(story_patient.agree(market))
        story_learning.learn(market)
        story_books.balance(world)
        return story_books.audit(world)
    finally:
        world.down()
        story.close()


def _missing_ros() -> str:
    """Why there is no ROS 2; empty where there is."""
    missing = os.environ.get("QUIPU_ROS_MISSING", "")
    return missing or ("" if find_spec("rclpy") else "rclpy is not installed")


def _own_domain() -> int:
    """A ROS domain of our own, as is the next one: nobody else's robots are in this story."""
    return 30 + 2 * (os.getpid() % 35)


def play(story: Story, seconds: float) -> None:
    """Tell of the robots: of a fleet where ROS 2 is there, else of one robot."""
    missing = _missing_ros()
    if missing:
        say(f"[yellow]Without ROS 2 one robot plays alone: {escape(missing)}[/]")
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

    yard = story_fleet.Yard(story, domain=_own_domain())
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
    parser.add_argument("--robots", action="store_true", help="tell of the robots of one fleet")
    parser.add_argument(
        "--seconds",
        type=float,
        default=SECONDS,
        help="with --robots and without ROS 2: how long a drive is",
    )
    arguments = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="quipu-demo-") as temporary:
        story = Story((arguments.keep or Path(temporary)).resolve())
        story.folder.mkdir(parents=True, exist_ok=True)
        try:
            report = None
            if arguments.robots:
                play(story, arguments.seconds)
            else:
                report = share(story)
            if report and not arguments.keep:
                report = shutil.copy(report, Path(tempfile.gettempdir()) / "quipu-demo.html")
        except (DemoError, LedgerError, OSError) as error:
            console.print(f"[bold red]demo:[/] {escape(str(error))}", soft_wrap=True)
            return 1
        conclude(story, time.perf_counter() - started, kept=bool(arguments.keep))
        if report:
            console.print(f"The audit, for people: [bold]{report}[/]", soft_wrap=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
