"""``quipu fleet up``, once it is known what to start: here, or left in the background."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Final

from rich.console import Group
from rich.live import Live
from rich.text import Text

from ledger.cli.fleet_chain import make_ready
from ledger.cli.fleet_view import render_board
from ledger.cli.main import Invocation
from ledger.cli.ui import escape, printable, stderr
from ledger.errors import LedgerError, RefusedError, StorageError
from ledger.fleet.board import Board
from ledger.fleet.ending import Ended
from ledger.fleet.home_observer import HomeObserver
from ledger.fleet.model import Fleet, Simulator
from ledger.fleet.plan import FleetPlan
from ledger.fleet.process_record import ProcessRecord
from ledger.fleet.state import FleetState, ProcessState, ProcessStatus
from ledger.fleet.supervisor import SUPERVISOR, Supervisor, refuse_if_up

STEP_S: Final = 0.1
LOOK_S: Final = 1.0
DETACH_S: Final = 30.0
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class RosMissingError(LedgerError):
    """The processes of the fleet need ROS, and it is not in this environment."""


@dataclass
class _Asked:
    """How often somebody asked us to end."""

    times: int = 0


def run_here(invocation: Invocation, fleet: Fleet, plan: FleetPlan, simulator: Simulator) -> None:
    """Keep the fleet running until a signal ends it."""
    _check(fleet, plan, simulator)
    make_ready(invocation, fleet, plan)
    if plan.crowded:
        invocation.output.note(plan.crowded)
    ended: dict[str, Ended] = {}
    with _signals() as asked, Supervisor(plan, fleet.paths) as supervisor:
        supervisor.start()
        with _view(invocation, fleet, supervisor) as view:
            while not asked.times and not supervisor.finished:
                supervisor.step()
                view.update()
                time.sleep(STEP_S)
            view.stopping()
            ended = supervisor.stop(hurried=lambda: asked.times > 1)
    stuck = [name for name, how in ended.items() if how is Ended.NOT_AT_ALL]
    if stuck:
        raise StorageError(f"cannot be ended: {', '.join(stuck)}", hint="look with ps, as root")
    names = ", ".join(ended)
    invocation.output.text(
        {"ended": {name: how.value for name, how in ended.items()}},
        f"[green]ended[/] {escape(names)}" if ended else "everything had ended",
    )


def run_detached(
    invocation: Invocation, fleet: Fleet, plan: FleetPlan, simulator: Simulator
) -> None:
    """Start a supervisor in the background, and wait until it has started its processes."""
    _check(fleet, plan, simulator)
    make_ready(invocation, fleet, plan)  # what can go wrong shows here
    fleet.paths.logs.mkdir(parents=True, exist_ok=True)
    names = [process.name for process in plan.processes]
    robots = [name for name in names if fleet.robot(name) is not None]
    command = [sys.executable, "-m", "ledger.cli.main", "fleet", "up", str(fleet.file)]
    command += ["--directory", str(fleet.directory), "--simulator", simulator.value]
    command += [word for name in robots for word in ("--robot", name)]
    with fleet.paths.log(SUPERVISOR).open("ab") as log:
        start = log.tell()
        background = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    state = _await_start(background, fleet)
    if state is None:
        said = fleet.paths.log(SUPERVISOR).read_bytes()[start:].decode("utf-8", "replace")
        last = next((line for line in reversed(said.splitlines()) if line.strip()), "no reason")
        reason = printable(last.strip().removeprefix("quipu: "))
        raise StorageError(
            f"the fleet did not start: {reason}", hint=f"see {fleet.paths.log(SUPERVISOR)}"
        )
    if plan.crowded:
        invocation.output.note(plan.crowded)
    data: dict[str, Any] = {
        "supervisor": background.pid,
        "processes": {each.name: each.pid for each in state.processes},
        "logs": str(fleet.paths.logs),
    }
    invocation.output.text(
        data,
        f"[green]up[/] {escape(', '.join(names))}, kept by process {background.pid}",
        f"logs: {escape(str(fleet.paths.logs))}",
        "[dim]next: quipu watch, quipu fleet down[/]",
    )


def _await_start(background: subprocess.Popen[bytes], fleet: Fleet) -> FleetState | None:
    deadline = time.monotonic() + DETACH_S
    while time.monotonic() < deadline and background.poll() is None:
        kept = ProcessRecord.read(fleet.paths.pid(SUPERVISOR))
        if kept is not None and kept.pid == background.pid:
            state = FleetState.read(fleet.paths.state)
            if state is not None and state.supervisor == kept:
                return state
        time.sleep(STEP_S)
    if background.poll() is None:
        background.terminate()
    return None


def _check(fleet: Fleet, plan: FleetPlan, simulator: Simulator) -> None:
    """Refuse what cannot run, before anything is made."""
    refuse_if_up(fleet.paths)
    if simulator is Simulator.GAZEBO:
        raise RefusedError(
            "Gazebo is started by ros2 launch",
            hint="ros2 launch quipu_bringup gazebo.launch.py, and here --simulator none",
        )
    for name in dict.fromkeys(module for each in plan.processes for module in each.modules):
        if importlib.util.find_spec(name) is None:
            raise RosMissingError(
                f"{name} is not installed for {sys.executable}",
                hint="run it with `script/ros quipu fleet up`, or source your ROS 2 first",
            )


@contextmanager
def _signals() -> Iterator[_Asked]:
    """Count requests to end instead of obeying them at once."""
    asked = _Asked()

    def count(_number: int, _frame: FrameType | None) -> None:
        asked.times += 1

    before = {number: signal.signal(number, count) for number in _SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Live:
    """The board, drawn over and over on a terminal."""

    def __init__(self, fleet: Fleet, supervisor: Supervisor, live: Live) -> None:
        self._board = Board(fleet)
        self._observer = HomeObserver(fleet)
        self._supervisor = supervisor
        self._live = live
        self._looked = 0.0
        self._hint = "Ctrl-C ends the fleet"

    def update(self) -> None:
        if time.monotonic() - self._looked < LOOK_S:
            return
        self._looked = time.monotonic()
        self._board.take(self._observer.look())
        self._draw()

    def stopping(self) -> None:
        self._hint = "ending: robots seal and commit; Ctrl-C again to hurry"
        self._draw()

    def _draw(self) -> None:
        own = ProcessRecord.of(os.getpid())
        if own is not None:
            self._board.take_state(FleetState(own, self._supervisor.statuses))
        hint = Text.from_markup(f"[dim]{self._hint}[/]")
        self._live.update(Group(render_board(self._board, time.time_ns()), hint), refresh=True)


class _Lines:
    """One line a change, where nobody looks at a terminal."""

    def __init__(self, invocation: Invocation, supervisor: Supervisor) -> None:
        self._output = invocation.output
        self._supervisor = supervisor
        self._said: dict[str, tuple[ProcessState, int | None, str | None]] = {}

    def update(self) -> None:
        for status in self._supervisor.statuses:
            key = (status.state, status.pid, status.last_exit)
            if self._said.get(status.name) != key:
                self._said[status.name] = key
                self._output.note(_line(status))

    def stopping(self) -> None:
        self._output.note("ending: robots seal and commit")


def _line(status: ProcessStatus) -> str:
    match status.state:
        case ProcessState.RUNNING:
            return f"{status.name} runs as process {status.pid}"
        case ProcessState.WAITING if status.next_start_ns is not None:
            wait_s = max(0.0, (status.next_start_ns - time.time_ns()) / 1e9)
            return f"{status.name} ended ({status.last_exit}); again in {wait_s:.1f} s"
    return f"{status.name}: {status.state.value} ({status.last_exit})"


@contextmanager
def _view(invocation: Invocation, fleet: Fleet, supervisor: Supervisor) -> Iterator[_Live | _Lines]:
    console = stderr()
    with ExitStack() as stack:
        if invocation.output.as_json or not console.is_terminal:
            yield _Lines(invocation, supervisor)
        else:
            live = stack.enter_context(Live(console=console, auto_refresh=False))
            yield _Live(fleet, supervisor, live)
