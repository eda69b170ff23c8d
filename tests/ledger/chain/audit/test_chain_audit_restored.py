"""A chain that was restored from a snapshot, and went on: what is here is checked as ever."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.light.trust import Trust
from ledger.chain.machine.copies import restore_chain
from ledger.chain.machine.machine import StateMachine
from ledger.chain.machine.proposal import Proposal
from ledger.chain.machine.snapshot import SnapshotStore
from ledger.chain.transaction import sign_transaction
from ledger.checkpoint import log_id
from ledger.fsck.findings import Depth, FindingKind
from ledger.log import Log
from ledger.log_reader import FIRST_ENTRY, U64, LogReader
from ledger.note import VerifierKey
from ledger.published import PublishedCheckpoint
from ledger.report.chain_story import chain_story
from ledger.report.page import page
from ledger.report.verdict import Audited
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from ledger.storage.store_kind import StoreKind
from tests.ledger.chain.audit.audited_chain import AuditedChain
from tests.ledger.chain.audit.test_chain_audit_tampering import FLIPPED, flipped
from tests.ledger.chain.machine.small_chain import SmallChain
from tests.ledger.chain.rules.chain_world import SECOND, account_of, body_of, known_key
from tests.ledger.report.traded import Traded

K = FindingKind
BLOCKS = 3


@pytest.fixture
def restored(
    sound_chain: AuditedChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AuditedChain:
    """The chain from its last block on, and three more."""
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    store = SnapshotStore(tmp_path / "snapshots")
    source = LmdbStorage.open_reader(sound_chain.home / "log", StoreKind.CHAIN)
    try:
        height = store.take(source).height
    finally:
        source.close()
    operator = SmallChain.signer_of("operator")
    chain = sound_chain.chain_id
    home = tmp_path / "restored"
    trust = Trust(chain, [operator.verifier_key])
    manifest = store.manifest(height)
    restore_chain(home, manifest, lambda number: store.load_chunk(height, number), trust)
    storage = LmdbStorage.open_writer(home / "log", StoreKind.CHAIN)
    try:
        origin = operator.verifier_key.name
        log = Log.open(storage, PublishedCheckpoint(tmp_path / "published", log_id(origin)))
        machine = StateMachine(storage, log)
        for number in range(BLOCKS):
            info = machine.info()
            transfer = Transfer(recipient=account_of(known_key("bob")), amount=1)
            body = body_of(transfer, sequence=number, expiry_height=10_000, fee=1)
            encoded = sign_transaction(chain, known_key("robot 0.0 pays"), body)
            machine.finalize(Proposal(info.height + 1, info.time_ns + SECOND, [encoded]))
            machine.commit()
            log.checkpoint([operator])
    finally:
        storage.close()
    return replace(sound_chain, home=home, published=tmp_path / "published", height=height + BLOCKS)


def test_it_is_whole_and_its_new_blocks_are_replayed(restored: AuditedChain) -> None:
    report = restored.audit()
    assert report.ok, report.findings
    counted = report.counters.to_json()
    assert counted["blocks"] == counted["blocks_replayed"] == BLOCKS
    assert any("restored from a snapshot" in note for note in report.notes)


@pytest.mark.parametrize(
    "table",
    [table for table in FLIPPED if table not in (Table.ATTACHMENTS, Table.TILES)],
    ids=lambda table: table.name,
)
def test_a_flipped_byte_is_named(restored: AuditedChain, table: Table) -> None:
    draw = random.Random(table.name)
    rows = restored.rows(table)
    for key, value in draw.sample(rows, min(4, len(rows))):
        restored.put((table, key, flipped(value, draw)))
        assert restored.findings(), key
        restored.put((table, key, value))
    assert restored.audit().ok


def test_every_stored_tile_of_the_edge_counts(restored: AuditedChain) -> None:
    for key, block in restored.rows(Table.TILES):
        for at in range(0, len(block), 97):
            tampered = block[:at] + bytes([block[at] ^ 1]) + block[at + 1 :]
            restored.put((Table.TILES, key, tampered))
            assert restored.findings(), (key, at)
        restored.put((Table.TILES, key, None))
        assert restored.findings()
        restored.put((Table.TILES, key, block))


def test_it_cannot_begin_elsewhere(restored: AuditedChain) -> None:
    (first,) = [value for key, value in restored.rows(Table.META) if key == FIRST_ENTRY]
    for wrong in (0, U64.unpack(first)[0] + 1, 1 << 60):
        restored.put((Table.META, FIRST_ENTRY, U64.pack(wrong)))
        assert restored.findings(), wrong
    restored.put((Table.META, FIRST_ENTRY, b"short"))
    assert K.META_WRONG in restored.kinds()


def test_a_world_that_traded_goes_on_from_a_snapshot(traded: Traded, tmp_path: Path) -> None:
    """Homes are held against what the snapshot still tells; what it forgot is nobody's fault."""
    store = SnapshotStore(tmp_path / "snapshots")
    source = LmdbStorage.open_reader(traded.chain / "log", StoreKind.CHAIN)
    try:
        height = store.take(source).height
        vkey = VerifierKey.parse(LogReader(source).first_vkey)
    finally:
        source.close()
    manifest = store.manifest(height)
    whole, before = traded.read()
    trust = Trust(before.chronicle.genesis.chain, [vkey])
    home = tmp_path / "restored"
    restore_chain(home, manifest, lambda number: store.load_chunk(height, number), trust)
    report, past = replace(traded, chain=home, published=tmp_path / "nothing").read()
    assert report.findings == ()
    assert not past.chronicle.whole
    counted, all_of_it = report.counters.to_json(), whole.counters.to_json()
    for name in ("contracts", "offers", "offers_checked", "grants", "uses", "channels_open"):
        assert counted[name] == all_of_it[name], name
    for name in ("sales_open", "consents", "models", "robots", "acquisitions", "trainings"):
        assert counted[name] == all_of_it[name], name
    assert counted["notices"] == 2
    assert past.chronicle.books.accounts == before.chronicle.books.accounts
    told = page(report, chain_story(past), Audited(1, Depth.LOG, "x"))
    assert "since its snapshot" in told
