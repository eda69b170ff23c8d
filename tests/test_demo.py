"""``script/demo`` tells its whole story, and stops where something is not as it is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "script"
# What it says at the end, each checked on the way.
FACTS = (
    "recorded",
    "offered",
    "refused",
    "bought",
    "stopped paying",
    "cheated",
    "withdrawn",
    "learnt",
    "balanced",
    "audited",
)
PATIENCE_S = 600.0


def run(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.mark.slow
def test_the_story_of_two_fleets_without_ros(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    done = run(
        *(str(SCRIPT / "demo.py"), "--keep", str(folder)),
        QUIPU_ROS_MISSING="this test is of what is told without it",
        COLUMNS="100",
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    told = done.stdout[done.stdout.rindex("╭") :]
    assert [fact for fact in FACTS if fact not in told] == []
    assert "<html" in (folder / "report.html").read_text(encoding="utf-8").lower()


@pytest.mark.parametrize(
    ("step", "what"),
    [
        ('Story(folder).run("quipu", "chain", "status", "--chain", "nowhere")', "ended with"),
        ('Story(folder).ask("log", "--home", "nowhere")', "said"),
        ('until(lambda: False, "word of anybody", patience_s=0.1)', "no word of anybody"),
    ],
)
def test_a_step_that_goes_wrong_ends_it(tmp_path: Path, step: str, what: str) -> None:
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(SCRIPT)!r})
from story import DemoError, Story, until
folder = Path({str(tmp_path)!r})
try:
    {step}
except DemoError as error:
    sys.exit(f"stopped: {{error}}")
"""
    done = run("-c", program)
    assert done.returncode == 1
    assert "stopped: " in done.stderr
    assert what in done.stderr
