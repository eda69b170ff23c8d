"""What happens to robots: full disks, old backups, two writers. Nothing is lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from tests.cli.robot import CommandServer, Robot

# What changes the home, with a robot that has six entries and a passphrase file.
WRITES: tuple[tuple[object, ...], ...] = (
    ("ingest", "new.log"),
    ("checkpoint",),
    ("key", "rotate"),
    ("key", "retire"),
    ("erase", 5, "--yes"),
    ("prune", 4, "--force"),
)


def _prepared(robot: Robot) -> Robot:
    (robot.work / "new.log").write_bytes(os.urandom(200_000))
    (robot.work / "phrase").write_text("correct horse")
    return robot


def test_a_full_disk_while_content_comes_in(veteran: Robot) -> None:
    big = veteran.work / "big.log"
    big.write_bytes(bytes(3_000_000))
    limits = {"RLIMIT_FSIZE": 1_000_000}
    for how in ((), ("--encrypt",)):
        line = veteran.refused("ingest", big, *how, code=4, limits=limits)
        assert "no space is left" in line
        assert list((veteran.home / "incoming").iterdir()) == []
    veteran.refused("get", 0, "back", code=4, limits=limits)
    assert list((veteran.work / "back").iterdir()) == []
    veteran.refused("offload", "shelf", code=4, limits=limits)
    assert veteran.is_whole()["entries"] == 6
    veteran.did("ingest", big)
    veteran.did("offload", "shelf")
    assert veteran.is_whole()["entries"] == 7


def test_a_disk_that_is_full_for_every_write(veteran: Robot) -> None:
    """Every file may be as long as it is by now, and LMDB's may not grow."""
    _prepared(veteran)
    for number in range(40):
        (veteran.work / f"{number}.log").write_text(f"entry {number}")
    data = veteran.home / "log" / "data.mdb"
    veteran.did("ingest", *(veteran.work / f"{number}.log" for number in range(40)))
    entries = 46
    outcomes = []
    for arguments in WRITES:
        limits = {"RLIMIT_FSIZE": 8192}
        outcome = veteran.run(*arguments, limits=limits)
        outcomes.append(outcome)
        assert outcome.code in {0, 4, 5}, outcome
        assert outcome.err.count("\n") == (outcome.code != 0), outcome
        report = veteran.told("audit", "--deep")
        assert report["ok"] is True, (outcome, report)
        assert report["entries"] >= entries
        entries = report["entries"]
    assert sum("no space is left" in outcome.err for outcome in outcomes) >= 4, outcomes
    assert data.stat().st_size > 8192
    # With room again, everything can be done.
    veteran.did("ingest", "new.log")
    veteran.did("checkpoint")
    assert veteran.is_whole()["entries"] > 46


