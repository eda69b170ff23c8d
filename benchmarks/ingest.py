"""Ingesting a recording against ``openssl dgst -sha256`` of the same file.

Both are processes, both find the file in the page cache. The one of openssl is timed
from outside; ours reports the time of the ingest alone, without the start of Python.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import seconds_of

_CHECKOUT = Path(__file__).resolve().parents[1]
_READ_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class IngestTurns:
    """Seconds of each turn; ``rss_mb`` is the most memory of any ingest."""

    ours: list[float]
    openssl: list[float]
    """Empty where there is no openssl."""
    rss_mb: float


def ingest_turns(recording: Path, folder: Path, rounds: int) -> IngestTurns:
    """Let both take turns at a recording."""
    openssl = shutil.which("openssl")
    ours, theirs, memory = [], [], 0.0
    for turn in range(rounds):
        warm(recording)
        seconds, rss_mb = _ingest(recording, folder / f"home-{turn}")
        ours.append(seconds)
        memory = max(memory, rss_mb)
        if openssl:
            warm(recording)
            theirs.append(seconds_of(lambda: _digest(openssl, recording)))
    return IngestTurns(ours, theirs, memory)


def warm(path: Path) -> None:
    """Read a file, so that it is in the page cache."""
    buffer = bytearray(_READ_BYTES)
    with path.open("rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass


def _ingest(recording: Path, home: Path) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.ingest_run", str(recording), str(home)],
        cwd=_CHECKOUT,
        env={**os.environ, "QUIPU_PUBLISHED": str(home.with_name("published"))},
        stdout=subprocess.PIPE,
        check=True,
    )
    report = json.loads(done.stdout)
    return report["seconds"], report["rss_mb"]


def _digest(openssl: str, path: Path) -> None:
    subprocess.run([openssl, "dgst", "-sha256", str(path)], stdout=subprocess.DEVNULL, check=True)
