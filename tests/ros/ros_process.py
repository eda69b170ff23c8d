"""Run programs under script/ros, on a DDS domain that nobody else of this machine tests on.

Everything stays on this machine: ``ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST``.
"""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT_ROS = ROOT / "script/ros"
END_WITH_PARENT = Path(__file__).with_name("end_with_parent.py")
LOWEST_DOMAIN, DOMAINS = 20, 60
"""Benchmarks have those from 80 on. Beyond 101, ports run into those that Linux gives clients."""
STOP_SECONDS = 60.0

_LOG = re.compile(r"(\x1b\[[\d;]*m)*\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ ")
"""How lines of Fast DDS begin. It writes them to stdout, between those of the program."""

_turns = itertools.count()


def is_log(line: str) -> bool:
    """Whether a line of a program's stdout is DDS's."""
    return _LOG.match(line) is not None


_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Fast DDS has it
_PORT = re.compile(r"fastrtps_port\d+")
_HALF_MADE_S = 10.0


def remove_half_made_ports(folder: Path = _SHARED_MEMORY) -> None:
    """Remove what killed programs left of Fast DDS's ports in shared memory.

    A port's file is made, and then given its size. Who is killed in between leaves it empty,
    and whoever opens that port later, on whatever domain, waits for its size for ever.
    """
    for each in folder.glob("fastrtps_port*"):
        with contextlib.suppress(OSError):
            seen = each.stat()
            is_old = time.time() - seen.st_mtime > _HALF_MADE_S
            if _PORT.fullmatch(each.name) and not seen.st_size and is_old:
                each.unlink()


@contextlib.contextmanager
def own_domain() -> Iterator[int]:
    """A ROS_DOMAIN_ID that no other test has, of whatever run, for the length of the block."""
    remove_half_made_ports()
    first = os.getpid() + next(_turns)  # who follows at once does not get the same
    spoken_on = domains_spoken_on()
    for domain in (LOWEST_DOMAIN + (first + number) % DOMAINS for number in range(DOMAINS)):
        if domain not in spoken_on and (claim := _claimed(domain)) is not None:
            with claim:
                yield domain
            return
    raise RuntimeError(f"all {DOMAINS} domains for tests are taken")


def domains_spoken_on() -> set[int]:
    """The domains of programs that run: those of a run that was killed may be among them."""
    domains = set()
    for environ in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # another user's, or gone
            for variable in environ.read_bytes().split(b"\0"):
                name, _, value = variable.partition(b"=")
                if name == b"ROS_DOMAIN_ID" and value.isdigit():
                    domains.add(int(value))
    return domains


def _claimed(domain: int) -> IO[str] | None:
    """A file that keeps a domain for as long as it is open; None if somebody has it."""
    claim = None
    try:
        claim = (Path(tempfile.gettempdir()) / f"quipu-test-domain-{domain}.lock").open("a")
        fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):  # another run's, or another user's
        if claim is not None:
            claim.close()
        return None
    return claim


def require_ros() -> None:
    """Skip, loudly, where there is no ROS 2."""
    if not (ROOT / ".venv/ros/environment.sh").is_file():
        missing = ROOT / ".venv/ros/missing"
        reason = missing.read_text().strip() if missing.is_file() else "run script/bootstrap"
        pytest.skip(f"SKIPPED FOR LACK OF ROS 2: {reason}")


def require_rclpy() -> None:
    """Skip, loudly, where this very process cannot use ROS 2."""
    require_ros()
    if os.environ.get("QUIPU_ROS_ENVIRONMENT") != str(ROOT / ".venv/ros"):
        pytest.skip("SKIPPED FOR LACK OF ROS 2 IN THIS PROCESS: run script/ros python -m pytest")


class StillRunningError(AssertionError):
    """A program has not ended in time; the message holds what it had written."""


@dataclass
class Running:
    """A program that has been started, with what it writes kept in a file."""

    process: subprocess.Popen[bytes]
    file: IO[bytes]

    @property
    def output(self) -> str:
        """All of stdout and stderr so far."""
        return Path(self.file.name).read_text(errors="replace")

    def wait(self, timeout: float) -> int:
        """The exit code, once it has ended by itself."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise StillRunningError(f"still running after {timeout} s:\n{self.output}") from None

    def interrupt(self, timeout: float = STOP_SECONDS) -> int:
        """Ask it to stop, as Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.wait(timeout)

    def kill(self) -> None:
        """End it and all that it has started, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@dataclass(frozen=True)
class Ros:
    """Programs under script/ros on one domain."""

    domain: int

    @property
    def environment(self) -> dict[str, str]:
        """The variables that keep a program on this domain and this machine."""
        return {
            **os.environ,
            "ROS_DOMAIN_ID": str(self.domain),
            "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
            "PYTHONUNBUFFERED": "1",
        }

    @contextlib.contextmanager
    def start(self, *command: str | Path) -> Iterator[Running]:
        """Run a command beside the test; whatever is left of it at the end is killed."""
        with tempfile.NamedTemporaryFile(prefix="ros-", suffix=".log") as file:
            process = subprocess.Popen(
                [
                    *(sys.executable, "-IS", END_WITH_PARENT, str(os.getpid())),
                    *(SCRIPT_ROS, *command),
                ],
                env=self.environment,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            running = Running(process, file)
            try:
                yield running
            finally:
                running.kill()

    def run(self, *command: str | Path, timeout: float = 90.0) -> str:
        """Run a command to its end; what it wrote to stdout itself. It must succeed."""
        finished = subprocess.run(
            [SCRIPT_ROS, *command],
            env=self.environment,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert finished.returncode == 0, _report(command, finished)
        return "".join(line for line in finished.stdout.splitlines(True) if not is_log(line))


def _report(command: Sequence[str | Path], finished: subprocess.CompletedProcess[str]) -> str:
    said = f"{finished.stdout}{finished.stderr}"
    return f"{' '.join(map(str, command))} ended with {finished.returncode}:\n{said}"
