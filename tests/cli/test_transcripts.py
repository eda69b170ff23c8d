"""What the command line prints, word for word.

``QUIPU_REGENERATE=1 pytest tests/cli/test_transcripts.py`` writes the transcripts anew;
read the difference before committing it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from ledger.cli.main import VERBS
from tests.cli.robot import CommandServer, Robot
from tests.cli.transcript import commands, replay

FOLDER = Path(__file__).parent / "transcripts"
TRANSCRIPTS = sorted(FOLDER.glob("*.txt"))


def _robot(tmp_path: Path, server: CommandServer) -> Robot:
    robot = Robot(tmp_path / "robot", server)
    (robot.work / "run.log").write_text("started\nstopped\n")
    # Three chunks, no two alike.
    (robot.work / "scan.bin").write_bytes(b"".join(i.to_bytes(4) for i in range(150_000)))
    return robot


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(path: Path, tmp_path: Path, server: CommandServer, recordings: Path) -> None:
    expected = path.read_text()
    happened = replay(expected, _robot(tmp_path, server), recordings)
    if os.environ.get("QUIPU_REGENERATE"):
        path.write_text(happened)
    else:
        assert happened == expected


def test_every_changed_line_of_a_transcript_is_noticed(
    tmp_path: Path, server: CommandServer, recordings: Path
) -> None:
    text = (FOLDER / "init.txt").read_text()
    happened = replay(text, _robot(tmp_path, server), recordings)
    lines = text.splitlines(keepends=True)
    printed = [i for i, line in enumerate(lines) if line.strip() and line[0] not in "$#"]
    assert {lines[i][0] for i in printed} >= {"!", "?", "m"}
    for i in printed:
        changed = "".join([*lines[:i], lines[i].replace(lines[i][2], "X", 1), *lines[i + 1 :]])
        dropped = "".join(lines[:i] + lines[i + 1 :])
        added = "".join([*lines[: i + 1], "! more\n", *lines[i + 1 :]])
        for altered in (changed, dropped, added):
            assert altered != text
            # The commands are the same, so what happens is what happened.
            assert list(commands(altered)) == list(commands(text))
            assert happened != altered
    assert happened == text


def test_transcripts_show_every_verb_in_text_and_json() -> None:
    run = [words for path in TRANSCRIPTS for words in commands(path.read_text())]
    subverbs = {f"key {name}" for name in ("show", "backup", "restore", "rotate", "retire")}
    subverbs |= {
        f"witness {name}"
        for name in ("key", "serve", "gather", "status", "evidence", "judge", "policy")
    }
    subverbs |= {
        f"chain {name}"
        for name in (
            *("init", "serve", "status", "block", "tx", "query", "prove", "verify", "snapshot"),
            *("replay", "mint", "new-asset", "fleet", "anchor", "report-fork", "consent"),
        )
    }
    subverbs |= {
        f"wallet {name}" for name in ("new", "show", "balance", "pay", "history", "gather", "cap")
    }
    subverbs |= {
        f"channel {name}"
        for name in (
            *("open", "pay", "accept", "close", "status", "top-up", "challenge", "settle"),
        )
    }
    subverbs |= {
        f"contract {name}" for name in ("new", "explain", "test", "deploy", "amend", "withdraw")
    }
    subverbs |= {
        f"credential {name}"
        for name in ("new", "invite", "request", "renew", "issue", "accept", "revoke", "gaps")
    }
    subverbs |= {"credential show", "credential enroll"}
    subverbs |= {"offer post", "offer withdraw", "market search", "market show"}
    subverbs |= {f"buy {name}" for name in ("order", "list", "give-up", "budget")}
    subverbs |= {f"sales {name}" for name in ("list", "serve", "close")}
    subverbs |= {f"grant {name}" for name in ("list", "show", "notices", "erase")}
    groups = {name.split()[0] for name in subverbs}
    names = {" ".join(words[: 2 if words[0] in groups else 1]) for words in run}
    assert names >= (set(VERBS) - groups) | subverbs
    for name in sorted((set(VERBS) - groups) | subverbs):
        of_verb = [words for words in run if " ".join(words).startswith(name)]
        assert any("--json" in words for words in of_verb), f"{name} --json"
        assert any("--json" not in words for words in of_verb), name


def test_every_error_in_a_transcript_is_one_line_that_says_what_to_do() -> None:
    for path in TRANSCRIPTS:
        lines = path.read_text().splitlines()
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("! quipu: "):
                assert re.fullmatch(r"! quipu: .+ \(.+\)", line), f"{path.name}: {line}"
                assert re.fullmatch(r"\? [1-5]", after), f"{path.name}: {line}"
