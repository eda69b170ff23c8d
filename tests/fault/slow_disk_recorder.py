"""A recorder at a steady pace: ``python -m tests.fault.slow_disk_recorder HOME MESSAGES``.

Records MESSAGES of 1,000 bytes at 100 a second, and on until the first commit; says what it
counted, as a line of JSON, and seals when its standard input ends.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.recording.channel import ChannelSpec, QosProfile
from ledger.recording.recorder import Recorder
from ledger.recording.settings import RecorderSettings

PERIOD_S = 0.01


def main() -> None:
    home, messages = Path(sys.argv[1]), int(sys.argv[2])
    settings = RecorderSettings(name="slow", progress_period_s=0.1)
    inside_s = longest_sync_s = 0.0
    with MemoryOwner.open(home) as owner, Recorder(OwnerSink(owner), settings) as recorder:
        channel = recorder.add_channel(
            ChannelSpec("/t", "a/msg/B", "int8 x", offers=(QosProfile(),))
        )
        number = 0
        while number < messages or not recorder.status().commits.progress_entries:
            data = number.to_bytes(8, "big") * 125
            now = time.time_ns()
            began = time.perf_counter()
            recorder.receive(channel, now, now, data)
            inside_s += time.perf_counter() - began
            longest_sync_s = max(longest_sync_s, recorder.status().commits.last_sync_s)
            number += 1
            time.sleep(PERIOD_S)
        while recorder.status().written < number and not recorder.status().lost:
            time.sleep(PERIOD_S)
        status = recorder.status()
        counted = {
            "sent": number,
            "written": status.written,
            "lost": status.lost,
            "error": status.commits.last_error,
            "inside_s": inside_s,
            "longest_sync_s": longest_sync_s,
        }
        sys.stdout.write(json.dumps(counted) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
