"""``quipu fleet``: make, start, watch over and end the robots of one machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from ledger.cli.exit_code import ExitCode
from ledger.cli.fleet_chain import make_ready
from ledger.cli.fleet_view import show_board
from ledger.cli.main import Function, Invocation, verb
from ledger.cli.ui import escape, table
from ledger.errors import NotFoundError, StorageError
from ledger.fleet.board import Board
from ledger.fleet.config import read_fleet
from ledger.fleet.ending import Deadlines, Ended, end_processes
from ledger.fleet.gazebo import write_gazebo
from ledger.fleet.home_observer import HomeObserver
from ledger.fleet.model import Fleet, Simulator
from ledger.fleet.plan import FleetPlan, Process, plan_fleet
from ledger.fleet.preparation import RobotKeys
from ledger.fleet.process_record import ProcessRecord
from ledger.fleet.state import FleetState, ProcessStatus
from ledger.fleet.supervisor import SUPERVISOR, running_processes


@click.group("fleet")
def command() -> None:
    """Make, start, watch over and end the robots of one machine, as FILE says.

    FILE is the fleet's YAML file, which ros2 launch reads too [fleet.yaml].
    """


def _fleet_file(function: Function) -> Function:
    """Add FILE and ``--directory``."""
    function = click.argument(
        "file",
        type=click.Path(path_type=Path, readable=False),
        default=Path("fleet.yaml"),
        required=False,
    )(function)
    return click.option(
        "--directory",
        type=click.Path(path_type=Path, readable=False, file_okay=False),
        help="Where homes, logs and pid files are, in place of what FILE says.",
    )(function)


def _choice_of_processes(function: Function) -> Function:
    """Add ``--robot`` and ``--simulator``."""
    function = click.option(
        "--robot", "robots", multiple=True, metavar="NAME", help="Only this robot; repeatable."
    )(function)
    return click.option(
        "--simulator",
        type=click.Choice([each.value for each in Simulator]),
        help="Another simulator than FILE says.",
    )(function)


def _plan(
    file: Path, directory: Path | None, robots: tuple[str, ...], simulator: str | None
) -> tuple[Fleet, FleetPlan]:
    fleet = read_fleet(file, directory)
    for name in robots:
        if fleet.robot(name) is None:
            raise NotFoundError(
                f"{file} names no robot {name}",
                hint=f"it names {', '.join(robot.name for robot in fleet.robots)}",
            )
    chosen = Simulator(simulator) if simulator else None
    return fleet, plan_fleet(fleet, only=robots or None, simulator=chosen)


@verb("init")
@_fleet_file
@_choice_of_processes
@click.option(
    "--gazebo",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="FOLDER",
    help="Also write Gazebo's world and bridge, from the templates in FOLDER.",
)
def init(
    invocation: Invocation,
    file: Path,
    directory: Path | None,
    robots: tuple[str, ...],
    simulator: str | None,
    gazebo: Path | None,
) -> None:
    """Make homes, keys and policy of the fleet, and start nothing.

    With --json it tells which processes have to run, and how: ros2 launch asks so.
    """
    fleet, plan = _plan(file, directory, robots, simulator)
    ready = make_ready(invocation, fleet, plan)
    data: dict[str, Any] = {
        "fleet": fleet.name,
        "directory": str(fleet.directory),
        "policy": str(fleet.paths.policy),
        "quorum": fleet.quorum,
        "simulator": simulator or fleet.simulator.value,
        "robots": [_keys_json(each) for each in ready.keys],
        "processes": [_process_json(each) for each in plan.processes],
        "warning": plan.crowded,
        "settlement": ready.chain_json(),
    }
    if gazebo is not None:
        data["gazebo"] = {key: str(path) for key, path in write_gazebo(fleet, gazebo).items()}

    def show(console: Console) -> None:
        rows = table("robot", "log", "")
        for each in ready.keys:
            made = "made" if each.created else "was there"
            rows.add_row(escape(each.robot.name), escape(each.robot.origin), made)
        console.print(rows)
        console.print(f"[green]ready[/] {escape(str(fleet.directory))}", soft_wrap=True)
        console.print(f"policy: {escape(str(fleet.paths.policy))}", soft_wrap=True)
        if ready.chain is not None:
            console.print(f"chain: {escape(str(fleet.settlement.trust))}", soft_wrap=True)
        console.print("[dim]next: quipu fleet up[/]")

    if plan.crowded:
        invocation.output.note(plan.crowded)
    invocation.output.result(data, show)


@verb("up")
@_fleet_file
@_choice_of_processes
@click.option("--detach", is_flag=True, help="Leave it running in the background.")
def up(
    invocation: Invocation,
    file: Path,
    directory: Path | None,
    robots: tuple[str, ...],
    simulator: str | None,
    detach: bool,
) -> None:
    """Start the fleet and keep it running until Ctrl-C, or `quipu fleet down`.

    Makes first what is missing. A process that ends is started again, the later the
    more often it does.
    """
    from ledger.cli.fleet_up import run_detached, run_here  # signals, threads: not for --help

    fleet, plan = _plan(file, directory, robots, simulator)
    chosen = Simulator(simulator) if simulator else fleet.simulator
    run: Callable[[Invocation, Fleet, FleetPlan, Simulator], None] = (
        run_detached if detach else run_here
    )
    run(invocation, fleet, plan, chosen)


@verb("down")
@_fleet_file
@click.option(
    "--patience",
    type=click.FloatRange(min=0.0),
    default=Deadlines().interrupt_s,
    show_default=True,
    metavar="SECONDS",
    help="How long a process may take to seal and commit before it is terminated.",
)
def down(invocation: Invocation, file: Path, directory: Path | None, patience: float) -> None:
    """End the fleet's processes: what they hold is sealed and committed.

    Only processes that `quipu fleet up` started are ended.
    """
    fleet = read_fleet(file, directory)
    deadlines = Deadlines(interrupt_s=patience)
    ended: dict[str, Ended] = {}
    before = running_processes(fleet.paths)
    supervisor = ProcessRecord.read(fleet.paths.pid(SUPERVISOR))
    if supervisor is not None and supervisor.alive:
        # It ends its robots, then its simulator, each within deadlines like ours.
        whole = 2 * (patience + deadlines.terminate_s + deadlines.kill_s)
        ended |= end_processes(
            {SUPERVISOR: supervisor}, Deadlines(whole, deadlines.terminate_s, deadlines.kill_s)
        )
    left = running_processes(fleet.paths)
    state = FleetState.read(fleet.paths.state)
    told = {each.name: each.stopped for each in state.processes} if state else {}
    ended |= {name: told.get(name) or Ended.BY_ITSELF for name in before if name not in left}
    ended |= end_processes(left, deadlines)
    stuck = [name for name, how in ended.items() if how is Ended.NOT_AT_ALL]
    if stuck:
        raise StorageError(f"cannot be ended: {', '.join(stuck)}", hint="look with ps, as root")
    if running_processes(fleet.paths) == {}:
        for path in fleet.paths.run.glob("*.pid"):
            path.unlink(missing_ok=True)
    data = {"ended": {name: how.value for name, how in sorted(ended.items())}}
    names = ", ".join(sorted(name for name in ended if name != SUPERVISOR))
    line = f"[green]ended[/] {escape(names)}" if ended else "nothing was running"
    invocation.output.text(data, line)


@verb("status")
@_fleet_file
def status(invocation: Invocation, file: Path, directory: Path | None) -> None:
    """Show the fleet's processes and logs. Exits with 1 unless all that should run does."""
    fleet = read_fleet(file, directory)
    board = Board(fleet)
    state = FleetState.read(fleet.paths.state)
    board.take_state(state)
    board.take(HomeObserver(fleet).look())
    alive = running_processes(fleet.paths)
    rows = state.processes if state else ()
    supervised = state is not None and state.supervised
    if supervised:
        whole = bool(rows) and all(each.name in alive for each in rows)
    else:
        whole = board.runs_by_others(time.time_ns())
    view = show_board(board)
    data = {
        "ok": whole,
        "fleet": fleet.name,
        "supervised": supervised,
        "processes": [_status_json(each, each.name in alive) for each in rows],
        "robots": view.data,
        "chain": view.chain,
    }
    invocation.output.result(data, view.write)
    if not whole:
        click.get_current_context().exit(ExitCode.NOT_VERIFIED)


def _keys_json(keys: RobotKeys) -> dict[str, Any]:
    return {
        "name": keys.robot.name,
        "namespace": keys.robot.namespace,
        "home": str(keys.robot.home),
        "origin": keys.robot.origin,
        "log": [key.encode() for key in keys.log],
        "witness": keys.witness.encode(),
        "created": keys.created,
    }


def _process_json(process: Process) -> dict[str, Any]:
    return {
        "name": process.name,
        "command": list(process.command),
        "environment": dict(process.environment),
        "log": str(process.log),
        "restart": process.restart.value,
    }


def _status_json(status: ProcessStatus, alive: bool) -> dict[str, Any]:
    return {
        "name": status.name,
        "state": status.state.value,
        "alive": alive,
        "pid": status.pid,
        "restarts": status.restarts,
        "since_ns": status.since_ns,
        "last_exit": status.last_exit,
    }


for _each in (init, up, down, status):
    command.add_command(_each)
