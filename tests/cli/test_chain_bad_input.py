"""Whatever is asked of a chain, a wallet or a channel: an answer, or one line."""

from __future__ import annotations

import os
import random
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.robot import CommandServer, Robot

HEX = "ab" * 32
WORDS = (
    *("0", "1", "-1", "9" * 30, "", " ", ".", "é🤖", "\x1b[31m", "a\nb", "x" * 300, "%s"),
    *("~nobody", "\udcff", "'", "EUR", "pool:yard", HEX, HEX[:-1], "00" * 32, "1.50", "1e9"),
    *("garbage", "missing", "../wallet", "../chain", "../home", "claim", "receipt"),
    *("account", "asset", "parameters"),
)
OPTIONS = (
    *("--json", "--asset", "--fee", "--memo", "--wallet", "--chain", "--at", "-o", "--key"),
    *("--id", "--robot", "--sponsor", "--again", "--forget", "--number", "--help", "--nothing"),
)
VERBS = (
    *(("wallet", name) for name in ("show", "balance", "pay", "history", "cap")),
    *(("channel", name) for name in ("open", "pay", "accept", "close", "status", "top-up")),
    *(("channel", name) for name in ("challenge", "settle")),
    *(("chain", name) for name in ("init", "status", "block", "tx", "query", "prove", "verify")),
    *(("chain", name) for name in ("replay", "mint", "new-asset", "anchor", "report-fork")),
    *(("chain", "snapshot", name) for name in ("make", "list", "restore")),
    *(("chain", "consent", name) for name in ("grant", "withdraw", "report")),
    *(("chain", "fleet", name) for name in ("create", "register", "rotate", "policy", "issuer")),
    *(("chain", "fleet", name) for name in ("sponsor", "pay", "retire")),
)


@pytest.fixture(scope="module")
def made(server: CommandServer) -> Iterator[Path]:
    """A user with a chain, a wallet that has money, a payee, a channel, claim and receipt."""
    folder = Path(tempfile.mkdtemp(prefix="quipu-chain-cli-"))
    user = Robot(folder, server)
    me = user.told("wallet", "new")["account"]
    payee = user.told("wallet", "new", "--wallet", "payee")["account"]
    user.did("chain", "init", "--asset", "EUR:2", "--allocate", f"{me}=100")
    user.did("wallet", "pay", payee, "5")
    channel = user.told("channel", "open", payee, "5")["channel"]
    user.did("channel", "pay", channel, "1", "-o", "claim")
    transaction = user.told("wallet", "history")["lines"][-1]["transaction"]
    user.did("chain", "prove", transaction, "-o", "receipt")
    (user.work / "garbage").write_bytes(random.Random(1).randbytes(400))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def user(server: CommandServer, made: Path, tmp_path: Path) -> Robot:
    """A copy of that user."""
    folder = tmp_path / "user"
    shutil.copytree(made, folder)
    return Robot(folder, server)


def answered(user: Robot, *words: object) -> int:
    """Run a command, which must end well or say in one line why it did not; its status."""
    outcome = user.run(*words)
    assert outcome.code in {0, 1, 2, 3, 4, 5}, outcome
    if outcome.code:
        assert outcome.err.count("\n") == 1 or outcome.err.startswith("Usage"), outcome
        assert outcome.err.startswith(("quipu: ", "Usage")), outcome
    else:
        assert outcome.err == "", outcome
    assert "\x1b" not in outcome.out + outcome.err, outcome
    return outcome.code


@pytest.mark.parametrize("seed", range(3))
def test_no_words_end_in_a_traceback(user: Robot, seed: int) -> None:
    draw = random.Random(seed)
    codes = set()
    for verb in VERBS:
        words = [
            draw.choice(draw.choice([WORDS, WORDS, WORDS, OPTIONS]))
            for _ in range(draw.choice([0, 1, 1, 2, 2, 3]))
        ]
        codes.add(answered(user, *verb, *words))
    assert {2, 3} <= codes
    assert user.told("audit", "--chain", "../chain")["ok"] is True


def test_damaged_receipts_and_claims(user: Robot) -> None:
    status = user.told("chain", "status")
    (user.work / "vkey").write_text(status["vkeys"][0])
    check = ("--key", "vkey", "--id", status["chain"])
    user.did("chain", "verify", "receipt", *check)
    draw = random.Random(5)
    for name, command in (
        ("receipt", ("chain", "verify", "changed", *check)),
        ("claim", ("channel", "accept", "changed", "--wallet", "payee")),
    ):
        sound = (user.work / name).read_bytes()
        if name == "claim":
            sound = sound.strip()  # it is text
        for _ in range(25):
            at = draw.randrange(len(sound))
            changed = sound[:at] + bytes([sound[at] ^ 1 << draw.randrange(7)]) + sound[at + 1 :]
            (user.work / "changed").write_bytes(changed)
            assert answered(user, *command) in {1, 3, 5}
        for size in (0, 1, 40, len(sound) - 1):
            (user.work / "changed").write_bytes(sound[:size])
            assert answered(user, *command) in {1, 3, 5}
    user.did("channel", "accept", "claim", "--wallet", "payee")


def test_what_is_no_chain(user: Robot) -> None:
    commands = (
        ("chain", "status"),
        ("chain", "replay"),
        ("chain", "snapshot", "make"),
        ("chain", "serve"),
        ("wallet", "balance"),
        ("wallet", "pay", HEX, "1"),
        ("wallet", "history"),
        ("channel", "status"),
    )
    data = user.folder / "chain" / "log" / "data.mdb"
    sound = data.read_bytes()
    for content in (b"", b"garbage" * 5_000, bytes(1 << 16), sound[: len(sound) // 2]):
        data.write_bytes(content)
        for command in commands:
            user.refused(*command, code=4)
        assert user.run("audit", "--chain", "../chain").code in {1, 4}
    data.unlink()
    for command in commands:
        assert "quipu chain init" in user.refused(*command, code=4)
    # A robot's home is none.
    user.did("init", "--origin", "example.com/husky")
    user.refused("chain", "status", "--chain", user.home, code=4)
    user.refused("audit", "--home", user.folder / "chain", code=4)


def test_keys_that_are_not_there_or_open_to_others(user: Robot) -> None:
    key = user.folder / "wallet" / "key"
    key.chmod(0o644)
    assert "chmod 600" in user.refused("wallet", "pay", HEX, "1", code=4)
    key.chmod(0o600)
    key.write_text("no key")
    assert "damaged" in user.refused("wallet", "show", code=4)
    # An operator who lost the key can be asked, and commits nothing that nobody could check.
    (operator,) = (user.folder / "chain" / "keys" / "signing").glob("*.key")
    operator.unlink()
    user.did("wallet", "balance", HEX)
    user.refused("wallet", "pay", HEX, "1", "--wallet", "payee", code=4)
    assert user.told("audit", "--chain", "../chain")["ok"] is True


def test_a_socket_that_a_dead_engine_left(user: Robot) -> None:
    path = user.folder / "chain" / "chain.sock"
    dead = socket.socket(socket.AF_UNIX)
    folder = os.open(path.parent, os.O_RDONLY)  # addresses are short
    dead.bind(f"/proc/self/fd/{folder}/chain.sock")
    dead.close()
    os.close(folder)
    assert user.told("chain", "status")["served"] is False
    user.did("wallet", "pay", HEX.replace("ab", "58")[:2] + "66" * 31, "1")
