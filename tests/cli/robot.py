"""A robot to try ``quipu`` on: its folders, its environment, and what commands said."""

from __future__ import annotations

import json
import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def object(self) -> dict[str, Any]:
        """Standard output as exactly one JSON object on one line."""
        assert self.out.endswith("\n"), self
        assert self.out.count("\n") == 1, self
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


class CommandServer:
    """See `tests.cli.command_server`; ``prefix`` is the command that starts it."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "tests.cli.command_server"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY)},
        )

    def run(self, request: Mapping[str, Any]) -> int:
        """Run one command; its exit status, or minus the signal that ended it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            if not selector.select(PATIENCE_S):
                self.close()
                raise TimeoutError(f"no end after {PATIENCE_S} s: {request['arguments']}")
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """End the server and whatever it runs."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()


@dataclass
class Robot:
    """A folder with a home, a user's own home and a place for published checkpoints."""

    folder: Path
    server: CommandServer
    extra: dict[str, str] = field(default_factory=dict)
    _calls: int = 0

    def __post_init__(self) -> None:
        for name in ("user", "work", "said"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    @property
    def published(self) -> Path:
        return self.folder / "published"

    @property
    def work(self) -> Path:
        """The folder in which commands run."""
        return self.folder / "work"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder / "user"),
            "QUIPU_HOME": str(self.home),
            "QUIPU_PUBLISHED": str(self.published),
            "QUIPU_CHAIN": str(self.folder / "chain"),
            "QUIPU_WALLET": str(self.folder / "wallet"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "NO_COLOR": "1",
            "COLUMNS": "100",
            "LANG": "C.UTF-8",
            **self.extra,
        }

    def run(
        self,
        *arguments: object,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        limits: Mapping[str, int] | None = None,
    ) -> Outcome:
        """Run ``quipu`` with ``arguments``."""
        self._calls += 1
        said = self.folder / "said" / str(self._calls)
        files = {name: said.with_suffix(f".{name}") for name in ("stdin", "stdout", "stderr")}
        files["stdin"].write_bytes(stdin)
        files["stdout"].write_bytes(b"")
        files["stderr"].write_bytes(b"")
        texts = tuple(str(argument) for argument in arguments)
        code = self.server.run(
            {
                "arguments": texts,
                "folder": str(folder or self.work),
                "environment": dict(self.environment if environment is None else environment),
                "limits": dict(limits or {}),
                **{name: str(path) for name, path in files.items()},
            }
        )
        out, err = (files[name].read_text("utf-8", "replace") for name in ("stdout", "stderr"))
        assert "Traceback" not in out + err, out + err
        return Outcome(texts, code, out, err)

    def did(self, *arguments: object, **how: Any) -> str:
        """Run a command that must succeed in silence on standard error; what it printed."""
        outcome = self.run(*arguments, **how)
        assert (outcome.code, outcome.err) == (0, ""), outcome
        return outcome.out

    def told(self, *arguments: object, code: int = 0, **how: Any) -> dict[str, Any]:
        """Run a command with ``--json`` that must end with ``code``; its object."""
        outcome = self.run(*arguments, "--json", **how)
        assert outcome.code == code, outcome
        return outcome.object

    def refused(self, *arguments: object, code: int, **how: Any) -> str:
        """Run a command that must fail with ``code`` and one good line; the line.

        The same command with ``--json`` must fail alike, and say so in one object.
        """
        outcome = self.run(*arguments, **how)
        assert outcome.code == code, outcome
        assert outcome.out == "", outcome
        line = one_line(outcome)
        again = self.run(*arguments, "--json", **how)
        assert again.code == code, again
        told = again.object
        assert told["ok"] is False, again
        message, hint = told["error"]["message"], told["error"]["hint"]
        assert message
        assert hint, f"no hint what to do: {line}"
        assert one_line(again).startswith("quipu: "), again
        return line

    def vkey(self) -> str:
        """The newest verifier key."""
        vkeys: list[str] = self.told("key", "show")["active"]
        return vkeys[-1]

    @contextmanager
    def start(
        self,
        *arguments: object,
        stdin: int = subprocess.DEVNULL,
        stdout: int = subprocess.PIPE,
        stderr: int = subprocess.PIPE,
        **more: Any,
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start ``quipu`` as a user would, in a Python of its own; it ends with the block."""
        with subprocess.Popen(
            [sys.executable, "-m", "ledger.cli.main", *map(str, arguments)],
            cwd=self.work,
            env={**self.environment, "PYTHONPATH": str(REPOSITORY)},
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            **more,
        ) as process:
            try:
                yield process
            finally:
                process.kill()  # nothing, if it ended by itself

    def is_whole(self) -> dict[str, Any]:
        """The report of a deep audit, which must find nothing."""
        report = self.told("audit", "--deep")
        assert report["ok"] is True, report
        return report


def one_line(outcome: Outcome) -> str:
    """Standard error, which must be one line in the form of an error."""
    assert outcome.err.endswith("\n"), outcome
    assert outcome.err.count("\n") == 1, outcome
    line = outcome.err.removesuffix("\n")
    assert line.startswith("quipu: "), outcome
    assert line.endswith(")"), f"no hint what to do: {line}"
    return line
