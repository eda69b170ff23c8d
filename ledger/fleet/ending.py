"""Ends processes as kindly as they let us: SIGINT, then SIGTERM, then SIGKILL.

A robot that is interrupted seals what it has recorded and commits it, which takes as
long as its disk takes; so the first deadline is generous.
"""

from __future__ import annotations

import enum
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from ledger.fleet.process_record import ProcessRecord

POLL_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that each signal is given before the next."""

    interrupt_s: float = 20.0
    terminate_s: float = 5.0
    kill_s: float = 5.0


class Ended(enum.Enum):
    """What it took."""

    BY_ITSELF = "had ended"
    INTERRUPTED = "interrupted"
    TERMINATED = "terminated"
    KILLED = "killed"
    NOT_AT_ALL = "still there"


def end_processes(
    processes: Mapping[str, ProcessRecord],
    deadlines: Deadlines | None = None,
    *,
    hurried: Callable[[], bool] = lambda: False,
) -> dict[str, Ended]:
    """End ``processes``, all at the same time; what it took for each.

    While ``hurried`` says so, a deadline counts as passed.
    """
    deadlines = deadlines or Deadlines()
    stages: tuple[tuple[Ended, float, Callable[[ProcessRecord], bool]], ...] = (
        (Ended.INTERRUPTED, deadlines.interrupt_s, lambda p: p.send(signal.SIGINT)),
        (Ended.TERMINATED, deadlines.terminate_s, lambda p: p.send(signal.SIGTERM)),
        (Ended.KILLED, deadlines.kill_s, lambda p: p.kill_group()),
    )
    outcome = dict.fromkeys(processes, Ended.BY_ITSELF)
    for stage, patience_s, send in stages:
        left = {name for name, process in processes.items() if process.alive}
        for name in left:
            if send(processes[name]):
                outcome[name] = stage
        until = time.monotonic() + patience_s
        while left and time.monotonic() < until:
            left = {name for name in left if processes[name].alive}
            if hurried() and stage is not Ended.KILLED:
                break
            if left:
                time.sleep(POLL_S)
    for name, process in processes.items():
        if process.alive:
            outcome[name] = Ended.NOT_AT_ALL
    return outcome
