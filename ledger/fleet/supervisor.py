"""Keeps the processes of a fleet running: starts, watches, restarts and ends them.

Every process is the leader of a session of its own, so that Ctrl-C reaches the
supervisor only, which then ends them in order. One supervisor a fleet: it holds
``flock`` on ``run/supervisor.lock``. When it dies itself the robots go on recording;
their pid files tell `quipu fleet down` which they are.
"""

from __future__ import annotations

import fcntl
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final, Self

from ledger.errors import LockedError, RefusedError
from ledger.fleet.ending import Deadlines, Ended, end_processes
from ledger.fleet.model import FleetPaths
from ledger.fleet.plan import FleetPlan, Process, Rank, Restart
from ledger.fleet.process_record import ProcessRecord
from ledger.fleet.state import FleetState, ProcessState, ProcessStatus
from ledger.storage.os_errors import storage_errors

_LOGGER = logging.getLogger(__name__)

SUPERVISOR: Final = "supervisor"
MAX_LOG_SIZE: Final = 16 << 20
"""A log longer than this, in bytes, becomes ``NAME.log.1`` at the next start."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait before a process is started again, in seconds.

    Twice as long after each end, until a process ran for ``settled_s``.
    """

    first_s: float = 0.5
    most_s: float = 30.0
    settled_s: float = 30.0

    def delay(self, failures: int) -> float:
        """The wait after the ``failures``-th end in a row, counted from 1."""
        return float(min(self.most_s, self.first_s * 2.0 ** min(failures - 1, 30)))


