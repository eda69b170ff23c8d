"""Every verb on a home that a running process owns, and records into, meanwhile."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ledger.memory.control_client import ControlClient
from ledger.memory.socket_sink import SocketSink
from ledger.memory.status import OwnerState
from tests.cli.robot import Robot
from tests.ledger.memory.owner_process import owner_process, wait_for
from tests.ledger.memory.recorded import GrowingFile


@pytest.fixture
def owned(veteran: Robot) -> Iterator[subprocess.Popen[str]]:
    """The process that owns the veteran's home."""
    with owner_process(veteran.home, veteran.environment) as process:
        yield process


def test_every_verb_that_writes(veteran: Robot, owned: subprocess.Popen[str]) -> None:
    with closing(SocketSink(veteran.home)) as sink, ControlClient(veteran.home) as client:
        growing = GrowingFile.begin(sink)
        growing.write(b"a" * 10_000)
        (veteran.work / "a.log").write_bytes(b"a")
        (told,) = veteran.told("ingest", "a.log")["entries"]
        assert told["index"] == 7
        growing.write(b"b" * 10_000)
        veteran.did("checkpoint")
        wait_for(lambda: client.status().checkpoint_size == 9)
        veteran.did("offload", "shelf", 0)
        veteran.did("prune", 0)
        growing.write(b"c" * 300_000)
        veteran.did("erase", 7, "--yes")
        veteran.did("key", "rotate")
        growing.write(b"d" * 10_000)
        veteran.did("key", "retire")
        veteran.did("get", 0, "back")
        veteran.did("doctor")
        veteran.did("prove", 1, "-o", "claim")
        receipt = growing.seal()
        client.checkpoint()
        status = client.status()
        assert (status.state, status.pid) == (OwnerState.OPEN, owned.pid)
        assert status.entries == status.checkpoint_size == receipt.index + 1
    # The key that signs is the new one, also for what the owner itself signed after.
    veteran.did("prove", receipt.index, "-o", "claim", "--recording")
    veteran.did("verify", "claim", "--key", veteran.vkey())
    veteran.is_whole()


def test_a_killed_command_leaves_the_owner_at_work(
    veteran: Robot, owned: subprocess.Popen[str]
) -> None:
    (veteran.work / "big.log").write_bytes(bytes(50_000_000))
    with ControlClient(veteran.home) as client:
        with veteran.start("ingest", "big.log") as command:
            wait_for(lambda: client.status().lent_to == command.pid or command.poll() is not None)
            command.send_signal(signal.SIGKILL)
        wait_for(lambda: client.status().state is OwnerState.OPEN)
        client.checkpoint()
    veteran.is_whole()


def test_an_owner_killed_under_a_command(veteran: Robot) -> None:
    (veteran.work / "big.log").write_bytes(bytes(50_000_000))
    with (
        owner_process(veteran.home, veteran.environment) as owned,
        ControlClient(veteran.home) as client,
        veteran.start("ingest", "big.log") as command,
    ):
        wait_for(lambda: client.status().lent_to == command.pid or command.poll() is not None)
        owned.kill()
        owned.wait()
        assert command.wait(60) == 0
    assert veteran.told("show", 6)["name"] == "big.log"
    veteran.is_whole()


def test_nobody_is_lent_a_home_while_a_person_is_asked(
    veteran: Robot, owned: subprocess.Popen[str]
) -> None:
    assert "not confirmed" in veteran.refused("erase", 1, code=5)
    assert owned.stdout is not None
    veteran.did("checkpoint")
    assert owned.stdout.readline() == "LENT\n"  # the first event: the refusal made none
    assert owned.stdout.readline() == "OPEN\n"


def test_the_status_verb(veteran: Robot, tmp_path: Path) -> None:
    alone = veteran.told("status")
    assert (alone["state"], alone["pid"], alone["entries"]) == ("unowned", 0, 6)
    assert (alone["checkpoint_size"], alone["uncheckpointed"]) == (6, 0)
    assert alone["checkpoint_time_ns"] > 0
    with owner_process(veteran.home, veteran.environment) as owned:
        told = veteran.told("status")
        assert (told["state"], told["pid"]) == ("open", owned.pid)
        assert {key: told[key] for key in alone if key.startswith(("entr", "check", "orig"))} == {
            key: alone[key] for key in alone if key.startswith(("entr", "check", "orig"))
        }
        with closing(SocketSink(veteran.home)) as sink:
            sink.begin()
            said = veteran.did("status")
            assert f"owner: process {owned.pid}\n" in said
            assert "being recorded: 1 record(s)\n" in said
        with ControlClient(veteran.home) as client:
            client.lend()
            assert "lent to process" in veteran.did("status")
            # While it is lent the log is cut short: the owner cannot take it back.
            data = veteran.home / "log" / "data.mdb"
            good = data.read_bytes()
            data.write_bytes(good[:100])
        wait_for(lambda: veteran.run("status").code == 4)
        told = veteran.told("status", code=4)
        assert (told["ok"], told["state"]) == (False, "faulty")
        assert "damaged" in told["fault"]
        assert "cannot be written" in veteran.run("status").out
        data.write_bytes(good)
    assert "being recorded: 1 record(s)\n" in veteran.did("status")
