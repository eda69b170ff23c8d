"""A sound home has no findings, at any depth, from any start, in any process."""

from __future__ import annotations

from ledger.fsck import AuditRequest, Depth, Phase, audit_home


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
    assert {phase for phase, _, _ in seen} == set(Phase)
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
