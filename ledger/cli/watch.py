"""``quipu watch``: the fleet, live in the terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ledger.cli.fleet_view import render_board, show_board
from ledger.cli.main import Invocation, verb
from ledger.cli.ui import escape, printing, stdout
from ledger.errors import LedgerError
from ledger.fleet.board import OBSERVERS_GROUP, Board, Observer
from ledger.fleet.config import read_fleet
from ledger.fleet.home_observer import HomeObserver
from ledger.fleet.model import Fleet
from ledger.fleet.state import FleetState


@verb("watch")
@click.argument(
    "file",
    type=click.Path(path_type=Path, readable=False),
    default=Path("fleet.yaml"),
    required=False,
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, readable=False, file_okay=False),
    help="Where homes, logs and pid files are, in place of what FILE says.",
)
@click.option("--once", is_flag=True, help="Look once, and print what was seen.")
@click.option(
    "--listen",
    type=click.FloatRange(min=0.0, max=60.0),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="With --once: how long to listen to ROS before; up to three times as long while a "
    "robot that runs has not been heard.",
)
@click.option("--no-ros", is_flag=True, help="Look at homes and sockets only.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1, max=3600.0),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
def command(
    invocation: Invocation,
    file: Path,
    directory: Path | None,
    once: bool,
    listen: float,
    no_ros: bool,
    interval: float,
) -> None:
    """Show the fleet live: robots, entries, checkpoints, witnesses, drops, alarms.

    What is durable is read from the robots' homes on this machine; what only the nodes
    know comes over ROS, where it is there. --json implies --once.
    """
    fleet = read_fleet(file, directory)
    once = once or invocation.output.as_json
    with _observers(invocation, fleet, with_ros=not no_ros) as observers:
        board = Board(fleet)
        if once:
            _listen(board, observers, listen if len(observers) > 1 else 0.0)
            _look(board, observers)
            _tell(invocation, board)
            return
        _watch(board, observers, interval)


def _listen(board: Board, observers: list[Observer], seconds: float) -> None:
    """Give robots on the network the time to be discovered and to speak."""
    began = time.monotonic()
    while (waited := time.monotonic() - began) < 3 * seconds:
        _look(board, observers)
        if waited >= seconds and not _unheard(board):
            return
        time.sleep(min(0.25, seconds))


def _unheard(board: Board) -> bool:
    """Whether a robot runs, by what its home says, of which its recorder has told nothing."""
    rows = board.rows(time.time_ns())
    return any(row.facts.memory_pid and row.facts.recorder_state is None for row in rows)


def _look(board: Board, observers: list[Observer]) -> None:
    for observer in observers:
        board.take(observer.look())
    board.take_state(FleetState.read(board.fleet.paths.state))


def _tell(invocation: Invocation, board: Board) -> None:
    view = show_board(board)
    data: dict[str, Any] = {
        "fleet": board.fleet.name,
        "robots": view.data,
        "alarms": view.alarms,
        "quorum": board.fleet.quorum,
        "chain": view.chain,
    }
    invocation.output.result(data, view.write)


def _watch(board: Board, observers: list[Observer], interval_s: float) -> None:
    """Draw until Ctrl-C; where there is no terminal, print a board each time."""
    console = stdout()
    title = f"[bold]{escape(board.fleet.name)}[/]"
    with ExitStack() as stack, printing():
        live = None
        if console.is_terminal:
            live = stack.enter_context(Live(console=console, auto_refresh=False, screen=True))
        try:
            while True:
                _look(board, observers)
                shown = render_board(board, time.time_ns())
                if live is None:
                    _print_plainly(console, board)
                else:
                    hint = Text.from_markup("[dim]Ctrl-C ends the view, not the fleet[/]")
                    live.update(Group(Text.from_markup(title), shown, hint), refresh=True)
                time.sleep(interval_s)
        except KeyboardInterrupt:
            return


def _print_plainly(console: Console, board: Board) -> None:
    console.print(render_board(board, time.time_ns()))
    console.print()


@contextmanager
def _observers(invocation: Invocation, fleet: Fleet, *, with_ros: bool) -> Iterator[list[Observer]]:
    """The homes' observer, and those that installed packages bring."""
    with ExitStack() as stack:
        found: list[Observer] = [HomeObserver(fleet)]
        for entry in entry_points(group=OBSERVERS_GROUP) if with_ros else ():
            try:
                observer: Observer = entry.load()(fleet)
            except ImportError:
                invocation.output.note(
                    f"no {entry.name} here: drops and queues are not shown "
                    "(script/ros quipu watch shows them)"
                )
            except LedgerError as error:
                invocation.output.note(f"{entry.name}: {error.message}")
            except Exception as error:  # noqa: BLE001 - somebody else's code; homes are shown
                invocation.output.note(f"{entry.name}: {type(error).__name__}: {error}")
            else:
                stack.callback(observer.close)
                found.append(observer)
        yield found
