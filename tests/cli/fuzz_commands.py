"""So many random command lines and garbage files, in one process.

``python -m tests.cli.fuzz_commands SEED COUNT`` runs in a folder with a home in it and
prints how often each exit status came; it ends with 1 and the command at the first that
is no exit status of ours, raised something, or did not keep to one line.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import sys
import traceback
from collections import Counter
from pathlib import Path

from ledger.cli.exit_code import ExitCode
from ledger.cli.main import VERBS, main

OPTIONS = (
    *("--json", "--home", "--deep", "--since", "--key", "-o", "--output", "--recording"),
    *("--chunk", "--link", "--in-place", "--encrypt", "--opaque", "--tag", "-n", "--last"),
    *("--all", "--yes", "--reason", "--force", "--older-than", "--larger-than", "--segment"),
    *("--keep-at-most", "--witness", "--threshold", "--origin", "--passphrase-file", "--help"),
    *("--purpose", "--max-price", "--quality", "--resume", "--credential", "--reward", "--all"),
    *("--catch-up", "--version", "--", "-", "-h", "--no-such-option"),
)
# All within the folder it runs in: some verbs write where they are told to.
WORDS = (
    *("0", "1", "-1", "99", "1e9", "9" * 30, "", " ", ".", "home", "tiles", "claim", "bag"),
    *("vkey", "garbage", "missing", "folder", "missing/below", "bag/below", "a=b", "=", "[/x]"),
    *("é🤖", "\x1b[31m", "a\nb", "500M", "2Gi", "bash", "show", "rotate", "retire", "backup"),
    *("serve", "close", "notices", "budget", "set", "give-up", "reward>=0.8", "training=1"),
    *("restore", "deadbeef", "x" * 300, "%s", "{}", "$HOME", "~", "~nobody", "\udcff", "'", '"'),
)
CODES = set(ExitCode) - {ExitCode.INTERNAL}


def arguments(draw: random.Random) -> list[str]:
    """A command line: mostly a verb, then whatever comes."""
    verb = draw.choice([*VERBS, "key", "verify", "ingest", draw.choice(WORDS)])
    count = draw.choice([0, 1, 1, 2, 2, 3, 4, 6])
    # Those that would go on until somebody ends them look once.
    first = [verb, "--once"] if verb in {"follow", "watch"} else [verb]
    return [*first, *(draw.choice(draw.choice([OPTIONS, WORDS])) for _ in range(count))]


def garbage(draw: random.Random, seeds: list[bytes]) -> bytes:
    """Noise, or something real with a few bytes of it changed, cut or doubled."""
    if draw.random() < 0.2:
        return draw.randbytes(draw.choice([0, 1, 16, 300, 5000]))
    found = bytearray(draw.choice(seeds))
    for _ in range(draw.choice([1, 1, 2, 8])):
        place = draw.randrange(len(found) + 1)
        match draw.randrange(3):
            case 0:
                found[place : place + 1] = draw.randbytes(1)
            case 1:
                del found[place : place + draw.choice([1, 10, len(found)])]
            case _:
                found[place:place] = found[: draw.randrange(40)]
    return bytes(found)


def run(words: list[str]) -> str | None:
    """Run a command in this process; what is wrong with how it ended, if anything is."""
    sys.argv = ["quipu", *words]
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    code: object = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code or 0
        except BaseException:  # noqa: BLE001 - this is what is looked for
            return traceback.format_exc()
        sys.stdout.flush()
        sys.stderr.flush()
    said, told = (stream.buffer.getvalue().decode() for stream in (out, err))
    counts[code] += 1
    if code not in CODES:
        return f"exit status {code}: {told}"
    if "Traceback" in said + told or "\x1b" in said + told:
        return f"printed {said + told!r}"
    # A verdict is a result, help is help; everything else says in one line what is wrong.
    is_answer = code in {0, 1} and not told
    is_answer = is_answer or told.startswith("Usage: ") or (words[0] == "doctor" and bool(said))
    if not is_answer and (told.count("\n") != 1 or not told.startswith("quipu: ")):
        return f"not one line: {told!r}"
    # Where --json is the value of another option, it asks for nothing.
    if not is_answer and said.startswith("{") and json.loads(said)["ok"] is not False:
        return f"not one object: {said!r}"
    return None


counts: Counter[object] = Counter()


def fuzz(seed: int, count: int) -> int:
    draw = random.Random(seed)
    seeds = [Path(name).read_bytes() for name in ("claim", "vkey", "checkpoint", "backup", "bag")]
    backup = Path("home.backup")
    shutil.copytree("home", backup)
    for _ in range(count):
        Path("garbage").write_bytes(garbage(draw, seeds))
        words = arguments(draw)
        if draw.random() < 0.5:
            words.append("garbage")
        if complaint := run(words):
            sys.stdout.write(f"{words}\n{complaint}\n")
            return 1
        if draw.random() < 0.05:  # as far as the commands got with it
            shutil.rmtree("home", ignore_errors=True)
            shutil.copytree(backup, "home")
    sys.stdout.write(json.dumps({str(code): often for code, often in counts.items()}) + "\n")
    return 0


if __name__ == "__main__":
    os.environ["COLUMNS"] = "100"
    sys.exit(fuzz(int(sys.argv[1]), int(sys.argv[2])))
