"""Pid files that cannot be mistaken: a process is known by its pid *and* when it began.

::

    4711                                            pid
    8675309 3f1e...-boot-id                         start, in clock ticks since which boot

A pid alone may belong to a stranger by the time it is read, after a reboot above all.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from ledger.errors import MalformedError

_STATE_FIELD = 2  # of /proc/PID/stat, counted behind the name in parentheses
_START_FIELD = 21


@dataclass(frozen=True, slots=True)
class ProcessRecord:
    """A process that was started here."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> ProcessRecord | None:
        """The process that has ``pid`` now; None if there is none, or it has ended."""
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        except (FileNotFoundError, ProcessLookupError):
            return None
        # The name may hold spaces and parentheses; nothing after it does.
        fields = text.rpartition(")")[2].split()
        if fields[_STATE_FIELD - 2] in {"Z", "X"}:
            return None
        return cls(pid, f"{fields[_START_FIELD - 2]} {boot}")

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """The process that a pid file names; None where there is no file.

        Raises `MalformedError` for a file that is no pid file.
        """
        try:
            lines = path.read_text(encoding="ascii").splitlines()
            return cls(int(lines[0]), lines[1])
        except FileNotFoundError:
            return None
        except (ValueError, IndexError, OSError) as error:
            raise MalformedError(
                f"{path} is no pid file of a fleet", hint="look what it is, then remove it"
            ) from error

    def write(self, path: Path) -> None:
        """Write the pid file, whole or not at all. Raises ``OSError``."""
        beside = path.with_name(f".{path.name}.new")
        beside.write_text(f"{self.pid}\n{self.started}\n", encoding="ascii")
        beside.replace(path)

    @property
    def alive(self) -> bool:
        """Whether this very process still runs."""
        return ProcessRecord.of(self.pid) == self

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to this very process; False if it has ended."""
        try:
            # A descriptor stays this process's, so that no stranger can get the signal
            # between the check and the sending.
            descriptor = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            if not self.alive:
                return False
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True

    def kill_group(self) -> bool:
        """SIGKILL to the process and all that it started in its group; False if it has ended."""
        if not self.alive:
            return False
        if os.getpgid(self.pid) != self.pid:  # not started by `spawn`: not its own group
            return self.send(signal.SIGKILL)
        os.killpg(self.pid, signal.SIGKILL)
        return True
