"""No command line and no file ends in a traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cli.robot import REPOSITORY, Robot

SEED = int(os.environ.get("QUIPU_FUZZ_SEED", "2"))
COUNT = int(os.environ.get("QUIPU_FUZZ_COUNT", "200"))
PATIENCE_S = 10.0
"""For each of them."""


def test_no_command_line_ends_in_a_traceback(veteran: Robot, bags: Path) -> None:
    work = veteran.work
    veteran.did("prove", 0, "--recording", "-o", "claim")
    veteran.did("checkpoint", "-o", "checkpoint")
    (work / "phrase").write_text("x")
    veteran.did("key", "backup", "backup", "--passphrase-file", "phrase")
    (work / "vkey").write_text(veteran.vkey())
    shutil.copy(bags / "rosbag2_py_mcap_talker" / "talker.mcap", work / "bag")
    (work / "folder").mkdir()
    shutil.move(veteran.home, work / "home")
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.fuzz_commands", str(SEED), str(COUNT)],
        cwd=work,
        env={
            **veteran.environment,
            "QUIPU_HOME": str(work / "home"),
            "PYTHONPATH": str(REPOSITORY),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COUNT * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    counts = json.loads(done.stdout)
    assert sum(counts.values()) == COUNT
    assert {"0", "2", "3"} <= set(counts), "the mix no longer reaches the verbs"
