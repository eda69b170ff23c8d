"""Run Python in a mount namespace of its own, where a tiny file system can be mounted."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

_WAYS = (("unshare", "-m"), ("unshare", "-r", "-m"))


@cache
def _way() -> tuple[str, ...] | None:
    for way in _WAYS:
        try:
            tried = subprocess.run(
                [*way, "mount", "-t", "tmpfs", "-o", "size=64k", "none", tempfile.gettempdir()],
                capture_output=True,
                timeout=20,
            )
        except OSError:
            continue
        if not tried.returncode:
            return way
    return None


def run_with_tmpfs(directory: Path, size: str, code: str) -> str:
    """Run ``code`` with a tmpfs of ``size`` on ``directory``, its first argument.

    Returns what it printed. Skips, loudly, where no namespace can be made.
    """
    way = _way()
    if way is None:
        pytest.skip("SKIPPED: a mount namespace needs root or user namespaces, and unshare")
    ran = subprocess.run(
        [
            *way,
            "sh",
            "-c",
            f'mount -t tmpfs -o size={size} none "$1" && exec "$2" -c "$3" "$1"',
            "sh",
            str(directory),
            sys.executable,
            textwrap.dedent(code),
        ],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(directory.parent)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
