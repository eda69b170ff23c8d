"""A process that ingests one recording in place and says what that took.

``python -m benchmarks.ingest_run RECORDING HOME`` makes a home, ingests, and prints
``{"seconds": ..., "rss_mb": ...}``: wall time of reading the recording's summary and
ingesting it until it is durable, and the most memory the process ever held.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from benchmarks.measure import seconds_of
from ledger.experience.content_store import StoreMode
from ledger.experience.ingest import IngestOptions, ingest_all
from ledger.experience.readers import read_recording
from ledger.home import create_home, open_home_to_write


def main(recording: Path, root: Path) -> None:
    create_home(root)
    options = IngestOptions(mode=StoreMode.IN_PLACE)
    with open_home_to_write(root) as home:
        seconds = seconds_of(
            lambda: list(ingest_all(home.experiences, read_recording(recording), options))
        )
    print(json.dumps({"seconds": seconds, "rss_mb": peak_memory_bytes() / 1e6}))


def peak_memory_bytes() -> int:
    """The most memory this program held at any time.

    Linux starts getrusage's ru_maxrss at what the parent held when it made the process;
    VmHWM is of this program alone.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
