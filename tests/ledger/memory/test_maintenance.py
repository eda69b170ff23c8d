"""Offloading and pruning by the owner, while it goes on committing."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.experience.ingest import ingest_all
from ledger.experience.readers.recording import Recording, RecordingFile
from ledger.experience.records import Presence
from ledger.memory.maintenance import (
    Maintenance,
    MaintenancePolicy,
    MaintenanceReport,
    PeriodicMaintenance,
)
from ledger.memory.owner import MemoryOwner
from tests.ledger.memory.owner_process import wait_for

_DAY_NS = 86_400 * 10**9


def record(owner: MemoryOwner, tmp_path: Path, name: str, size: int, age_days: float) -> bytes:
    path = tmp_path / name
    path.write_bytes(name.encode()[:1] * size)
    end_ns = time.time_ns() - round(age_days * _DAY_NS)
    recording = Recording(
        tmp_path,
        name,
        "application/octet-stream",
        (RecordingFile(name, path, size),),
        start_ns=end_ns,
        end_ns=end_ns,
    )
    with owner.writer() as home:
        (receipt,) = ingest_all(home.experiences, [recording])
    return receipt.record_id


@pytest.fixture
def lived(owner: MemoryOwner, tmp_path: Path) -> dict[str, bytes]:
    """Four recordings, from old to new, of which the second is large."""
    return {
        name: record(owner, tmp_path, name, size, age)
        for name, size, age in (("a", 1000, 10), ("b", 50_000, 5), ("c", 1000, 2), ("d", 1000, 0))
    }


def kept(owner: MemoryOwner, lived: dict[str, bytes]) -> str:
    with owner.reader() as home:
        states = {name: home.experiences.tables.state(lived[name]).presence for name in lived}
    return "".join(name for name, presence in states.items() if presence is Presence.STORED)


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        (MaintenancePolicy(), "abcd"),
        (MaintenancePolicy(keep_for_s=3 * 86_400.0), "cd"),
        (MaintenancePolicy(larger_than=1000), "acd"),
        (MaintenancePolicy(keep_at_most=2000), "cd"),
        (MaintenancePolicy(keep_at_most=0, keep_for_s=0.0), ""),
    ],
)
def test_what_goes(
    owner: MemoryOwner,
    lived: dict[str, bytes],
    policy: MaintenancePolicy,
    left: str,
    tmp_path: Path,
) -> None:

    # Without a copy elsewhere nothing goes.
    report = Maintenance(owner, policy).run()
    assert (report.pruned, report.refused) == (0, 4 - len(left))
    assert kept(owner, lived) == "abcd"
    offloading = Maintenance(owner, replace(policy, offload_to=tmp_path / "shelf"))
    report = offloading.run()
    assert (report.offloaded, report.pruned, report.refused) == (4, 4 - len(left), 0)
    assert kept(owner, lived) == left
    assert offloading.run() == MaintenanceReport()


def test_what_was_never_offloaded_goes_if_it_may(
    owner: MemoryOwner, lived: dict[str, bytes]
) -> None:
    report = Maintenance(owner, MaintenancePolicy(keep_at_most=0, prune_unoffloaded=True)).run()
    assert (report.pruned, report.freed_bytes) == (4, 53_000)
    assert kept(owner, lived) == ""


def test_a_shelf_that_is_out_of_reach(
    owner: MemoryOwner, lived: dict[str, bytes], tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    shelf.write_bytes(b"not a folder")
    maintenance = Maintenance(owner, MaintenancePolicy(offload_to=shelf, keep_at_most=0))
    assert "shelf" in maintenance.run().error
    assert kept(owner, lived) == "abcd"
    shelf.unlink()
    assert maintenance.run().pruned == 4


def test_it_ends_between_two_recordings(
    owner: MemoryOwner, lived: dict[str, bytes], tmp_path: Path
) -> None:
    maintenance = Maintenance(owner, MaintenancePolicy(offload_to=tmp_path / "shelf"))
    assert maintenance.run(lambda: True).offloaded == 1
    assert maintenance.run().offloaded == 3


def test_commits_come_between(owner: MemoryOwner, lived: dict[str, bytes], tmp_path: Path) -> None:
    with owner.lent(4711):  # offloading only reads: it does not even wait for a command
        done = threading.Event()
        maintenance = Maintenance(owner, MaintenancePolicy(tmp_path / "shelf", keep_at_most=0))
        thread = threading.Thread(target=lambda: (maintenance.run(), done.set()))
        thread.start()
        wait_for(lambda: owner.status().waiting == 1)
        assert len(list((tmp_path / "shelf").iterdir())) == 4
        assert not done.is_set()
    thread.join(60)
    assert kept(owner, lived) == ""


def test_it_goes_on_by_itself(owner: MemoryOwner, lived: dict[str, bytes], tmp_path: Path) -> None:
    policy = MaintenancePolicy(offload_to=tmp_path / "shelf", keep_at_most=0)
    with closing(PeriodicMaintenance(owner, policy, 0.01)) as running:
        wait_for(lambda: kept(owner, lived) == "")
        lived["e"] = record(owner, tmp_path, "e", 10, 0)
        wait_for(lambda: kept(owner, lived) == "")
        assert running.report.error == ""
