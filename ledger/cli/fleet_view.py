"""How a fleet's board is shown: a table for people, rows for scripts."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from ledger.cli.ui import escape, human_bytes, human_time, table
from ledger.fleet.board import Board, ChainSeen, Health, RobotRow
from ledger.fleet.state import ProcessState, ProcessStatus

_COLOURS = {
    Health.GOOD: "green",
    Health.UNKNOWN: "dim",
    Health.ATTENTION: "yellow",
    Health.BAD: "bold red",
}
_SHOWN_ALARMS = 5
_WIDE = 8
_NOTHING = "-"
_USUAL_STATES = {"open", "active", "recording", "waiting", "buffering"}


@dataclass(frozen=True, slots=True)
class BoardView:
    """A board at one moment."""

    data: list[dict[str, Any]]
    alarms: list[dict[str, Any]]
    chain: dict[str, Any] | None
    write: Callable[[Console], None]


def show_board(board: Board, now_ns: int | None = None) -> BoardView:
    """The board as it is now."""
    now = time.time_ns() if now_ns is None else now_ns
    rows = board.rows(now)
    return BoardView(
        [_as_json(row) for row in rows],
        [asdict(alarm) for alarm in board.alarms],
        asdict(board.chain) if board.chain else None,
        lambda console: console.print(render_board(board, now)),
    )


def render_board(board: Board, now_ns: int) -> RenderableType:
    """The board as something rich can print."""
    rows = board.rows(now_ns)
    parts: list[RenderableType] = [_robots(board, rows, now_ns)]
    parts += [
        Text.from_markup(f"[dim]{escape(process.name)}:[/] {_process(process)}")
        for process in board.processes
    ]
    if board.chain is not None:
        parts.append(Text.from_markup(f"[dim]chain:[/] {_chain(board.chain, now_ns)}"))
    for row in rows:
        text = f"{row.name}: {'; '.join(_remarks(row))}"
        if _remarks(row):
            parts.append(Text.from_markup(f"[{_COLOURS[row.health]}]{escape(text)}[/]"))
    for alarm in board.alarms[-_SHOWN_ALARMS:]:
        text = f"{alarm.kind} of {alarm.origin}, by {alarm.reporter}: {alarm.detail}"
        when = human_time(alarm.seen_ns)
        parts.append(Text.from_markup(f"[bold red]ALARM[/] {escape(when)} {escape(text)}"))
    return Group(*parts)


def _robots(board: Board, rows: tuple[RobotRow, ...], now_ns: int) -> Table:
    """A row a robot; what no observer sees has no column."""
    columns = [column for column in _COLUMNS if not column.optional or any(map(column.sees, rows))]
    shown = table()
    if len(columns) > _WIDE:
        shown.padding = (0, 1, 0, 0)  # all of them on a terminal of 80 columns
    for column in columns:
        shown.add_column(column.name, justify="right" if column.optional else "left", no_wrap=True)
    for row in rows:
        shown.add_row(*(column.cell(row, board.fleet.quorum, now_ns) for column in columns))
    return shown


@dataclass(frozen=True, slots=True)
class _Column:
    """A column: its cell of a row, told the quorum and the time; and who fills it."""

    name: str
    cell: Callable[[RobotRow, int, int], str]
    sees: Callable[[RobotRow], bool] = lambda _row: True
    optional: bool = False


_COLUMNS = (
    _Column("robot", lambda row, _q, _n: escape(row.name)),
    _Column("health", lambda row, _q, _n: _health(row)),
    _Column("process", lambda row, _q, _n: _whose(row)),
    _Column("entries", lambda row, _q, _n: _number(row.facts.entries)),
    _Column("signed", lambda row, _q, _n: _number(row.facts.checkpoint_size)),
    _Column("ago", lambda row, _q, now: _age(row.facts.checkpoint_time_ns, now)),
    _Column("witnesses", lambda row, quorum, _n: _witnesses(row, quorum)),
    _Column(
        "anchored",
        lambda row, _q, _n: _anchored(row),
        lambda row: row.facts.anchored_size is not None,
        optional=True,
    ),
    _Column(
        "dropped",
        lambda row, _q, _n: _number(row.facts.dropped),
        lambda row: row.facts.dropped is not None,
        optional=True,
    ),
    _Column(
        "queued",
        lambda row, _q, _n: _bytes(row.facts.queued_bytes),
        lambda row: row.facts.queued_bytes is not None,
        optional=True,
    ),
)


def _health(row: RobotRow) -> str:
    return f"[{_COLOURS[row.health]}]{row.health.value}[/]"


def _remarks(row: RobotRow) -> list[str]:
    states = (row.facts.memory_state, row.facts.recorder_state)
    unusual = [state for state in states if state and state not in _USUAL_STATES]
    return [text for text in (row.remark, *unusual) if text]


def _whose(row: RobotRow) -> str:
    """The supervised process; of a robot that others started, who owns its home."""
    if row.process is not None:
        return _process(row.process)
    return _number(row.facts.memory_pid).replace(",", "")


def _process(status: ProcessStatus) -> str:
    match status.state:
        case ProcessState.RUNNING:
            again = f" (start {status.restarts + 1})" if status.restarts else ""
            return f"[green]{status.pid}[/]{again}"
        case ProcessState.WAITING:
            return f"[bold red]{escape(status.last_exit or 'waiting')}[/]"
        case ProcessState.LOST:
            return "[bold red]lost[/]"
        case ProcessState.STOPPING:
            return "[yellow]stopping[/]"
        case ProcessState.ENDED:
            return f"[dim]{escape(status.last_exit or 'ended')}[/]"


def _witnesses(row: RobotRow, quorum: int) -> str:
    facts = row.facts
    if facts.cosignatures is None:
        return _NOTHING
    colour = {True: "green", False: "yellow", None: "dim"}[facts.quorum_met]
    return f"[{colour}]{facts.cosignatures}[/] of {quorum}"


def _anchored(row: RobotRow) -> str:
    number, state = _number(row.facts.anchored_size), row.facts.anchor_state
    return number if state in (None, "anchored", "waiting") else f"[yellow]{number}[/]"


def _chain(chain: ChainSeen, now_ns: int) -> str:
    if chain.fault:
        return f"[yellow]{escape(chain.fault)}[/]"
    where = f"{escape(chain.origin)}, block {chain.height:,}, {_age(chain.time_ns, now_ns)} old"
    return where if chain.served else f"{where}; [dim]no engine runs[/]"


def _number(value: int | None) -> str:
    return _NOTHING if value is None else f"{value:,}"


def _bytes(value: int | None) -> str:
    return _NOTHING if value is None else human_bytes(value)


def _age(time_ns: int | None, now_ns: int) -> str:
    if time_ns is None:
        return _NOTHING
    seconds = max(0, now_ns - time_ns) / 1e9
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _as_json(row: RobotRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "origin": row.origin,
        "health": row.health.value,
        "remark": row.remark,
        "alarms": row.alarms,
        "seen_ns": row.seen_ns,
        "process": row.process.state.value if row.process else None,
        "pid": row.process.pid if row.process else None,
        "restarts": row.process.restarts if row.process else None,
        **asdict(row.facts),
    }
