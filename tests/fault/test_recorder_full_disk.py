"""A recorder whose disk fills up: it says so, counts, and goes on when there is room."""

from __future__ import annotations

import textwrap
from pathlib import Path

from tests.fault.private_mount import run_with_tmpfs

RECORD = """
    import os, pathlib, sys, tempfile, time
    place = pathlib.Path(sys.argv[1])
    os.environ["QUIPU_PUBLISHED"] = tempfile.mkdtemp()
    from ledger.fsck import AuditRequest, Depth, audit_home
    from ledger.home import create_home
    from ledger.memory.owner import MemoryOwner
    from ledger.memory.owner_sink import OwnerSink
    from ledger.recording.recorder import Recorder
    from ledger.recording.settings import RecorderSettings
    from ledger.recording.status import RecorderState
    from tests.ledger.recording.recorded_home import (
        START_NS, STRING, bag_of, messages, segments, wait_for
    )

    home = place / "home"
    create_home(home, "example.com/r1")
    owner = MemoryOwner.open(home)
    settings = RecorderSettings(min_free_bytes=MIN_FREE, progress_period_s=0.1)
    recorder = Recorder(OwnerSink(owner), settings)
    channel = recorder.add_channel(STRING)
    sent = 0

    def send(count):
        global sent
        for _ in range(count):
            recorder.receive(channel, START_NS + sent, 0, sent.to_bytes(8, "big") * 2500)
            sent += 1
        wait_for(lambda: recorder.status().queued_bytes == 0)

    send(100)
    wait_for(lambda: recorder.status().commits.progress_entries)
    filler = place / "filler"
    with filler.open("wb", buffering=0) as out:
        try:
            while LEAVE < os.statvfs(place).f_bavail * os.statvfs(place).f_frsize:
                out.write(bytes(65536))
        except OSError:
            pass
    deadline = time.monotonic() + 60
    while recorder.status().state is not RecorderState.DISK_FULL:
        assert time.monotonic() < deadline, recorder.status()
        send(20)
    send(200)
    lost = recorder.status().lost
    assert lost >= 200, recorder.status()
    filler.unlink()
    wait_for(lambda: recorder.status().state is RecorderState.RECORDING)
    send(100)
    assert recorder.status().lost == lost
    assert recorder.close(30), recorder.status()
    status = recorder.status()
    assert not status.commits.last_error, status
    found = [
        (number, message)
        for each in segments(owner)
        for number, message in enumerate(messages(bag_of(home, each)))
    ]
    numbers = [int.from_bytes(data[:8], "big") for _, (*_, data) in found]
    assert numbers == sorted(set(numbers))
    assert numbers[:100] == list(range(100)) and numbers[-100:] == list(range(sent - 100, sent))
    assert len(numbers) == sent - lost == status.written, (len(numbers), sent, status)
    assert sum(int(dict((t.key, t.value) for t in each.tags).get("lost", 0))
               for each in segments(owner)) == lost
    owner.close()
    report = audit_home(AuditRequest(home, pathlib.Path(os.environ["QUIPU_PUBLISHED"]), Depth.DEEP))
    assert report.ok, report.findings
    print("done", lost)
"""


def run(directory: Path, min_free: int, leave: int) -> str:
    code = textwrap.dedent(RECORD).replace("MIN_FREE", str(min_free)).replace("LEAVE", str(leave))
    return run_with_tmpfs(directory, "64m", code)


def test_room_runs_out_in_the_middle_of_a_write(tmp_path: Path) -> None:
    # Nothing is kept free: the write itself meets the full disk.
    assert run(tmp_path, 0, 0).startswith("done")


def test_room_is_left_for_the_ledger(tmp_path: Path) -> None:
    assert run(tmp_path, 8 << 20, 4 << 20).startswith("done")
