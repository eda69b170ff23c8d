"""Robots' logs against their anchors, consents, and the audit as a process of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from ledger.chain.audit.isolated import audit_chain
from ledger.chain.audit.request import ChainAuditRequest
from ledger.ed25519 import PrivateKey
from ledger.errors import FormatVersionError, StorageError
from ledger.fsck.findings import Depth, Finding, FindingKind, Phase
from ledger.home import create_home
from ledger.log_reader import U64
from ledger.note import NoteSigner
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from tests.ledger.chain.audit.audited_chain import ORIGIN, AuditedChain

K = FindingKind


def test_a_sound_chain_is_whole(sound_chain: AuditedChain) -> None:
    for depth in Depth:
        report = sound_chain.audit(depth, robots=(sound_chain.robot,))
        assert report.ok, report.findings
        counted = report.counters.to_json()
        assert counted["blocks"] == counted["blocks_replayed"] == sound_chain.height
        assert (counted["refused"], counted["robots"]) == (2, 1)
        assert counted["entries"] == 1 + counted["transactions"] + counted["blocks"]


def test_missing_erasures_are_listed(sound_chain: AuditedChain) -> None:
    report = sound_chain.audit()
    assert report.counters.to_json()["erasures_missing"] == 2
    (note,) = (note for note in report.notes if "consent" in note)
    assert sound_chain.consent.hex() in note
    assert (b"r" * 16).hex() in note
    assert ORIGIN in note


def robot_finding(chain: AuditedChain) -> Finding:
    (finding,) = chain.findings(robots=(chain.robot,))
    assert finding.kind is K.ANCHOR_WRONG
    assert finding.file == str(chain.robot)
    return finding


def tamper_robot(chain: AuditedChain, table: Table, key: bytes, value: bytes | None) -> None:
    storage = LmdbStorage.open_writer(chain.robot / "log")
    try:
        if value is None:
            storage.write(lambda txn: txn.delete(table, key))
        else:
            storage.write(lambda txn: txn.put(table, key, value))
    finally:
        storage.close()


def test_a_robots_changed_entry_contradicts_its_anchor(chain: AuditedChain) -> None:
    tamper_robot(chain, Table.ENTRIES, U64.pack(3), b"another entry")
    finding = robot_finding(chain)
    assert finding.height == 4
    assert "first 5 entries" in finding.message


def test_an_entry_after_the_anchor_does_not(chain: AuditedChain) -> None:
    tamper_robot(chain, Table.ENTRIES, U64.pack(5), b"another entry")
    assert chain.audit(robots=(chain.robot,)).ok


def test_a_robots_missing_entry_is_named(chain: AuditedChain) -> None:
    tamper_robot(chain, Table.ENTRIES, U64.pack(3), None)
    assert "missing" in robot_finding(chain).message


def test_a_robot_set_back_is_named(
    chain: AuditedChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "another machine"))
    shutil.rmtree(chain.robot)
    create_home(chain.robot, ORIGIN)
    assert "5 entries are anchored; the log has 0" in robot_finding(chain).message


def test_a_robot_that_is_not_there_is_named(chain: AuditedChain) -> None:
    shutil.rmtree(chain.robot)
    assert "no robot's home" in robot_finding(chain).message


def test_a_robots_damaged_store_does_not_end_the_audit(chain: AuditedChain) -> None:
    data = chain.robot / "log" / "data.mdb"
    sound = data.read_bytes()
    data.write_bytes(sound[:8192] + b"\xff" * (len(sound) - 8192))
    report = audit_chain(chain.request(robots=(chain.robot,)))
    (finding,) = report.findings
    assert finding.kind is K.ANCHOR_WRONG
    assert report.counters.to_json()["blocks_replayed"] == chain.height


def test_a_robot_that_never_anchored_is_a_note(chain: AuditedChain, tmp_path: Path) -> None:
    create_home(tmp_path / "kelpie", "example.com/kelpie")
    report = chain.audit(robots=(tmp_path / "kelpie",))
    assert report.ok
    assert any("no checkpoint of example.com/kelpie" in note for note in report.notes)


def test_the_child_process_says_the_same(sound_chain: AuditedChain) -> None:
    seen: list[Phase] = []
    request = sound_chain.request(robots=(sound_chain.robot,))
    report = audit_chain(request, lambda phase, done, total: seen.append(phase))
    assert report == sound_chain.audit(robots=(sound_chain.robot,))
    assert {Phase.LOG, Phase.STATE} <= set(seen)
    assert ChainAuditRequest.decode(request.encode()) == request


def test_findings_survive_the_journey(chain: AuditedChain) -> None:
    key, row = chain.rows(Table.STATE_LEAVES)[0]
    chain.put((Table.STATE_LEAVES, key, row[:-1] + bytes([row[-1] ^ 1])))
    report = audit_chain(chain.request())
    assert report == chain.audit()
    document = json.loads(json.dumps(report.to_json()))
    (found,) = [each for each in document["findings"] if each["kind"] == "state-key"]
    assert Finding.from_json(found).key == bytes.fromhex(found["key"])


def test_damaged_pages_are_named(chain: AuditedChain) -> None:
    data = chain.home / "log" / "data.mdb"
    sound = data.read_bytes()
    data.write_bytes(sound[:8192] + b"\xff" * (len(sound) - 8192))
    kinds = {finding.kind for finding in audit_chain(chain.request(Depth.DEEP)).findings}
    assert K.STORE_DAMAGED in kinds


def test_keys_that_it_must_be_of(sound_chain: AuditedChain) -> None:
    own = NoteSigner("chain.example/test", PrivateKey.from_seed(b"o" * 32)).verifier_key
    (finding,) = sound_chain.findings(pinned=(own,))
    assert finding.kind is K.META_WRONG


def test_what_is_no_chain(chain: AuditedChain, tmp_path: Path) -> None:
    with pytest.raises(StorageError):
        audit_chain(ChainAuditRequest(tmp_path / "nothing", tmp_path))
    # A robot's home is none.
    report = audit_chain(ChainAuditRequest(chain.robot, chain.published))
    assert {finding.kind for finding in report.findings} == {K.STORE_DAMAGED}
    chain.put((Table.META, b"format", b"quipu-chain/9"))
    with pytest.raises(FormatVersionError):
        audit_chain(chain.request())
