"""The recorder that gets killed: ``python -m tests.fault.recording_process HOME SEED``.

Lines to standard output, each only when it is true::

    R <messages> <bytes>      of all that a progress entry has committed to, so far
    S <entry> <record id>     a segment was sealed
    M <reward>                a mark of the episode was confirmed

It records until it is killed, or its standard input ends.
"""

from __future__ import annotations

import random
import sys
import threading
import time
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


def main() -> None:
    home, seed = Path(sys.argv[1]), int(sys.argv[2])
    chance = random.Random(seed)
    ended = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
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
            for _ in range(chance.randrange(1, 40)):
                size = chance.choice([10, 100, 3000, 300_000])
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


if __name__ == "__main__":
    main()
