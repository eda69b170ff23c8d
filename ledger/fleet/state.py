"""What the supervisor says about its processes, in a file that others may read.

``run/state.json``, replaced whole at each change; times in nanoseconds since 1970.
"""

from __future__ import annotations

import enum
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ledger.errors import MalformedError
from ledger.fleet.ending import Ended
from ledger.fleet.process_record import ProcessRecord


class ProcessState(enum.Enum):
    """How a process is."""

    RUNNING = "running"
    WAITING = "waiting"
    """It ended, and starts again when its back-off is over."""
    STOPPING = "stopping"
    ENDED = "ended"
    """It ended, and does not start again."""
    LOST = "lost"
    """It should run and does not: its supervisor is gone too."""


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process, as the supervisor sees it."""

    name: str
    state: ProcessState
    pid: int | None
    restarts: int
    since_ns: int
    next_start_ns: int | None = None
    last_exit: str | None = None
    stopped: Ended | None = None
    """What it took to end it, once the fleet was ended."""


@dataclass(frozen=True, slots=True)
class FleetState:
    """All processes of a fleet, and the supervisor that keeps them."""

    supervisor: ProcessRecord
    processes: tuple[ProcessStatus, ...]

    @property
    def supervised(self) -> bool:
        """Whether the supervisor still runs."""
        return self.supervisor.alive

    def write(self, path: Path) -> None:
        """Replace the file. Raises ``OSError``."""
        rows = [_row(each) for each in self.processes]
        text = json.dumps({"supervisor": asdict(self.supervisor), "processes": rows}, indent=1)
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(text + "\n", encoding="utf-8")
        beside.replace(path)

    @classmethod
    def read(cls, path: Path) -> FleetState | None:
        """What was last written, or None. Raises `MalformedError`."""
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            return cls(
                ProcessRecord(**document["supervisor"]),
                tuple(_status(row) for row in document["processes"]),
            )
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise MalformedError(
                f"{path} is no fleet's state", hint="`quipu fleet down`, then remove the file"
            ) from error


def _row(status: ProcessStatus) -> dict[str, Any]:
    stopped = status.stopped.value if status.stopped else None
    return {**asdict(status), "state": status.state.value, "stopped": stopped}


def _status(row: dict[str, Any]) -> ProcessStatus:
    stopped = Ended(row["stopped"]) if row["stopped"] else None
    return ProcessStatus(**{**row, "state": ProcessState(row["state"]), "stopped": stopped})
