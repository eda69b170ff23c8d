"""`quipu fleet`, with real processes that need no ROS: accidents, restarts, and the end."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fleet.yard import FAKE_NODES, Yard, runs, until, without_ros


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    made = without_ros(tmp_path)
    yield made
    if made.pids():
        made.run("fleet", "down", made.file, "--patience", "2")


def test_a_robot_killed_comes_back_and_goes_on(yard: Yard) -> None:
    up = yard.told("fleet", "up", yard.file, "--detach")
    assert set(up["processes"]) == {"r1", "r2", "r3"}
    until(lambda: yard.entries("r2") >= 2, "entries")
    os.kill(up["processes"]["r2"], signal.SIGKILL)
    until(lambda: not runs(up["processes"]["r2"]), "the end of it")
    before = yard.entries("r2")
    until(lambda: yard.entries("r2") > before, "entries after the kill")
    row = yard.watch()["r2"]
    assert row["process"] == "running"
    assert row["restarts"] == 1
    assert row["pid"] != up["processes"]["r2"]
    status = yard.told("fleet", "status", yard.file)
    assert status["supervised"] is True
    assert {each["name"]: each["restarts"] for each in status["processes"]} == {
        "r1": 0,
        "r2": 1,
        "r3": 0,
    }
    pids = yard.pids()
    down = yard.told("fleet", "down", yard.file)
    assert down["ended"] == dict.fromkeys(["r1", "r2", "r3", "supervisor"], "interrupted")
    assert not any(runs(pid) for pid in pids.values())
    assert yard.pids() == {}
    assert yard.told("fleet", "status", yard.file, code=1)["supervised"] is False
    yard.is_whole("r2")
    assert "SIGKILL" in (yard.directory / "logs/r2.log").read_text()


def test_a_fleet_that_others_started_is_well_while_all_of_it_runs(yard: Yard) -> None:
    yard.told("fleet", "up", yard.file, "--detach")
    yard.told("fleet", "down", yard.file)  # what it leaves behind is of the past
    plan = yard.told("fleet", "init", yard.file)
    with ExitStack() as started:
        robots = {}
        for each in plan["processes"]:
            robots[each["name"]] = process = subprocess.Popen(
                each["command"],
                env={**yard.environment, **each["environment"]},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            started.callback(process.wait)
            started.callback(process.send_signal, signal.SIGINT)
        until(lambda: all(row["memory_pid"] for row in yard.watch().values()), "robots")
        status = yard.told("fleet", "status", yard.file)
        assert (status["ok"], status["supervised"]) == (True, False)
        rows = {row["name"]: (row["memory_pid"], row["process"]) for row in status["robots"]}
        assert rows == {name: (process.pid, None) for name, process in robots.items()}
        robots["r2"].kill()
        robots["r2"].wait()
        assert yard.told("fleet", "status", yard.file, code=1)["ok"] is False


def test_ctrl_c_ends_a_fleet_in_order(yard: Yard) -> None:
    with subprocess.Popen(
        yard.command("fleet", "up", yard.file),
        cwd=yard.folder,
        env=yard.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as supervisor:
        try:
            until(lambda: len(yard.pids()) == 4, "pid files")
            until(lambda: yard.entries("r1") >= 1, "entries")
            pids = yard.pids()
            # A terminal sends it to the whole group: only the supervisor is in it.
            os.killpg(supervisor.pid, signal.SIGINT)
            out, err = supervisor.communicate(timeout=60)
        finally:
            supervisor.kill()
    assert supervisor.returncode == 0, err
    assert "ended r1, r2, r3" in out
    assert "r1 runs as process" in err
    assert not any(runs(pid) for pid in pids.values())


def test_in_a_terminal_the_fleet_is_shown_live(yard: Yard) -> None:
    terminal, behind = pty.openpty()
    with subprocess.Popen(
        yard.command("fleet", "up", yard.file),
        cwd=yard.folder,
        env={**yard.environment, "TERM": "xterm"},
        stdin=behind,
        stdout=behind,
        stderr=behind,
        start_new_session=True,
    ) as supervisor:
        os.close(behind)
        shown = b""
        deadline = time.monotonic() + 90
        try:
            while b"Ctrl-C ends the fleet" not in shown or b"good" not in shown:
                assert time.monotonic() < deadline, shown
                shown += os.read(terminal, 4096)
            supervisor.send_signal(signal.SIGTERM)
            while b"ended r1, r2, r3" not in shown:
                assert time.monotonic() < deadline, shown
                shown += os.read(terminal, 4096)
            assert supervisor.wait(timeout=60) == 0
        finally:
            supervisor.kill()
            os.close(terminal)
    for word in (b"entries", b"witnesses", b"r3"):
        assert word in shown


def test_when_the_supervisor_dies_robots_go_on_until_down(yard: Yard) -> None:
    up = yard.told("fleet", "up", yard.file, "--detach")
    os.kill(up["supervisor"], signal.SIGKILL)
    until(lambda: not runs(up["supervisor"]), "end of the supervisor")
    first = yard.entries("r1")
    until(lambda: yard.entries("r1") > first, "entries without a supervisor")
    assert yard.watch()["r1"]["process"] == "lost"
    refused = yard.told("fleet", "up", yard.file, "--detach", code=5)
    assert "their supervisor is gone" in refused["error"]["message"]
    down = yard.told("fleet", "down", yard.file)
    assert down["ended"] == dict.fromkeys(["r1", "r2", "r3"], "interrupted")
    assert not any(runs(pid) for pid in up["processes"].values())
    again = yard.told("fleet", "up", yard.file, "--detach")
    assert set(again["processes"]) == {"r1", "r2", "r3"}


def test_a_fleet_is_up_once(yard: Yard) -> None:
    up = yard.told("fleet", "up", yard.file, "--detach")
    for words in (("--detach",), ()):
        refused = yard.told("fleet", "up", yard.file, *words, code=4)
        assert f"process {up['supervisor']} keeps it" in refused["error"]["message"]


def test_down_leaves_strangers_alone(yard: Yard) -> None:
    yard.told("fleet", "init", yard.file)
    run = yard.directory / "run"
    run.mkdir()
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as stranger:
        try:
            (run / "r1.pid").write_text(f"{stranger.pid}\n1 a-boot-long-ago\n")
            assert yard.told("fleet", "down", yard.file)["ended"] == {}
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_down_says_what_it_took(yard: Yard) -> None:
    deaf = "import signal,time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; time.sleep(60)"
    robot = yard.folder / "deaf/quipu_nodes/robot.py"
    robot.parent.mkdir(parents=True)
    (robot.parent / "__init__.py").touch()
    robot.write_text(deaf.replace("; ", "\n"))
    yard.extra = {"PYTHONPATH": f"{robot.parents[1]}{os.pathsep}{yard.extra['PYTHONPATH']}"}
    up = yard.told("fleet", "up", yard.file, "--detach", "--robot", "r1")
    until(lambda: ignores(up["processes"]["r1"], signal.SIGTERM), "deaf robot")
    # The supervisor has deadlines of its own, which a second request makes it skip.
    os.kill(up["supervisor"], signal.SIGINT)
    down = yard.told("fleet", "down", yard.file)
    assert down["ended"] == {"r1": "killed", "supervisor": "interrupted"}
    assert not runs(up["processes"]["r1"])


def ignores(pid: int, number: signal.Signals) -> bool:
    (line,) = (
        line
        for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        if line.startswith("SigIgn:")
    )
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)


def test_one_robot_can_be_started_alone(yard: Yard) -> None:
    up = yard.told("fleet", "up", yard.file, "--detach", "--robot", "r3")
    assert set(up["processes"]) == {"r3"}


def test_without_ros_the_refusal_says_what_to_do(tmp_path: Path) -> None:
    yard = Yard(tmp_path, extra={"PYTHONPATH": str(FAKE_NODES)})
    script = (
        "import sys; sys.modules['rclpy'] = None; "
        "sys.argv = ['quipu', 'fleet', 'up', 'fleet.yaml', '--json']; "
        "from ledger.cli.main import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=yard.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 4, done
    assert "rclpy is not installed" in done.stdout
    assert "script/ros" in done.stdout
    assert not yard.directory.exists()  # refused before anything was made


def test_a_home_of_another_robot_is_refused(yard: Yard) -> None:
    yard.told("init", "--home", yard.home("r2"), "--origin", "example.com/stranger")
    refused = yard.told("fleet", "init", yard.file, code=5)
    assert "is the home of example.com/stranger" in refused["error"]["message"]


def test_what_is_there_already_stays(yard: Yard) -> None:
    first = yard.told("fleet", "init", yard.file)
    policy = (yard.directory / "policy").read_bytes()
    modified = (yard.directory / "policy").stat().st_mtime_ns
    second = yard.told("fleet", "init", yard.file)
    assert [each["created"] for each in first["robots"]] == [True] * 3
    assert [each["created"] for each in second["robots"]] == [False] * 3
    for key in ("log", "witness"):
        assert [each[key] for each in first["robots"]] == [each[key] for each in second["robots"]]
    assert (yard.directory / "policy").read_bytes() == policy
    assert (yard.directory / "policy").stat().st_mtime_ns == modified
    lines = policy.decode().splitlines()
    assert lines[-2:] == ["group fleet-quorum 2 r1 r2 r3", "quorum fleet-quorum"]
    for robot in yard.robots:
        key = yard.home(robot) / "keys/witness/witness.key"
        assert key.stat().st_mode & 0o077 == 0


def test_peers_stand_in_the_policy(tmp_path: Path) -> None:
    depot = without_ros(_made(tmp_path / "depot"), robots=("depot",))
    keys = depot.told("fleet", "init", depot.file)["robots"][0]
    peers = (
        "quorum: all\npeers:\n  - name: depot\n"
        f"    log: {keys['log'][0]}\n    witness: {keys['witness']}\n"
        "    url: http://127.0.0.1:8080\n"
    )
    yard = without_ros(_made(tmp_path / "yard"), robots=("r1",), more=peers)
    yard.told("fleet", "init", yard.file)
    policy = (yard.directory / "policy").read_text()
    assert f"log {keys['log'][0]}\n" in policy
    assert f"witness depot {keys['witness']} http://127.0.0.1:8080\n" in policy
    assert "group fleet-quorum 1 r1 depot\n" in policy


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
