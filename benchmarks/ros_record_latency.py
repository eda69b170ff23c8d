"""How long from sealing a segment of 8 MiB to its entry being durable: ``HOME ROUNDS LOADED``.

Idle, one recorder is fed a segment and then left alone; loaded, another recorder on the
same home takes 32 MiB a second meanwhile. Prints milliseconds as JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

from ledger.home import create_home
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.recording.channel import ChannelSpec
from ledger.recording.recorder import Recorder
from ledger.recording.settings import RecorderSettings

MESSAGE = 65_536
MESSAGES = 128
PACE_S = 0.001
SPEC = ChannelSpec("/bench", "std_msgs/msg/UInt8MultiArray", "uint8[] data")


def main(root: Path, rounds: int, *, loaded: bool) -> None:
    create_home(root, "example.com/bench")
    data = os.urandom(MESSAGE)
    over = threading.Event()
    taken = []
    with MemoryOwner.open(root) as owner:
        load = threading.Thread(target=keep_busy, args=(owner, data, over))
        if loaded:
            load.start()
        with Recorder(OwnerSink(owner), RecorderSettings()) as recorder:
            channel = recorder.add_channel(SPEC)
            for _ in range(rounds):
                feed(recorder, channel, data)
                start = time.perf_counter()
                sealed = recorder.split()
                if sealed is None:
                    raise RuntimeError("there is no segment")
                sealed.result()
                taken.append((time.perf_counter() - start) * 1e3)
        over.set()
        if loaded:
            load.join()
    sys.stdout.write(json.dumps(taken) + "\n")


def feed(recorder: Recorder, channel: int, data: bytes) -> None:
    for _ in range(MESSAGES):
        now = time.time_ns()
        recorder.receive(channel, now, now, data)
        time.sleep(PACE_S)
    while recorder.status().queued_bytes:
        time.sleep(PACE_S)


def keep_busy(owner: MemoryOwner, data: bytes, over: threading.Event) -> None:
    with Recorder(OwnerSink(owner), RecorderSettings(segment_max_s=5)) as recorder:
        channel = recorder.add_channel(SPEC)
        while not over.is_set():
            now = time.time_ns()
            recorder.receive(channel, now, now, data)
            time.sleep(2 * PACE_S)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), loaded=sys.argv[3] == "loaded")
