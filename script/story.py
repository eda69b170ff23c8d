"""What every chapter of the demo uses: where it plays, and how commands are shown and run."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

ROOT = Path(__file__).resolve().parents[1]
VERIFY_CLAIM = ROOT / "tests" / "independent" / "verify_claim.py"
QUIPU = str(Path(sys.executable).parent / "quipu")

console = Console(highlight=False)


class DemoError(Exception):
    """A step did not go as it must."""


@dataclass
class Story:
    """The folder where the demo plays, and what came out of it."""

    folder: Path
    facts: list[tuple[str, str]] = field(default_factory=list)
    chapters: int = 0
    started: float = field(default_factory=time.perf_counter)
    served: list[subprocess.Popen[bytes]] = field(default_factory=list)
    settings: dict[str, str] = field(default_factory=dict)
    """Of the environment, as a user would export them."""

    def environment(self) -> dict[str, str]:
        """Nothing of the user's own homes is touched."""
        return {
            **os.environ,
            "QUIPU_HOME": str(self.folder / "robot"),
            "QUIPU_PUBLISHED": str(self.folder / "published"),
            "XDG_STATE_HOME": str(self.folder / "state"),
            "COLUMNS": str(console.width),
            **self.settings,
        }

    def fact(self, what: str, value: str) -> None:
        self.facts.append((what, value))

    def export(self, name: str, value: str) -> None:
        """Set a variable of the environment of every command from now on."""
        console.print(f"[bold cyan]$[/] export {name}={value}", soft_wrap=True)
        self.settings[name] = value

    def serve(self, *words: str) -> subprocess.Popen[bytes]:
        """Start ``quipu`` and let it run, until `close`; what it prints goes into a file."""
        shown = " ".join(shlex.quote(self._short(word)) for word in words)
        console.print(f"[bold cyan]$[/] {escape(shown)} &", soft_wrap=True)
        with (self.folder / f"served-{len(self.served)}.log").open("wb") as said:
            process = subprocess.Popen(
                [QUIPU, *words[1:]],
                cwd=self.folder,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self.served.append(process)
        return process

    def close(self) -> None:
        """End what was started, the newest first."""
        while self.served:
            process = self.served.pop()
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def chapter(self, title: str) -> None:
        self.chapters += 1
        console.print()
        elapsed = f"[dim]{time.perf_counter() - self.started:.0f} s[/]"
        console.rule(f"[bold]{self.chapters}. {title}[/] {elapsed}", align="left", style="dim")

    def run(self, *words: str, where: Path | None = None, expect: int = 0, lines: int = 0) -> str:
        """Show a command, run it, show what it says, and hold it to its exit status.

        ``lines``: show no more than the last so many.
        """
        shown = " ".join(
            shlex.quote(Path(word).name if word == str(VERIFY_CLAIM) else self._short(word))
            for word in words
        )
        console.print(f"[bold cyan]$[/] {escape(shown)}", soft_wrap=True)
        program = [QUIPU if words[0] == "quipu" else sys.executable, *words[1:]]
        done = self._run(program, where, {})
        said = (done.stdout + done.stderr).rstrip().splitlines()
        for line in said[-lines:] if lines else said:
            console.print(f"  {escape(self._short(line))}", style="dim", soft_wrap=True)
        if done.returncode != expect:
            raise DemoError(f"`{shown}` ended with {done.returncode}, {expect} was expected")
        return done.stdout

    def ask(
        self,
        *words: str,
        expect: int | None = 0,
        environment: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """Run ``quipu`` quietly, as JSON; ``expect`` None takes any exit status."""
        done = self._run([QUIPU, *words, "--json"], None, environment or {})
        if expect is not None and done.returncode != expect:
            raise DemoError(f"`quipu {' '.join(words)}` said: {done.stdout}{done.stderr}")
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def _run(
        self, program: Sequence[str], where: Path | None, more: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            program,
            cwd=where or self.folder,
            env=self.environment() | more,
            capture_output=True,
            text=True,
            check=False,
        )

    def _short(self, text: str) -> str:
        """Paths as seen from the demo's folder."""
        return text.replace(f"{self.folder}/", "")


def until(condition: Callable[[], object], what: str, patience_s: float = 45.0) -> None:
    """Wait for ``condition``, showing that we wait. Raises `DemoError` when it does not come."""
    deadline = time.monotonic() + patience_s
    with console.status(f"[dim]waiting: {what}[/]"):
        while not condition():
            if time.monotonic() > deadline:
                raise DemoError(f"no {what} after {patience_s:.0f} s")
            time.sleep(0.2)


def say(text: str) -> None:
    """Tell what is going on between two commands."""
    console.print(f"[dim]{text}[/]", soft_wrap=True)
