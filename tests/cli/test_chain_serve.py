"""A chain that is served: what other processes pay is in blocks, and it ends when told to."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cli.robot import Robot


@contextmanager
def served(user: Robot, *options: str, **more: Any) -> Iterator[tuple[Any, dict[str, Any]]]:
    with user.start("chain", "serve", "--json", *options, **more) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        assert said["ok"] is True
        yield process, said


@pytest.fixture
def user(nobody: Robot) -> Robot:
    """A user with a wallet that has money on a chain."""
    me = nobody.told("wallet", "new")["account"]
    nobody.did("chain", "init", "--asset", "EUR:2", "--allocate", f"{me}=100")
    return nobody


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_it_is_told_to_end(user: Robot, number: signal.Signals) -> None:
    payee = user.told("wallet", "new", "--wallet", "payee")["account"]
    with served(user, "--block-period", "0.05") as (process, said):
        assert user.told("chain", "status")["served"] is True
        user.did("wallet", "pay", payee, "12.50")
        assert user.told("wallet", "balance", payee)["holdings"][0]["units"] == 1250
        channel = user.told("channel", "open", payee, "5")["channel"]
        user.did("channel", "pay", channel, "1", "-o", "claim")
        user.did("channel", "accept", "claim", "--wallet", "payee")
        user.did("channel", "close", channel, "--wallet", "payee")
        # One at a time serves; audits and replays read beside it.
        assert user.run("chain", "serve").code == 4
        assert user.told("audit", "--chain", "../chain")["ok"] is True
        user.did("chain", "replay")
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, b"", b"")
    status = user.told("chain", "status")
    assert (status["served"], status["height"]) == (False, said["height"] + 3)
    history = user.told("wallet", "history", payee)["lines"]
    assert [line["movement"] for line in history] == ["received", "fee", "earned"]
    assert user.told("audit", "--chain", "../chain")["ok"] is True


def test_heights_pass_where_nobody_pays(user: Robot) -> None:
    with served(user, "--empty-blocks", "0.1") as (_, said):
        for _ in range(100):
            if user.told("chain", "status")["height"] >= said["height"] + 3:
                break
        else:
            pytest.fail("no block without transactions was made")


def test_an_engine_that_cannot_go_on_says_why(user: Robot) -> None:
    size = (user.folder / "chain" / "log" / "data.mdb").stat().st_size
    limit = (size + (1 << 15), resource.RLIM_INFINITY)

    def full() -> None:  # a disk with room for a few blocks
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    me = user.told("wallet", "show")["account"]
    with served(user, preexec_fn=full) as (process, _):
        for _ in range(100):
            if user.run("wallet", "pay", me, "0.01").code:
                break
        _, err = process.communicate(timeout=60)
    assert process.returncode == 4
    assert "the engine stopped" in err.decode()
    assert "Traceback" not in err.decode()
    user.did("wallet", "pay", me, "0.01")
    assert user.told("audit", "--chain", "../chain")["ok"] is True
