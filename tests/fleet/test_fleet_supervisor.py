"""The supervisor, with real processes: restarts, back-off, logs, and an orderly end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import LockedError, MalformedError, RefusedError
from ledger.fleet.ending import Deadlines, Ended, end_processes
from ledger.fleet.model import FleetPaths
from ledger.fleet.plan import FleetPlan, Process, Rank, Restart
from ledger.fleet.process_record import ProcessRecord
from ledger.fleet.state import FleetState, ProcessState
from ledger.fleet.supervisor import Backoff, Supervisor, describe_exit, running_processes

STUBBORN = Path(__file__).with_name("stubborn.py")
QUICK = Deadlines(interrupt_s=2.0, terminate_s=2.0, kill_s=2.0)
EAGER = Backoff(first_s=0.1, most_s=0.4, settled_s=60.0)
PATIENCE_S = 60.0


class Yard:
    """A folder for one fleet of stubborn processes."""

    def __init__(self, folder: Path) -> None:
        self.paths = FleetPaths(folder / "fleet")
        self.folder = folder

    def process(self, name: str, *arguments: str, **more: object) -> Process:
        made = Process(
            name=name,
            command=(sys.executable, str(STUBBORN), str(self.notes(name)), *arguments),
            environment={"GREETING": name},
            log=self.paths.log(name),
            modules=(),
        )
        return replace(made, **more)  # type: ignore[arg-type]

    def notes(self, name: str) -> Path:
        return self.folder / f"{name}.notes"

    def noted(self, name: str) -> list[str]:
        path = self.notes(name)
        return path.read_text().splitlines() if path.exists() else []

    def pids(self, name: str) -> list[int]:
        return [int(line.split()[1]) for line in self.noted(name) if line.startswith("start")]

    def supervisor(self, *processes: Process) -> Supervisor:
        return Supervisor(FleetPlan(processes), self.paths, backoff=EAGER, deadlines=QUICK)


@pytest.fixture
def yard(tmp_path: Path) -> Yard:
    return Yard(tmp_path)


def until(condition: Callable[[], object], supervisor: Supervisor | None = None) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        if supervisor is not None:
            supervisor.step()
        time.sleep(0.02)


def alive(pid: int) -> bool:
    return ProcessRecord.of(pid) is not None


def test_processes_run_log_and_end(yard: Yard) -> None:
    with yard.supervisor(yard.process("r1"), yard.process("r2")) as supervisor:
        supervisor.start()
        until(lambda: yard.pids("r1") and yard.pids("r2"), supervisor)
        records = running_processes(yard.paths)
        assert {name: record.pid for name, record in records.items()} == {
            "r1": yard.pids("r1")[0],
            "r2": yard.pids("r2")[0],
        }
        state = FleetState.read(yard.paths.state)
        assert state is not None
        assert state.supervised
        assert [each.state for each in state.processes] == [ProcessState.RUNNING] * 2
        assert supervisor.stop() == {"r1": Ended.INTERRUPTED, "r2": Ended.INTERRUPTED}
        assert supervisor.finished
    assert running_processes(yard.paths) == {}
    assert list(yard.paths.run.glob("*.pid")) == []
    log = yard.paths.log("r1").read_text()
    assert "start 1: " in log
    assert "hello" in log
    assert "exit 0" in log
    state = FleetState.read(yard.paths.state)
    assert state is not None
    assert [each.state for each in state.processes] == [ProcessState.ENDED] * 2


def test_a_killed_process_comes_back(yard: Yard) -> None:
    with yard.supervisor(yard.process("r1"), yard.process("r2")) as supervisor:
        supervisor.start()
        until(lambda: yard.pids("r1") and yard.pids("r2"), supervisor)
        os.kill(yard.pids("r1")[0], signal.SIGKILL)
        until(lambda: len(yard.pids("r1")) == 2, supervisor)
        status = supervisor.statuses[0]
        assert (status.restarts, status.last_exit) == (1, "SIGKILL")
        assert yard.pids("r2") == [running_processes(yard.paths)["r2"].pid]  # left alone
    assert not alive(yard.pids("r1")[1])
    assert "SIGKILL" in yard.paths.log("r1").read_text()


def test_restarts_back_off(yard: Yard) -> None:
    began = time.monotonic()
    with yard.supervisor(yard.process("r1", "--exit", "3")) as supervisor:
        supervisor.start()
        until(lambda: len(yard.pids("r1")) == 4, supervisor)
        # 0.1 s, 0.2 s and 0.4 s lie between four starts.
        assert time.monotonic() - began >= 0.7
        until(lambda: supervisor.statuses[0].state is ProcessState.WAITING, supervisor)
        status = supervisor.statuses[0]
        assert status.last_exit == "exit 3"
        assert status.next_start_ns is not None
        supervisor.stop()
        assert supervisor.finished
        assert not supervisor.step()  # and none is due after the end
    assert running_processes(yard.paths) == {}


def test_delays_double_up_to_a_limit_and_start_again() -> None:
    backoff = Backoff(first_s=0.5, most_s=30.0)
    assert [backoff.delay(n) for n in (1, 2, 3, 7, 8, 1000)] == [0.5, 1.0, 2.0, 30.0, 30.0, 30.0]


def test_a_process_that_ran_well_is_restarted_at_once(yard: Yard) -> None:
    patient = Backoff(first_s=0.05, most_s=60.0, settled_s=0.3)
    plan = FleetPlan((yard.process("r1"),))
    with Supervisor(plan, yard.paths, backoff=patient, deadlines=QUICK) as supervisor:
        supervisor.start()
        for round_ in range(1, 9):  # 0.05 s doubled eight times would be 12.8 s
            until(lambda wanted=round_: len(yard.pids("r1")) == wanted, supervisor)
            time.sleep(0.3)
            os.kill(yard.pids("r1")[-1], signal.SIGKILL)


def test_a_simulation_that_is_over_stays_over(yard: Yard) -> None:
    simulator = yard.process("simulator", "--exit", "0", restart=Restart.ON_FAILURE)
    with yard.supervisor(simulator) as supervisor:
        supervisor.start()
        until(lambda: supervisor.finished, supervisor)
        time.sleep(0.3)
        assert not supervisor.step()
    assert len(yard.pids("simulator")) == 1


def test_a_command_that_is_not_there_is_told_and_tried_again(yard: Yard) -> None:
    missing = yard.process("r1", command=("/nonexistent/robot",))
    with yard.supervisor(missing, yard.process("r2")) as supervisor:
        supervisor.start()
        until(lambda: supervisor.statuses[0].restarts >= 1, supervisor)
        assert "cannot be started: No such file" in str(supervisor.statuses[0].last_exit)
        until(lambda: yard.pids("r2"), supervisor)


def test_who_ignores_is_terminated_then_killed_with_its_children(yard: Yard) -> None:
    processes = (
        yard.process("kind"),
        yard.process("firm", "--ignore", "SIGINT"),
        yard.process("deaf", "--ignore", "SIGINT,SIGTERM", "--child"),
    )
    quick = Deadlines(interrupt_s=1.0, terminate_s=1.0, kill_s=10.0)
    with Supervisor(FleetPlan(processes), yard.paths, deadlines=quick) as supervisor:
        supervisor.start()
        until(lambda: all(yard.pids(each.name) for each in processes), supervisor)
        until(lambda: len(yard.pids("deaf")) == 2, supervisor)  # the child's start too
        assert supervisor.stop() == {
            "kind": Ended.INTERRUPTED,
            "firm": Ended.TERMINATED,
            "deaf": Ended.KILLED,
        }
    assert not any(alive(pid) for pid in yard.pids("deaf"))
    assert [line.split()[0] for line in yard.noted("firm")] == ["start", "SIGINT", "SIGTERM"]


def test_robots_end_before_the_simulator(yard: Yard) -> None:
    processes = (
        yard.process("simulator", rank=Rank.SIMULATOR),
        yard.process("r1", "--ignore", "SIGINT"),
    )
    quick = Deadlines(interrupt_s=0.6, terminate_s=5.0, kill_s=5.0)
    with Supervisor(FleetPlan(processes), yard.paths, deadlines=quick) as supervisor:
        supervisor.start()
        until(lambda: yard.pids("simulator") and yard.pids("r1"), supervisor)
    signalled = yard.notes("simulator").stat().st_mtime_ns
    assert signalled >= yard.notes("r1").stat().st_mtime_ns
    assert yard.noted("simulator")[-1].startswith("SIGINT")


def test_who_is_in_a_hurry_skips_the_deadline(yard: Yard) -> None:
    slow = Deadlines(interrupt_s=60.0, terminate_s=60.0, kill_s=20.0)
    deaf = yard.process("deaf", "--ignore", "SIGINT,SIGTERM")
    with Supervisor(FleetPlan((deaf,)), yard.paths, deadlines=slow) as supervisor:
        supervisor.start()
        until(lambda: yard.pids("deaf"), supervisor)
        began = time.monotonic()
        assert supervisor.stop(hurried=lambda: True) == {"deaf": Ended.KILLED}
        assert time.monotonic() - began < 30.0


def test_a_fleet_has_one_supervisor(yard: Yard) -> None:
    with yard.supervisor(yard.process("r1")) as supervisor:
        supervisor.start()
        with (
            pytest.raises(LockedError, match=f"process {os.getpid()} keeps it"),
            yard.supervisor(yard.process("r1")),
        ):
            pass
    with yard.supervisor(yard.process("r1")):
        pass  # the lock is free again


def test_processes_of_a_dead_supervisor_are_refused_then_ended(yard: Yard) -> None:
    yard.paths.run.mkdir(parents=True)
    with subprocess.Popen(
        [sys.executable, str(STUBBORN), str(yard.notes("r1"))],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as orphan:
        try:
            until(lambda: yard.pids("r1"))
            record = ProcessRecord.of(orphan.pid)
            assert record is not None
            record.write(yard.paths.pid("r1"))
            with (
                pytest.raises(RefusedError, match=f"r1 \\({orphan.pid}\\)"),
                yard.supervisor(yard.process("r1")),
            ):
                pass
            assert running_processes(yard.paths) == {"r1": record}
            assert end_processes(running_processes(yard.paths), QUICK) == {"r1": Ended.INTERRUPTED}
        finally:
            orphan.kill()
    assert running_processes(yard.paths) == {}


def test_a_stranger_with_the_same_pid_is_left_alone(yard: Yard) -> None:
    """After a reboot the pid of a pid file may be anybody's."""
    yard.paths.run.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        try:
            real = ProcessRecord.of(stranger.pid)
            assert real is not None
            ticks, boot = real.started.split()
            for started in (f"{int(ticks) - 1} {boot}", f"{ticks} another-boot"):
                taken = ProcessRecord(stranger.pid, started)
                taken.write(yard.paths.pid("r1"))
                assert not taken.alive
                assert not taken.send(signal.SIGTERM)
                assert not taken.kill_group()
                assert running_processes(yard.paths) == {}
                assert end_processes({"r1": taken}, QUICK) == {"r1": Ended.BY_ITSELF}
            assert real.alive
        finally:
            stranger.kill()