class _Child:
    """One process that is kept running."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.popen: subprocess.Popen[bytes] | None = None
        self.record: ProcessRecord | None = None
        self.state = ProcessState.WAITING
        self.starts = 0
        self.failures = 0
        self.started_at = 0.0  # monotonic
        self.due = 0.0  # monotonic
        self.since_ns = time.time_ns()
        self.last_exit: str | None = None
        self.stopped: Ended | None = None

    def status(self, now: float) -> ProcessStatus:
        waiting = self.state is ProcessState.WAITING
        wait_ns = round(max(0.0, self.due - now) * 1e9)
        return ProcessStatus(
            self.process.name,
            self.state,
            self.record.pid if self.record else None,
            max(0, self.starts - 1),
            self.since_ns,
            time.time_ns() + wait_ns if waiting else None,
            self.last_exit,
            self.stopped,
        )

    def become(self, state: ProcessState) -> None:
        self.state = state
        self.since_ns = time.time_ns()


class Supervisor:
    """The supervisor of one fleet; a context manager that ends what it started.

    Call `start` once, then `step` ten times a second or so. Raises `LockedError` on
    entering while another supervisor runs, `RefusedError` while processes of an earlier
    one do, and storage errors.
    """

    def __init__(
        self,
        plan: FleetPlan,
        paths: FleetPaths,
        *,
        backoff: Backoff | None = None,
        deadlines: Deadlines | None = None,
    ) -> None:
        self._paths = paths
        self._backoff = backoff or Backoff()
        self._deadlines = deadlines or Deadlines()
        self._children = [_Child(process) for process in plan.processes]
        self._lock = -1
        self._self: ProcessRecord | None = None

    def __enter__(self) -> Self:
        for folder in (self._paths.run, self._paths.logs):
            with storage_errors(folder):
                folder.mkdir(parents=True, exist_ok=True)
        self._lock = take_lock(self._paths)
        try:
            refuse_orphans(self._paths)
            self._self = ProcessRecord.of(os.getpid())
            if self._self is not None:
                self._self.write(self._paths.pid(SUPERVISOR))
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.stop()
        finally:
            self._paths.pid(SUPERVISOR).unlink(missing_ok=True)
            os.close(self._lock)

    def start(self) -> None:
        """Start every process, the simulator first."""
        for child in sorted(self._children, key=lambda each: -each.process.rank):
            self._spawn(child)
        self._tell()

    def step(self) -> bool:
        """Notice what ended, start what is due; whether anything changed."""
        now = time.monotonic()
        changed = False
        for child in self._children:
            if child.popen is not None and child.popen.poll() is not None:
                self._ended(child, now)
                changed = True
            elif child.popen is None and child.state is ProcessState.WAITING and now >= child.due:
                self._spawn(child)
                changed = True
        if changed:
            self._tell()
        return changed

    def stop(self, hurried: Callable[[], bool] = lambda: False) -> dict[str, Ended]:
        """End every process, robots before the simulator; what it took for each."""
        outcome: dict[str, Ended] = {}
        for rank in Rank:
            children = [
                child
                for child in self._children
                if child.process.rank is rank and child.record is not None
            ]
            for child in children:
                child.become(ProcessState.STOPPING)
            self._tell()
            records = {c.process.name: c.record for c in children if c.record is not None}
            outcome |= end_processes(records, self._deadlines, hurried=hurried)
            for child in children:
                child.stopped = outcome[child.process.name]
                self._reap(child, child.stopped)
        for child in self._children:
            if child.state is ProcessState.WAITING:
                child.become(ProcessState.ENDED)
        self._tell()
        return outcome

    @property
    def statuses(self) -> tuple[ProcessStatus, ...]:
        """How every process is."""
        now = time.monotonic()
        return tuple(child.status(now) for child in self._children)

    @property
    def finished(self) -> bool:
        """Whether nothing runs and nothing will be started again."""
        return all(child.state is ProcessState.ENDED for child in self._children)

    def _spawn(self, child: _Child) -> None:
        process = child.process
        child.starts += 1
        child.started_at = time.monotonic()
        try:
            with _open_log(process.log) as log:
                _say(log, f"start {child.starts}: {' '.join(process.command)}")
                child.popen = subprocess.Popen(
                    process.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **process.environment},
                    cwd=self._paths.root,
                    start_new_session=True,
                )
        except OSError as error:
            child.last_exit = f"cannot be started: {error.strerror or error}"
            self._wait(child, child.started_at)
            return
        child.record = ProcessRecord.of(child.popen.pid) or ProcessRecord(child.popen.pid, "ended")
        with _unless_it_cannot("the pid file of", process.name):
            child.record.write(self._paths.pid(process.name))
        child.become(ProcessState.RUNNING)

    def _ended(self, child: _Child, now: float) -> None:
        if child.popen is None:
            return
        code = child.popen.returncode
        self._forget(child, describe_exit(code))
        _LOGGER.info("%s ended: %s", child.process.name, child.last_exit)
        if code == 0 and child.process.restart is Restart.ON_FAILURE:
            child.become(ProcessState.ENDED)
            return
        if now - child.started_at >= self._backoff.settled_s:
            child.failures = 0
        self._wait(child, now)

    def _wait(self, child: _Child, now: float) -> None:
        child.failures += 1
        child.due = now + self._backoff.delay(child.failures)
        child.become(ProcessState.WAITING)

    def _reap(self, child: _Child, ended: Ended) -> None:
        if child.popen is None or ended is Ended.NOT_AT_ALL:
            return
        self._forget(child, describe_exit(child.popen.wait()))
        child.become(ProcessState.ENDED)

    def _forget(self, child: _Child, last_exit: str) -> None:
        child.last_exit = last_exit
        child.popen = None
        child.record = None
        self._paths.pid(child.process.name).unlink(missing_ok=True)
        with _open_log(child.process.log) as log:
            _say(log, last_exit)

    def _tell(self) -> None:
        if self._self is not None:
            with _unless_it_cannot("the state of", "the fleet"):
                FleetState(self._self, self.statuses).write(self._paths.state)


def describe_exit(code: int) -> str:
    """An exit status for people: ``exit 1``, ``SIGKILL``."""
    if code >= 0:
        return f"exit {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def take_lock(paths: FleetPaths) -> int:
    """Become the fleet's only supervisor; the descriptor that holds the lock.

    Raises `LockedError`, naming the one there is.
    """
    with storage_errors(paths.lock):
        descriptor = os.open(paths.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        holder = ProcessRecord.read(paths.pid(SUPERVISOR))
        raise LockedError(
            f"the fleet is up already: process {holder.pid if holder else 'unknown'} keeps it",
            hint="end it with `quipu fleet down`",
        ) from None
    return descriptor


def refuse_if_up(paths: FleetPaths) -> None:
    """Raise what a `Supervisor` would on entering now: `LockedError`, `RefusedError`."""
    if paths.run.is_dir():
        os.close(take_lock(paths))
        refuse_orphans(paths)


def running_processes(paths: FleetPaths) -> dict[str, ProcessRecord]:
    """The fleet's processes that run now, by name, as their pid files tell."""
    found = {}
    for path in sorted(paths.run.glob("*.pid")):
        record = ProcessRecord.read(path)
        if path.stem != SUPERVISOR and record is not None and record.alive:
            found[path.stem] = record
    return found


def refuse_orphans(paths: FleetPaths) -> None:
    """Raise `RefusedError` while processes of an earlier supervisor run."""
    left = running_processes(paths)
    if left:
        names: Sequence[str] = [f"{name} ({record.pid})" for name, record in left.items()]
        raise RefusedError(
            f"still running, though their supervisor is gone: {', '.join(names)}",
            hint="end them with `quipu fleet down`",
        )


@contextmanager
def _unless_it_cannot(what: str, whose: str) -> Iterator[None]:
    """Go on where a full disk keeps us from taking notes: robots matter more."""
    try:
        yield
    except OSError as error:
        _LOGGER.warning("%s %s cannot be written: %s", what, whose, error.strerror)


def _open_log(path: Path) -> IO[bytes]:
    """The log of a process to append to; nowhere, if it cannot be written."""
    try:
        if path.exists() and path.stat().st_size > MAX_LOG_SIZE:
            path.replace(path.with_name(f"{path.name}.1"))
        return path.open("ab")
    except OSError as error:
        _LOGGER.warning("%s cannot be written: %s", path, error.strerror)
        return Path(os.devnull).open("ab")


def _say(log: IO[bytes], text: str) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    with _unless_it_cannot("the log of", log.name):
        log.write(f"[{now} quipu fleet] {text}\n".encode())
        log.flush()
