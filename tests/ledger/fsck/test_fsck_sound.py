"""A sound home has no findings, at any depth, from any start, in any process."""

from __future__ import annotations

import threading

from ledger.checkpoint import log_id
from ledger.experience.access import ExperienceWriter
from ledger.experience.erasure import erase
from ledger.experience.ingest import ingest
from ledger.experience.pending import PendingNotes
from ledger.experience.readers.recording import Recording, RecordingFile
from ledger.fsck import AuditRequest, Depth, Phase, audit_home
from ledger.fsck.content_check import ContentCheck
from ledger.fsck.findings import AuditTrail
from ledger.log import Log
from ledger.published import PublishedCheckpoint
from ledger.storage.lmdb import LmdbStorage


def test_sound_home_is_ok(sound_home):
    report = sound_home.audit()
    assert report.ok, report.findings
    counters = report.counters
    assert counters.entries == sound_home.size
    assert counters.records == sound_home.size - 2  # one erasure, one pruning
    assert (counters.records_erased, counters.records_pruned) == (1, 1)
    assert counters.checkpoints == 3  # two kept, one published
    assert counters.tiles == -(-sound_home.size // 256) + 1
    assert counters.chunks == 3 + 2 + 1 + 4 + 1
    assert report.notes == ()


def test_child_process_says_the_same(sound_home):
    seen = []
    report = audit_home(
        AuditRequest(sound_home.root, sound_home.published, Depth.DEEP),
        lambda phase, done, total: seen.append((phase, done, total)),
    )
    assert report == sound_home.audit()
    assert {phase for phase, _, _ in seen} == set(Phase) - {Phase.STATE}  # a chain has one
    content = [done for phase, done, _ in seen if phase is Phase.CONTENT]
    assert content == sorted(content)
    assert seen[-1][1] == seen[-1][2] == report.counters.content_bytes


def test_depth_log_reads_no_content(sound_home):
    report = sound_home.audit(Depth.LOG)
    assert report.ok
    assert report.counters.content_bytes == 0


def test_json_has_ok_and_counters(sound_home):
    document = sound_home.audit(Depth.LOG).to_json()
    assert document["ok"] is True
    assert document["findings"] == []
    assert document["entries"] == sound_home.size


def test_writer_at_work_is_not_taken_for_damage(tiny_home, tmp_path, signer):
    """Records come, are sealed by a checkpoint, and are erased, while three audits run."""
    home = tiny_home.copy(tmp_path)
    source = tmp_path / "recording.bin"
    source.write_bytes(b"seen" * 1000)
    recording = Recording(tmp_path, "r", "text/plain", (RecordingFile(source.name, source, 4000),))
    storage = LmdbStorage.open_writer(home.root / "log")
    log = Log.open(storage, PublishedCheckpoint(home.published, log_id(signer.name)))
    writer = ExperienceWriter(home.root, storage, log, signer.private_key)
    done = threading.Event()

    def work():
        while not done.is_set():
            ids = [ingest(writer, recording).record_id for _ in range(3)]
            log.checkpoint([signer])
            erase(writer, ids[:2])

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for depth in (Depth.LOG, Depth.DEEP, Depth.DEEP):
            report = audit_home(AuditRequest(home.root, home.published, depth))
            assert report.ok, report.findings
    finally:
        done.set()
        thread.join()
        log.close()


def test_a_removal_that_ends_between_two_looks_is_seen(tiny_home, tmp_path, signer, monkeypatch):
    """The note is gone by the time it is looked for: then the state has changed."""
    home = tiny_home.copy(tmp_path)
    source = tmp_path / "recording.bin"
    source.write_bytes(b"seen" * 1000)
    recording = Recording(tmp_path, "r", "text/plain", (RecordingFile(source.name, source, 4000),))
    storage = LmdbStorage.open_writer(home.root / "log")
    log = Log.open(storage, PublishedCheckpoint(home.published, log_id(signer.name)))
    writer = ExperienceWriter(home.root, storage, log, signer.private_key)
    record_id = ingest(writer, recording).record_id
    check = ContentCheck(storage, home.root, AuditTrail(), Depth.LOG, 0)
    (record,) = [record for record in check._records() if record.id == record_id]
    assert not check._is_under_way(record)

    def ends_meanwhile(notes):
        monkeypatch.undo()
        erase(writer, [record_id])
        return notes.left()

    monkeypatch.setattr(PendingNotes, "left", ends_meanwhile)
    assert check._is_under_way(record)
    log.close()
