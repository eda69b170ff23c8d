"""Runs what the pages show: every ``python`` block and every ``console`` transcript.

The blocks of one page run in order, in one empty folder, with a home and a published
folder of their own. In a transcript `$ ` starts a command, `> ` continues it, and what
follows is its output; `...` in it stands for anything (alone on a line: any lines). A
command whose output is shown must succeed, unless the block ends with `[exit N]`.
Blocks of other languages are not run.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
NOT_RUN = {"", "sh", "text", "protobuf", "json", "yaml"}
TIMEOUT = 120  # seconds a command

_FENCE = re.compile(r"^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_EXIT = re.compile(r"^\[exit (\d+)\]$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of a page, and the line its content starts at."""

    language: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a transcript, with what it should print and how it should exit."""

    command: str
    output: str
    status: int


def blocks_of(text: str) -> list[Block]:
    return [
        Block(found[1], found[2], text.count("\n", 0, found.start()) + 2)
        for found in _FENCE.finditer(text)
    ]


def steps_of(transcript: str) -> Iterator[Step]:
    command, output, status = "", [], 0
    for line in transcript.splitlines():
        if line.startswith("$ "):
            if command:
                yield Step(command, "\n".join(output), status)
            command, output, status = line[2:], [], 0
        elif line.startswith("> ") and command.endswith("\\") and not output:
            command += "\n" + line[2:]
        elif ended := _EXIT.match(line):
            status = int(ended[1])
        else:
            output.append(line)
    if command:
        yield Step(command, "\n".join(output), status)


def matches(expected: str, printed: str) -> bool:
    """Whether ``printed`` is ``expected``, `...` standing for anything."""
    lines = []
    for line in expected.strip().splitlines():
        if line.strip() == "...":
            lines.append(r"(?:.*\n)*?")
        else:
            lines.append(
                ".*".join(re.escape(part) for part in line.rstrip().split("...")) + r" *\n"
            )
    return (
        re.fullmatch("".join(lines), printed.strip() + "\n" if printed.strip() else "") is not None
    )


def environment(folder: Path) -> dict[str, str]:
    """A new user's: nothing of ours but the interpreter's folder on the path."""
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
        "HOME": str(folder),
        "QUIPU_HOME": str(folder / "home"),
        "QUIPU_PUBLISHED": str(folder / "published"),
        "COLUMNS": "100",
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'ros_ws/src/quipu_sim'}",
    }


def run(block: Block, folder: Path) -> None:
    """Run one block in ``folder``; `AssertionError` when it does not do what it shows."""
    steps = [Step("", block.text, 0)] if block.language == "python" else steps_of(block.text)
    for step in steps:
        words = (
            [sys.executable, "-c", block.text] if not step.command else ["sh", "-c", step.command]
        )
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )
        where = f"line {block.line}: {step.command or 'python'}"
        assert done.returncode == step.status, f"{where}\nexit {done.returncode}\n{done.stdout}"
        if step.command:
            assert matches(step.output, done.stdout), f"{where}\nprinted:\n{done.stdout}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_shows(page: Path, tmp_path: Path) -> None:
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.language in {"python", "console"}:
            run(block, tmp_path)
        else:
            assert block.language in NOT_RUN, (
                f"{page.name}:{block.line}: what is {block.language!r}?"
            )


def test_every_fence_of_a_page_is_closed() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert text.count("\n```") == 2 * len(blocks_of(text)), page


def test_the_two_commands_of_the_readme_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for command in ("script/demo", "script/test"):
        assert command in text
        assert os.access(ROOT / command, os.X_OK)


GOOD = """
```console
$ echo one; echo two
one
two
$ printf 'id 4711\\nmore\\n%s\\n' \\
> last
id ...
...
last
$ false
[exit 1]
$ true
```

```python
from pathlib import Path
Path("left.txt").write_text("here")
```

```console
$ cat left.txt; echo
here
$ test "$QUIPU_HOME" = "$PWD/home" && echo $QUIPU_PUBLISHED
.../published
```
"""


def test_a_true_page_passes(tmp_path: Path) -> None:
    blocks = blocks_of(GOOD)
    assert [block.language for block in blocks] == ["console", "python", "console"]
    assert blocks[0].line == 3
    for block in blocks:
        run(block, tmp_path)


@pytest.mark.parametrize(
    "lie",
    [
        "```console\n$ echo one\ntwo\n```",
        "```console\n$ echo one\n```",
        "```console\n$ true\none\n```",
        "```console\n$ echo one; echo two\none\n```",
        "```console\n$ false\n```",
        "```console\n$ true\n[exit 1]\n```",
        "```console\n$ echo abc\na...d\n```",
        "```python\nraise SystemExit(1)\n```",
        "```python\n1 / 0\n```",
    ],
)
def test_a_false_page_fails(lie: str, tmp_path: Path) -> None:
    (block,) = blocks_of(lie)
    with pytest.raises(AssertionError):
        run(block, tmp_path)
