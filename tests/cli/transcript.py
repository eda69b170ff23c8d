"""Sessions written down: commands, and exactly what they print.

::

    # a remark
    $ quipu show 7
    ! quipu: no entry '7' in a log of 2 (`quipu log` lists them)
    ? 3

``!`` is standard error and ``?`` an exit status that is not 0. Every other line is
standard output, with a backslash before one that is blank or begins like these. Other
commands than ``quipu`` go to ``sh``. What differs from run to run is replaced by a name,
see `PATTERNS`.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.cli.robot import Outcome, Robot

_COMMANDS = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
"""Where the shell finds ``quipu``, which a test may run without having its folder in PATH."""

MARKERS = ("", "$", "#", "!", "?", "\\")
"""What a line of output is set apart from by a backslash."""

# In this order, so that a long value is not taken for several short ones.
PATTERNS = (
    (re.compile(r"\bquipu-claim:[\w-]+"), "quipu-claim:<claim>"),
    (re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}(?![A-Za-z0-9+/=])"), "+<hex8>+<base64>"),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<hex64>"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "<hex32>"),
    (re.compile(r"\bquipu/[0-9a-f]{16}\b"), "quipu/<hex16>"),
    (re.compile(r"\b[0-9a-f]{8}\b"), "<hex8>"),
    (re.compile(r"(?<!\\)[A-Za-z0-9+/]{43,}={0,2}"), "<base64>"),
    (re.compile(r"\bcontent/[0-9a-f]{2}/"), "content/<hh>/"),
    (re.compile(r"\b\d+\.\d+(\.\d+)+"), "<version>"),
    (re.compile(r"\bprocess \d+\b"), "process <pid>"),
    (re.compile(r"\b[\d.]+ [KMGT]iB free\b"), "<size> free"),
    (re.compile(r'"disk_free_bytes": \d+'), '"disk_free_bytes": <size>'),
    (re.compile(r'"checkpoint_time_ns": [1-9]\d+'), '"checkpoint_time_ns": <time>'),
    (re.compile(r"\b[\d.]+ s ago\b"), "<age> ago"),
    (re.compile(r"\b\d{4} d\b"), "<age>"),
    (re.compile(r'"age_ns": \d+'), '"age_ns": <age>'),
    # Blocks of two that work at once.
    (re.compile(r"consent withdrawn in block \d+"), "consent withdrawn in block <n>"),
    (re.compile(r"closing, until block \d+"), "closing, until block <n>"),
    (re.compile(r'"withdrawn_height": [1-9]\d*'), '"withdrawn_height": <n>'),
    # The clock's, and not those of recordings.
    (re.compile(r"\b20(2[5-9]|[3-9]\d)-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{9}Z)?"), "<now>"),
    (re.compile(r'("?time[_ ]ns"?:? )(1[7-9]|[2-9]\d)\d{17}\b'), r"\1<now>"),
    (re.compile(r'"seconds": [\d.]+'), '"seconds": <seconds>'),
)


def normalised(text: str, robot: Robot, recordings: Path) -> str:
    """``text`` with a name in place of all that differs from run to run."""
    for place, name in ((robot.folder, "<robot>"), (recordings, "<recordings>")):
        text = text.replace(str(place), name)
    for pattern, name in PATTERNS:
        text = pattern.sub(name, text)
    return "".join(line.rstrip() + "\n" for line in text.splitlines())


def replay(transcript: str, robot: Robot, recordings: Path) -> str:
    """Run the commands of a transcript; the transcript of what happened."""
    lines: list[str] = []
    for line in transcript.splitlines():
        if line.startswith("$ "):
            lines += [line, *_told(_run(line[2:], robot, recordings), robot, recordings)]
        elif line.startswith("#") or not line:
            lines.append(line)
    return "\n".join(lines) + "\n"


def commands(transcript: str) -> Iterator[list[str]]:
    """The ``quipu`` commands of a transcript."""
    for line in transcript.splitlines():
        if line.startswith("$ quipu "):
            yield shlex.split(line[2:])[1:]


def _told(outcome: Outcome, robot: Robot, recordings: Path) -> Iterator[str]:
    for line in normalised(outcome.out, robot, recordings).splitlines():
        yield "\\" + line if line[:1] in MARKERS else line
    for line in normalised(outcome.err, robot, recordings).splitlines():
        yield f"! {line}".rstrip()
    if outcome.code:
        yield f"? {outcome.code}"


def _run(command: str, robot: Robot, recordings: Path) -> Outcome:
    variables = {"RECORDINGS": str(recordings)}
    if not command.startswith("quipu "):
        done = subprocess.run(
            ["sh", "-c", command],
            cwd=robot.work,
            env={**robot.environment, **variables, "PATH": _COMMANDS},
            capture_output=True,
            text=True,
            check=False,
        )
        return Outcome((command,), done.returncode, done.stdout, done.stderr)
    words = shlex.split(command)[1:]
    return robot.run(
        *(re.sub(r"\$(\w+)", lambda m: _value(m[1], robot, variables), w) for w in words)
    )


def _value(name: str, robot: Robot, variables: dict[str, str]) -> str:
    """A variable: one of ours, or what a command of the transcript wrote to a file so called."""
    if name == "VKEY":
        return robot.vkey()
    return variables[name] if name in variables else (robot.work / name).read_text().strip()
