"""A recorder on a disk whose every sync takes half a second: it waits for none of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from mcap.reader import make_reader

from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience
from ledger.fsck import AuditRequest, Depth, audit_home
from ledger.home import create_home, open_home
from tests.fault.slow_sync import FilterError, slow_syncs

ROOT = Path(__file__).resolve().parents[2]
SYNC_S = 0.5
MESSAGES = 250
PATIENCE_S = 60.0


def test_syncs_that_take_half_a_second_hold_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    home = tmp_path / "home"
    create_home(home, "example.com/slow")
    command = [sys.executable, "-m", "tests.fault.slow_disk_recorder", str(home), str(MESSAGES)]
    try:
        with slow_syncs(
            command,
            SYNC_S,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as slowed:
            assert slowed.process.stdout is not None
            counted = json.loads(slowed.process.stdout.readline())
            syncs, slowed.seconds = slowed.count, 0.0  # sealing would only take longer
            slowed.process.communicate(timeout=PATIENCE_S)
            assert slowed.process.returncode == 0
    except FilterError as error:
        pytest.skip(f"SKIPPED, system calls cannot be held up here: {error}")
    assert counted["sent"] >= MESSAGES
    assert (counted["lost"], counted["written"], counted["error"]) == (0, counted["sent"], "")
    assert counted["longest_sync_s"] >= SYNC_S
    # All of its syncs together took far longer than all that the receiving thread waited.
    assert syncs >= 6
    assert counted["inside_s"] < syncs * SYNC_S / 2
    assert numbers(home) == list(range(counted["sent"]))
    report = audit_home(AuditRequest(home, tmp_path / "published", Depth.DEEP))
    assert report.ok, report.findings


def numbers(home: Path) -> list[int]:
    """What the segments hold, in order."""
    with open_home(home) as opened:
        kinds = [parse_entry(entry).kind for entry in opened.log.entries()]
    found: list[int] = []
    for kind in kinds:
        if isinstance(kind, Experience):
            root = kind.content_root
            path = home / "content" / root[:1].hex() / root.hex() / kind.files[0].name
            with path.open("rb") as stream:
                for _, _, message in make_reader(stream).iter_messages():
                    found.append(int.from_bytes(message.data[:8], "big"))
    return found
