"""A home that is lent: by real owners to real borrowers, who may die at any point."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.errors import LockedError
from ledger.home import open_home, open_home_to_write
from ledger.memory import socket_place
from ledger.memory.borrowing import borrow_home
from ledger.memory.control_client import ControlClient, NoOwnerError
from ledger.memory.owner import MemoryOwner
from ledger.memory.status import OwnerState
from tests.ledger.memory.owner_process import REPOSITORY, owner_process, wait_for

BORROW = """
import pathlib, sys
from ledger.memory.borrowing import borrow_home
with borrow_home(pathlib.Path(sys.argv[1])) as home:
    home.log.append([b"an entry"])
    print("writing", flush=True)
    sys.stdin.read()
    home.log.append([b"another"])
print("done", flush=True)
"""


@contextmanager
def borrower(root: Path, *, waits: bool = False) -> Iterator[subprocess.Popen[str]]:
    """A process that writes the home until its standard input ends."""
    with subprocess.Popen(
        [sys.executable, "-c", BORROW, str(root)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            if not waits:
                says(process, "writing")
            yield process
        finally:
            process.kill()


def says(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == line + "\n"


def finish(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    says(process, "done")
    assert process.wait(60) == 0


@pytest.fixture
def owned(root: Path) -> Iterator[subprocess.Popen[str]]:
    """The process that owns `root`."""
    with owner_process(root) as process:
        yield process


def state(root: Path) -> OwnerState:
    with ControlClient(root) as client:
        return client.status().state


def test_there_and_back(owned: subprocess.Popen[str], root: Path) -> None:
    with ControlClient(root) as client:
        with borrower(root) as command:
            status = client.status()
            assert (status.state, status.lent_to) == (OwnerState.LENT, command.pid)
            finish(command)
        says(owned, "LENT")
        says(owned, "OPEN")
        assert client.status().entries == 2
        assert Checkpoint.of_note(client.checkpoint()).size == 2
        says(owned, "checkpoint")


def test_a_borrower_that_is_killed(owned: subprocess.Popen[str], root: Path) -> None:
    with borrower(root) as command:
        os.kill(command.pid, signal.SIGKILL)
        command.wait()
        wait_for(lambda: state(root) is OwnerState.OPEN)
    with ControlClient(root) as client:
        assert Checkpoint.of_note(client.checkpoint()).size == 1


def test_borrowers_take_turns_and_commits_come_between(
    owned: subprocess.Popen[str], root: Path
) -> None:
    with (
        borrower(root) as first,
        borrower(root, waits=True) as second,
        borrower(root, waits=True) as third,
        ControlClient(root) as client,
    ):
        wait_for(lambda: client.status().waiting == 2)
        finish(first)
        for command in (second, third):  # whichever of them has it, both will have had it
            assert command.stdin is not None
            command.stdin.close()
        for command in (second, third):
            says(command, "writing")
            says(command, "done")
        assert Checkpoint.of_note(client.checkpoint()).size == 6


def test_an_owner_that_is_killed_while_it_lends(root: Path) -> None:
    with owner_process(root) as owned, borrower(root) as command:
        os.kill(owned.pid, signal.SIGKILL)
        owned.wait()
        with pytest.raises(LockedError, match=f"process {command.pid} "):
            MemoryOwner.open(root)
        finish(command)
        with MemoryOwner.open(root) as owner:
            assert owner.status().entries == 2


def test_an_owner_that_ends_while_it_lends(root: Path) -> None:
    with owner_process(root) as owned, borrower(root) as command:
        assert owned.stdin is not None
        owned.stdin.close()
        assert owned.wait(60) == 0
        finish(command)
    with open_home(root) as home:
        assert home.log.size == 2


def test_a_command_that_slips_in_is_waited_for(owned: subprocess.Popen[str], root: Path) -> None:
    with ControlClient(root) as client:
        client.lend()
        with open_home_to_write(root) as home:  # not by the lender's leave
            client.close()
            with ControlClient(root) as other:
                status = other.status()
                assert status.state is OwnerState.LENT
            home.log.append([b"slipped in"])
        wait_for(lambda: state(root) is OwnerState.OPEN)
    with ControlClient(root) as client:
        assert client.status().entries == 1


def test_a_writer_who_does_not_lend(root: Path) -> None:
    with (
        open_home_to_write(root),
        pytest.raises(LockedError, match=f"process {os.getpid()} "),
        borrow_home(root),
    ):
        pass


def test_a_socket_that_a_dead_owner_left(root: Path) -> None:
    with owner_process(root) as owned:
        os.kill(owned.pid, signal.SIGKILL)
        owned.wait()
    assert (root / "control.sock").is_socket()
    with pytest.raises(NoOwnerError):
        ControlClient(root)
    with borrow_home(root) as home:
        home.log.append([b"nobody to ask"])
    with owner_process(root):
        assert state(root) is OwnerState.OPEN
    assert not (root / "control.sock").exists()


def test_two_owners_on_one_home(owned: subprocess.Popen[str], root: Path) -> None:
    with pytest.raises(LockedError, match=f"process {owned.pid} is writing to {root}"):
        MemoryOwner.open(root)
    with borrower(root) as command:  # nor while the first has lent it
        with pytest.raises(LockedError, match=f"process {owned.pid} is writing to {root}"):
            MemoryOwner.open(root)
        finish(command)
    assert state(root) is not OwnerState.CLOSED


def test_an_owner_that_dies_over_the_request_leaves_the_home_to_the_command(root: Path) -> None:
    """It had the lock when the command looked, and hangs up instead of answering."""
    held = ExitStack()
    held.enter_context(open_home_to_write(root))
    with socket_place.listen(root) as listening, ThreadPoolExecutor(1) as pool:

        def die() -> None:
            connection, _ = listening.accept()
            held.close()
            connection.close()

        death = pool.submit(die)
        with borrow_home(root) as home:
            assert home.log.append([b"an entry"]) == range(1)
        death.result(10)


def test_a_writer_who_does_not_lend_keeps_the_home(root: Path) -> None:
    with (
        open_home_to_write(root),
        pytest.raises(LockedError, match="is writing to"),
        borrow_home(root),
    ):
        raise AssertionError("the home was lent")
