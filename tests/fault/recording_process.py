"""Recorders that get killed: ``python -m tests.fault.recording_process HOME``.

For each line ``SEED`` on standard input a recorder is forked, which has nothing to load any
more; it records until it is killed, or ends in good order on SIGTERM. Lines to standard
output, each only when it is true::

    F <pid>                          a recorder was started
    B <record id>                    it has a record to write into
    P <entry> <record id> <length>   a progress entry was committed
    S <entry> <record id>            a segment was sealed
    M <reward>                       a mark of the episode was confirmed
    E <exit code>                    it has ended; minus the signal if it was killed
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

from ledger.experience.growing import OpenRecord
from ledger.experience.growing_content import ProgressMark
from ledger.experience.ingest import IngestReceipt
from ledger.experience.kinds import RewardSource
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.recording.channel import LATCHED, ChannelSpec, QosProfile
from ledger.recording.episode import EpisodeGoal
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.recorder import Recorder
from ledger.recording.settings import RecorderSettings


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class TellingSink(OwnerSink):
    """Says what has become durable."""

    def progress(self, record_id: bytes, mark: ProgressMark) -> int:
        index = super().progress(record_id, mark)
        say(f"P {index} {record_id.hex()} {mark.length}")
        return index

    def seal(self, record_id: bytes, *arguments: object) -> IngestReceipt:  # type: ignore[override]
        receipt = super().seal(record_id, *arguments)  # type: ignore[arg-type]
        say(f"S {receipt.index} {record_id.hex()}")
        return receipt

    def begin(self, **options: object) -> OpenRecord:
        record = super().begin()
        say(f"B {record.record_id.hex()}")
        return record


def record(home: Path, seed: int) -> None:
    chance = random.Random(seed)
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    settings = RecorderSettings(
        name="victim", segment_max_s=0.25, progress_period_s=0.03, ros_distro="jazzy"
    )
    with MemoryOwner.open(home) as owner, Recorder(TellingSink(owner), settings) as recorder:
        channels = [
            recorder.add_channel(ChannelSpec(f"/t{n}", "a/msg/B", "int8 x", offers=(offer,)))
            for n, offer in enumerate((QosProfile(), QosProfile(durability=LATCHED)))
        ]
        number = 0
        while not ended.is_set():
            for _ in range(chance.randrange(1, 20)):
                (size,) = chance.choices([10, 100, 1_000, 40_000], [600, 400, 50, 5])
                now = time.time_ns()
                recorder.receive(
                    chance.choice(channels), now, now, number.to_bytes(8, "big") * size
                )
                number += 1
            if chance.random() < 0.1 and recorder.status().episode is None:
                recorder.start_episode(EpisodeGoal(f"episode {seed}-{number}", "be killed"))
            elif chance.random() < 0.1 and recorder.status().episode is not None:
                recorder.mark_episode(EpisodeMarks(True, float(number), RewardSource.TASK))
                say(f"M {number}")
                if chance.random() < 0.7:
                    recorder.stop_episode()
            time.sleep(chance.random() * 0.01)


def main() -> None:
    home = Path(sys.argv[1])
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            code = 1
            try:
                record(home, int(line))
                code = 0
            except BaseException:  # noqa: BLE001 - this process is a fork
                traceback.print_exc()
            finally:
                os._exit(code)
        say(f"F {pid}")
        _, status = os.waitpid(pid, 0)
        say(f"E {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