@pytest.fixture
def cramped(tmp_path: Path) -> Iterator[Robot]:
    """A robot whose home is a disk of its own of 3 MB, seen by its commands alone."""
    home = tmp_path / "robot" / "home"
    home.mkdir(parents=True)
    server = _in_a_namespace(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", home])
    yield Robot(tmp_path / "robot", server)
    server.close()


@pytest.fixture
def frozen(veteran: Robot) -> Iterator[Robot]:
    """A robot whose home is mounted read-only."""
    home = veteran.home
    server = _in_a_namespace(
        ["mount", "--bind", home, home], ["mount", "-o", "remount,bind,ro", home]
    )
    veteran.server = server
    yield veteran
    server.close()


def _in_a_namespace(*mounts: list[object]) -> CommandServer:
    """A server whose commands see these mounts, and nobody else does."""
    script = " && ".join(" ".join(f"'{word}'" for word in mount) for mount in mounts)
    for ways in (["-m"], ["-r", "-m"]):
        prefix = ["unshare", *ways, "sh", "-c", f'{script} && exec "$@"', "sh"]
        if subprocess.run([*prefix, "true"], capture_output=True, check=False).returncode == 0:
            return CommandServer(prefix)
    pytest.skip("SKIPPED: mount namespaces are not allowed here (neither root nor user ones)")


def test_a_small_disk_fills_up(cramped: Robot) -> None:
    robot = cramped
    robot.did("init", "--origin", "example.com/small")
    committed = 0
    for number in range(40):
        (robot.work / f"{number}.log").write_bytes(os.urandom(150_000))
        outcome = robot.run("ingest", f"{number}.log")
        if outcome.code:
            break
        committed += 1
    assert 5 < committed < 25
    assert outcome.code == 4
    assert "no space is left" in outcome.err
    assert outcome.err.count("\n") == 1
    for arguments in (("ingest", "0.log"), ("ingest", "0.log", "--encrypt")):
        robot.refused(*arguments, code=4)
    # Reading goes on, and what makes room does too.
    assert robot.told("log")["size"] == committed
    assert robot.is_whole()["entries"] == committed
    robot.did("get", 0, "back")
    robot.did("offload", "shelf", 0, 1)
    robot.did("prune", 0, 1)
    robot.did("ingest", "0.log")
    robot.did("checkpoint")
    report = robot.is_whole()
    assert (report["entries"], report["records_pruned"]) == (committed + 2, 2)


def test_a_read_only_home_can_be_read(frozen: Robot) -> None:
    _prepared(frozen)
    for arguments in WRITES:
        line = frozen.refused(*arguments, code=4)
        assert "cannot be written" in line
    for reading in (
        ("log",),
        ("show", 0),
        ("prove", 0, "-o", "claim"),
        ("key", "show"),
        ("export-tiles", "tiles"),
        ("audit", "--deep"),
    ):
        assert frozen.run(*reading).code == 0
    outcome = frozen.run("get", 0, "back")
    assert outcome.code == 0
    assert "read-only" in outcome.err
    frozen.did("key", "backup", "saved", "--passphrase-file", "phrase")
    frozen.refused("key", "restore", "saved", "--passphrase-file", "phrase", "--force", code=4)
    assert frozen.told("doctor", code=4)["ok"] is False
    assert frozen.is_whole()["entries"] == 6


@contextlib.contextmanager
def _shut(*paths: Path, mode: int) -> Iterator[None]:
    """Files and folders with other permissions for a while."""
    before = {path: stat.S_IMODE(path.stat().st_mode) for path in paths}
    try:
        for path in paths:
            path.chmod(mode)
        yield
    finally:
        for path, was in before.items():
            path.chmod(was)


@pytest.fixture
def powerless() -> Iterator[CommandServer]:
    """Commands that permissions hold for, even where the tests are root's."""
    prefix: list[str] = []
    if os.geteuid() == 0:
        without = "-dac_override,-dac_read_search,-fowner"
        prefix = ["setpriv", f"--bounding-set={without}", f"--inh-caps={without}", "--"]
        if (
            shutil.which("setpriv") is None
            or subprocess.run([*prefix, "true"], check=False).returncode
        ):
            pytest.skip("SKIPPED: root without setpriv(1) cannot be kept out of anything")
    server = CommandServer(prefix)
    yield server
    server.close()


def test_permissions_that_are_missing(veteran: Robot, powerless: CommandServer) -> None:
    _prepared(veteran)
    veteran.did("prove", 0, "-o", "claim")
    veteran.server = powerless
    vkey = veteran.vkey()

    def closed(path: Path, mode: int, *arguments: object, code: int) -> str:
        with _shut(path, mode=mode):
            return veteran.refused(*arguments, code=code)

    work, home = veteran.work, veteran.home
    assert "permission denied" in closed(work / "new.log", 0, "ingest", "new.log", code=3)
    closed(work / "claim", 0, "verify", "claim", "--key", vkey, code=3)
    closed(work, 0o500, "prove", 0, code=4)
    closed(work, 0o500, "get", 0, code=4)
    closed(work, 0o500, "export-tiles", "tiles", code=4)
    closed(work, 0o500, "offload", "shelf", code=4)
    closed(home / "log" / "data.mdb", 0o400, "ingest", "new.log", code=4)
    closed(home / "log" / "writer.lock", 0o400, "ingest", "new.log", code=4)
    # Content goes to a folder named by its root's first byte, which may be there already.
    with _shut(*(home / "content").iterdir(), mode=0o500):
        closed(home / "content", 0o500, "ingest", "new.log", code=4)
    closed(home / "incoming", 0o500, "ingest", "new.log", code=4)
    closed(home / "keys" / "records", 0o500, "ingest", "new.log", code=4)
    for reading in ("log", "audit", "checkpoint"):
        closed(home / "log" / "data.mdb", 0, reading, code=4)
    closed(home / "keys" / "signing", 0, "checkpoint", code=4)
    closed(home, 0, "log", code=4)
    # Where checkpoints are remembered: without it nothing may be signed.
    (work / "more.log").write_text("more")
    veteran.did("ingest", "more.log")
    line = closed(veteran.published, 0o500, "checkpoint", code=4)
    assert str(veteran.published) in line
    closed(veteran.published, 0, "ingest", "more.log", code=4)
    report = veteran.is_whole()
    assert report["entries"] == 7
    veteran.did("checkpoint")
    veteran.is_whole()


def test_a_file_where_checkpoints_are_remembered(veteran: Robot) -> None:
    environment = {**veteran.environment, "QUIPU_PUBLISHED": str(veteran.work / "file")}
    (veteran.work / "file").write_text("in the way")
    for arguments in (("checkpoint",), ("init", "--home", "second")):
        line = veteran.refused(*arguments, code=4, environment=environment)
        assert str(veteran.work / "file") in line
    veteran.did("init", "--home", "second")
    veteran.is_whole()


def test_one_writer_at_a_time(veteran: Robot) -> None:
    _prepared(veteran)
    veteran.did("key", "rotate")
    storage = LmdbStorage.open_writer(veteran.home / "log")
    try:
        for arguments in WRITES:
            line = veteran.refused(*arguments, code=4)
            assert f"process {os.getpid()} is writing" in line
        for reading in (("log",), ("get", 0, "back"), ("prove", 0), ("audit",), ("key", "show")):
            veteran.did(*reading)
        examined = veteran.told("doctor", code=4)["examined"]
        assert any(f"process {os.getpid()}" in each["message"] for each in examined)
    finally:
        storage.close()
    veteran.did("ingest", "new.log")
    veteran.is_whole()


def test_a_home_of_a_newer_format(veteran: Robot) -> None:
    _prepared(veteran)
    storage = LmdbStorage.open_writer(veteran.home / "log")
    storage.write(lambda transaction: transaction.put(Table.META, b"format", b"quipu/2"))
    storage.close()
    before = (veteran.home / "log" / "data.mdb").read_bytes()
    for arguments in (*WRITES, ("log",), ("show", 0), ("prove", 0), ("audit",), ("key", "show")):
        line = veteran.refused(*arguments, code=4)
        assert "has format 2; this version reads 1" in line
        assert "newer version" in line
    assert (veteran.home / "log" / "data.mdb").read_bytes() == before


def test_a_home_restored_from_an_old_backup(veteran: Robot, bags: Path) -> None:
    _prepared(veteran)
    old = shutil.copytree(veteran.home, veteran.folder / "backup")
    veteran.did("ingest", "new.log")
    veteran.did("checkpoint", "-o", "newest")
    veteran.did("export-tiles", "tiles")
    newer = veteran.home.rename(veteran.folder / "lost")
    shutil.copytree(old, veteran.home)

    for arguments in WRITES:
        if arguments[:2] == ("key", "retire"):
            continue  # refused anyway: there is one key
        line = veteran.refused(*arguments, code=5)
        assert "restored from an old backup" in line
        assert "catch up" in line
    # Nor does it wait for ever for a home that takes nothing.
    (veteran.work / "drives").mkdir()
    shutil.copy(bags / "rosbag2_py_mcap_talker" / "talker.mcap", veteran.work / "drives")
    done = veteran.run("follow", "--once", "drives")
    assert done.code == 5
    assert done.err.startswith("quipu: the log has 6 leaves, but has published") and (
        done.err.count("\n") == 1
    )
    assert veteran.told("log")["size"] == 6
    veteran.did("get", 1, "back")
    report = veteran.told("audit", code=1)
    kinds = {finding["kind"] for finding in report["findings"]}
    assert kinds == {"checkpoint-ahead", "checkpoint-missing"}
    examined = veteran.told("doctor", code=4)["examined"]
    assert any("--catch-up" in (each["hint"] or "") for each in examined)

    # Caught up from what was exported, it goes on as the same log.
    assert veteran.told("doctor", "--catch-up", "tiles")["caught_up"] == 1
    veteran.did("ingest", "phrase")
    veteran.did("checkpoint")
    # The log is whole; what was not in the backup is named as missing, and nothing else.
    for since in ((), ("--since", "newest")):
        findings = veteran.told("audit", *since, code=1)["findings"]
        assert {finding["kind"] for finding in findings} == {
            "chunks-row",
            "key-missing",
            "content-missing",
        }
    # The one that was lost and is found again is now the old one.
    veteran.home.rename(veteran.folder / "caught up")
    newer.rename(veteran.home)
    veteran.refused("ingest", "new.log", code=5)


def _wait_for(what: Path, pattern: str) -> None:
    def has_come() -> bool:
        with contextlib.suppress(FileNotFoundError):  # made, and removed to be copied
            return any(path.stat().st_size > 1_000_000 for path in what.glob(pattern))
        return False

    deadline = time.monotonic() + 60
    while not has_come():
        assert time.monotonic() < deadline, f"nothing at {what}/{pattern}"
        time.sleep(0.005)


@pytest.mark.parametrize("arguments", [(), ("--encrypt",), ("--json",)])
def test_ctrl_c_while_a_big_recording_comes_in(veteran: Robot, arguments: tuple[str, ...]) -> None:
    _big(veteran)
    with veteran.start("ingest", "big.log", *arguments) as process:
        _wait_for(veteran.home / "incoming", "*/*")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, (out, err)
    assert err.startswith(b"quipu: interrupted (")
    assert err.count(b"\n") == 1
    assert b"Traceback" not in err
    assert (b'"ok": false' in out) == (arguments == ("--json",))
    assert list((veteran.home / "incoming").iterdir()) == []
    assert veteran.is_whole()["entries"] == 6


def test_killed_while_a_big_recording_comes_in(veteran: Robot) -> None:
    _big(veteran)
    with veteran.start("ingest", "big.log") as process:
        _wait_for(veteran.home / "incoming", "*/*")
        process.kill()
    assert list((veteran.home / "incoming").iterdir())
    assert veteran.is_whole()["entries"] == 6
    # The next writer tidies up.
    _prepared(veteran)
    veteran.did("ingest", "new.log")
    assert list((veteran.home / "incoming").iterdir()) == []
    assert veteran.is_whole()["entries"] == 7


def _big(robot: Robot) -> None:
    """A file that takes a while, and no room: it is a hole."""
    with (robot.work / "big.log").open("wb") as file:
        file.truncate(400_000_000)


def test_ctrl_c_while_a_question_is_asked(veteran: Robot) -> None:
    """Not even a question leaves a traceback."""
    ours, theirs = os.openpty()
    with veteran.start("erase", "0", stdin=theirs) as process:
        os.close(theirs)
        assert process.stderr is not None
        assert b"for good?" in os.read(process.stderr.fileno(), 1000)
        # Again and again, as people do: one that comes just before the terminal is read is
        # not noticed until something is typed.
        for _ in range(60):
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
                break
        out, err = process.communicate(timeout=60)
    os.close(ours)
    assert (process.returncode, out) == (130, b"")
    assert err.strip().startswith(b"quipu: interrupted")
    assert veteran.is_whole()["entries"] == 6


@pytest.mark.parametrize("megabytes", [20, 60, 120, 200])
def test_too_little_memory(veteran: Robot, megabytes: int) -> None:
    _prepared(veteran)
    for arguments in (("ingest", "new.log"), ("audit",), ("log",), ("checkpoint",)):
        outcome = veteran.run(*arguments, limits={"RLIMIT_AS": megabytes << 20})
        assert outcome.code in {0, 4}, outcome
        if outcome.code:
            assert outcome.err.startswith("quipu: "), outcome
            assert outcome.err.count("\n") == 1, outcome
    veteran.is_whole()