@pytest.mark.parametrize("text", ["", "12", "x\ny\n", "\xff"])
def test_a_damaged_pid_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "r1.pid"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MalformedError, match="no pid file"):
        ProcessRecord.read(path)
    assert ProcessRecord.read(tmp_path / "none.pid") is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"supervisor": 1, "processes": []}', "\x00"])
def test_a_damaged_state_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(MalformedError, match="no fleet's state"):
        FleetState.read(path)


def test_exits_are_said_for_people() -> None:
    assert [describe_exit(code) for code in (0, 4, -9, -64)] == [
        "exit 0",
        "exit 4",
        "SIGKILL",
        "SIGRTMAX",
    ]


def test_a_long_log_is_set_aside(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.fleet.supervisor.MAX_LOG_SIZE", 10)
    yard.paths.logs.mkdir(parents=True)
    yard.paths.log("r1").write_text("from before, and long\n")
    with yard.supervisor(yard.process("r1")) as supervisor:
        supervisor.start()
        until(lambda: yard.pids("r1"), supervisor)
    assert yard.paths.log("r1").with_name("r1.log.1").exists()


def test_a_full_disk_does_not_end_the_robots(yard: Yard) -> None:
    with yard.supervisor(yard.process("r1")) as supervisor:
        supervisor.start()
        until(lambda: yard.pids("r1"), supervisor)
        # What cannot be written as root either: a folder in the place of the file.
        yard.paths.log("r1").unlink()
        yard.paths.log("r1").mkdir()
        yard.paths.state.unlink()
        yard.paths.state.mkdir()
        os.kill(yard.pids("r1")[0], signal.SIGKILL)
        until(lambda: len(yard.pids("r1")) == 2, supervisor)
        assert alive(yard.pids("r1")[1])
