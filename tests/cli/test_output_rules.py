"""The rules of `ledger.cli.ui`: who reads what, and that it can be relied on."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

from ledger.cli.main import VERBS
from tests.cli.robot import REPOSITORY, Robot

FLEET = REPOSITORY / "launch" / "config" / "fleet.yaml"

# One command a verb that ends well, and one that does not, with its exit status.
WELL = (
    ("follow", "../said", "--once", "--settle", "0.1"),
    ("log",),
    ("show", "0"),
    ("lineage", "0"),
    ("get", "0", "back"),
    ("checkpoint",),
    ("prove", "0"),
    ("audit",),
    ("status",),
    ("export-tiles", "tiles"),
    ("offload", "shelf"),
    ("prune", "0"),
    ("erase", "1", "--yes"),
    ("key", "show"),
    ("key", "rotate"),
    ("key", "retire"),
    ("witness", "key", "--create", "example.com/husky-7/witness"),
    ("witness", "status"),
    ("doctor",),
    ("fleet", "init", str(FLEET), "--directory", "yard"),
    ("watch", str(FLEET), "--directory", "yard", "--no-ros"),
    ("completion", "zsh"),
    ("wallet", "new"),
    ("chain", "init"),
    ("chain", "status"),
    ("channel", "status"),
    ("market",),
    ("buy", "list"),
    ("buy", "budget", "set", "--total", "5"),
    ("sales",),
    ("grant",),
    ("grant", "notices"),
    ("contract", "new", "ours", "--template", "fleet-only"),
    ("contract", "test", "ours"),
    ("credential", "new", "issuer", "--fleet", "huskies"),
    ("credential", "show", "issuer"),
    ("ingest", "../said/1.stdin", "--opaque"),
    ("model", "add", "../said/1.stdin", "--name", "walk", "--input", "0"),
)
BADLY: tuple[tuple[object, ...], ...] = (
    (2, "init", "--frobnicate"),
    (3, "ingest", "missing"),
    (2, "follow"),
    (2, "follow", ".", "--encrypt"),
    (4, "follow", ".", "--home", "missing"),
    (2, "log", "--last", "0"),
    (3, "show", "99"),
    (3, "lineage", "99"),
    (2, "model", "frobnicate"),
    (3, "model", "add", "missing", "--name", "walk", "--input", "0"),
    (5, "get", "7"),
    (3, "prove", "99"),
    (3, "verify", "missing", "--key", "x"),
    (3, "audit", "--since", "missing"),
    (4, "status", "--home", "missing"),
    (2, "export-tiles"),
    (5, "erase", "2"),
    (2, "offload"),
    (2, "prune"),
    (3, "key", "restore", "missing"),
    (2, "key", "backup", "new"),
    (4, "witness", "status", "--state", "missing"),
    (3, "witness", "policy", "check", "missing"),
    (2, "witness", "serve"),
    (2, "witness", "frobnicate"),
    (2, "witness", "policy"),
    (2, "witness"),
    (3, "fleet", "up", "missing"),
    (3, "watch", "missing"),
    (2, "completion", "ksh"),
    (4, "chain", "status", "--chain", "missing"),
    (5, "chain", "init"),
    (3, "chain", "init", "--genesis", "missing"),
    (4, "chain", "serve", "--chain", "missing"),
    (3, "chain", "block", "7"),
    (3, "chain", "query", "weather"),
    (3, "chain", "verify", "missing", "--key", "x", "--id", "00"),
    (4, "wallet", "balance", "--wallet", "missing"),
    (3, "wallet", "pay", "nobody", "1"),
    (3, "channel", "close", "nothing"),
    (3, "channel", "accept", "missing"),
    (3, "contract", "test", "missing"),
    (5, "contract", "new", "ours", "--template", "fleet-only"),
    (2, "contract", "new", "theirs", "--template", "free"),
    (3, "offer", "post", "0", "--contract", "nothing"),
    (3, "offer", "withdraw", "nothing"),
    (2, "offer", "post", "0"),
    (3, "market", "show", "nothing"),
    (2, "buy"),
    (3, "buy", "00000000", "--purpose", "training"),
    (4, "buy", "list", "--chain", "missing"),
    (2, "buy", "budget", "set"),
    (3, "buy", "budget", "set", "--total", "lots"),
    (3, "buy", "give-up", "00000000"),
    (4, "sales", "--chain", "missing"),
    (5, "sales", "serve"),
    (3, "sales", "close", "00000000"),
    (3, "grant", "show", "00000000"),
    (3, "grant", "erase", "00000000"),
    (4, "grant", "--chain", "missing"),
    (3, "market", "--newer", "soon"),
    (2, "market", "--sort", "luck"),
    (4, "market", "harbour", "--chain", "missing"),
    (3, "credential", "show", "missing"),
    (3, "credential", "request", "new", "missing", "-o", "request"),
    (5, "credential", "new", "issuer", "--fleet", "huskies"),
    (2, "credential", "invite", "issuer"),
    (2, "chain"),
    (2, "wallet", "frobnicate"),
    (2, "channel", "open"),
    (2, "frobnicate"),
    (2, "key", "frobnicate"),
    (2, "key"),
    (2,),
)


def test_json_is_one_object_whatever_happens(veteran: Robot) -> None:
    for arguments in WELL:
        outcome = veteran.run(*arguments, "--json")
        assert (outcome.code, outcome.err) == (0, ""), outcome
        assert outcome.object["ok"] is True
    # An offer takes a log that is anchored, and a contract: its transcript has them.
    assert {arguments[0] for arguments in WELL} == set(VERBS) - {"init", "verify", "offer"}
    for code, *words in BADLY:
        assert isinstance(code, int)
        outcome = veteran.run(*words, "--json")
        assert outcome.code == code, outcome
        assert outcome.object["ok"] is False, outcome
        assert set(outcome.object["error"]) == {"kind", "message", "hint"}
        assert outcome.err.startswith("quipu: ")
        assert outcome.err.count("\n") == 1
        # Before the verb it means the same.
        if words:
            before = veteran.run("--json", *words)
            assert (before.code, before.object["ok"]) == (code, False), before
    assert veteran.run().err.startswith("Usage: quipu")
    veteran.is_whole()


def test_what_was_committed_before_a_failure_is_told(veteran: Robot) -> None:
    """A recording that fails after another was committed: nobody shall ingest that twice."""
    big, small = veteran.work / "big.log", veteran.work / "small.log"
    big.write_bytes(bytes(40_000_000))
    small.write_bytes(b"small")
    limits = {"RLIMIT_FSIZE": 20_000_000}
    outcome = veteran.run("ingest", small, big, "--json", limits=limits)
    assert outcome.code == 4, outcome
    told = outcome.object
    assert told["ok"] is False
    assert told["error"]["kind"] == "StorageFullError"
    assert [entry["name"] for entry in told["entries"]] == ["small.log"]
    outcome = veteran.run("ingest", small, big, limits=limits)
    assert (outcome.code, outcome.err.count("\n")) == (4, 1), outcome
    assert "small.log" in outcome.out
    assert "committed 1 entries" in outcome.out
    # What can be known beforehand stops it before the first.
    outcome = veteran.run("ingest", small, "missing")
    assert (outcome.code, outcome.out) == (3, "")
    assert veteran.is_whole()["entries"] == 8


def test_colour_is_for_terminals_that_want_it(veteran: Robot) -> None:
    plain = {key: value for key, value in veteran.environment.items() if key != "NO_COLOR"}
    plain["TERM"] = "xterm-256color"
    for arguments in (("log",), ("show", "0"), ("show", "99"), ("audit",), ("key", "show")):
        outcome = veteran.run(*arguments, environment=plain)
        assert "\x1b" not in outcome.out + outcome.err, outcome
    assert b"\x1b[" in _on_a_terminal(veteran, plain, "log")
    assert b"\x1b[" in _on_a_terminal(veteran, plain, "show", "99")
    quiet = _on_a_terminal(veteran, {**plain, "NO_COLOR": "1"}, "show", "99")
    assert b"no entry '99'" in quiet
    assert b"[31m" not in quiet
    told = _on_a_terminal(veteran, plain, "log", "--json")
    assert told.startswith(b'{"ok": true')
    assert b"\x1b" not in told


def _on_a_terminal(robot: Robot, environment: dict[str, str], *arguments: str) -> bytes:
    ours, theirs = pty.openpty()
    robot.extra.update(environment)
    with robot.start(*arguments, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        said = b""
        try:
            while piece := os.read(ours, 1 << 16):
                said += piece
        except OSError:  # EIO: the last of them has gone
            pass
        process.wait(60)
    os.close(ours)
    robot.extra.clear()
    return said


@pytest.mark.parametrize("arguments", [("log", "--all"), ("log", "--json"), ("show", "99")])
def test_a_reader_that_goes_away_is_no_error(veteran: Robot, arguments: tuple[str, ...]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with veteran.start(*arguments, stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=60)
    if arguments[0] == "log":
        assert (process.returncode, err) == (0, b"")
    else:
        assert process.returncode == 3
        assert err.startswith(b"quipu: no entry '99'")


def test_the_verdict_survives_a_reader_that_goes_away(veteran: Robot) -> None:
    (stored,) = (veteran.home / "content").rglob("husky.bag")
    stored.unlink()
    reading, writing = os.pipe()
    os.close(reading)
    with veteran.start("audit", stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (1, b"")


def test_output_that_cannot_be_written_is_an_error(veteran: Robot) -> None:
    with Path("/dev/full").open("wb") as full:
        for arguments in (("log",), ("log", "--json"), ("--version",), ("--help",)):
            with veteran.start(*arguments, stdout=full.fileno()) as process:
                _, err = process.communicate(timeout=60)
            assert process.returncode == 4, arguments
            assert err.startswith(b"quipu: the output cannot be written: No space left on device")
            assert err.count(b"\n") == 1
    # No standard output at all, as after ``>&-``.
    with veteran.start("log", preexec_fn=lambda: os.close(1)) as process:
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")


def test_json_is_utf_8_and_text_is_printed_in_any_locale(robot: Robot) -> None:
    (robot.work / "café 🤖").write_bytes(b"x")
    robot.did("ingest", "café 🤖")
    for locale in ("C", "POSIX", "en_US.ISO-8859-1"):
        environment = {**robot.environment, "LANG": locale, "PYTHONIOENCODING": "ascii"}
        assert robot.told("show", 0, environment=environment)["name"] == "café 🤖"
        assert robot.run("show", 0, environment=environment).code == 0
    # The same in a Python that starts in that locale.
    robot.extra.update({"LC_ALL": "C", "PYTHONIOENCODING": "ascii"})
    with robot.start("show", "0", "--json") as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, b"")
    assert "café 🤖".encode() in out
    # A name that is no UTF-8 is refused in one line.
    path = robot.work / os.fsdecode(b"caf\xe9")
    path.write_bytes(b"x")
    robot.refused("ingest", path, code=3)


SYNTAX = {"bash": ["bash", "-n"], "zsh": ["zsh", "-n"], "fish": ["fish", "-n"]}


@pytest.mark.parametrize("shell", SYNTAX)
def test_completion_script(shell: str, robot: Robot) -> None:
    outcome = robot.run("completion", shell)
    assert outcome.code == 0
    assert "_QUIPU_COMPLETE" in outcome.out
    assert outcome.out.rstrip("\n") == robot.told("completion", shell)["script"].rstrip("\n")
    if shutil.which(shell) is None:
        pytest.skip(f"SKIPPED: no {shell} to parse the script; its text was checked")
    subprocess.run(SYNTAX[shell], input=outcome.out, text=True, check=True, timeout=60)


def test_words_are_completed(robot: Robot) -> None:
    def completed(words: str, word: str = "") -> list[str]:
        asked = {"_QUIPU_COMPLETE": "bash_complete", "COMP_WORDS": words}
        environment = {**robot.environment, **asked, "COMP_CWORD": str(words.count(" "))}
        outcome = robot.run(environment=environment)
        assert (outcome.code, outcome.err) == (0, "")
        return [line.partition(",")[2] for line in outcome.out.splitlines()]

    assert completed("quipu ") == list(VERBS)
    assert completed("quipu che") == ["checkpoint"]
    assert "--deep" in completed("quipu audit --")
    assert completed("quipu key ro") == ["rotate"]
    assert completed("quipu completion ") == ["bash", "zsh", "fish"]
