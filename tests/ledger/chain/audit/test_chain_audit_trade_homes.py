"""Homes of sellers and buyers held against the chain: what is offered, bought and trained on."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.audit import audit as audit_module
from ledger.chain.audit.robot_check import HomeBefore, look_at
from ledger.experience.entry import parse_entry
from ledger.experience.erasure import erase
from ledger.experience.ingest import ingest
from ledger.experience.kinds import Acquisition, Training
from ledger.experience.provenance import record_acquisition, record_training
from ledger.experience.readers import read_recording
from ledger.fsck.findings import Depth, Finding, FindingKind
from ledger.home import HomeWriter, open_home
from ledger.log_reader import U64
from ledger.storage import Table
from tests.ledger.report.traded import CLINIC, COAST, FOREST, HUSKY, ROVER, Traded

K = FindingKind


def findings(traded: Traded, depth: Depth = Depth.LOG) -> tuple[Finding, ...]:
    return traded.read(depth)[0].findings


def acquisition(home: HomeWriter) -> Acquisition:
    """The first that the home has."""
    for encoded in home.log.entries():
        kind = _kind(encoded)
        if isinstance(kind, Acquisition):
            return kind
    raise AssertionError("no purchase")


def _kind(encoded: bytes) -> object:
    return parse_entry(encoded).kind


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("grant", b"g" * 32, "the chain has no grant"),
        ("offer", b"o" * 32, "its offer: not what grant"),
        ("contract", b"c" * 32, "its contract: not what grant"),
        ("version", 7, "its contract's version: not what grant"),
        ("seller", CLINIC, "its seller: not what grant"),
        ("leaf", b"l" * 32, "its seller's leaf: not what grant"),
        ("content_root", b"r" * 32, "its content root: not what grant"),
    ],
)
def test_a_purchase_that_says_otherwise_than_its_grant(
    traded: Traded, field: str, value: Any, words: str
) -> None:
    """Signed by the buyer itself, so that nothing but the chain can tell."""
    with traded.writing(COAST) as home:
        index = record_acquisition(home.experiences, replace(acquisition(home), **{field: value}))
    named = [each for each in findings(traded) if each.kind is K.ACQUISITION_WRONG]
    (finding,) = named
    assert (finding.entry, finding.file) == (index, str(traded.homes[COAST]))
    assert words in finding.message


def test_a_purchase_under_another_fleets_grant(traded: Traded) -> None:
    with traded.writing(COAST) as home:
        stolen = acquisition(home)
    with traded.writing(FOREST) as home:
        mine = acquisition(home)
        index = record_acquisition(home.experiences, replace(stolen, record_id=mine.record_id))
    report, _ = traded.read()
    named = [each for each in report.findings if each.kind is K.ACQUISITION_WRONG]
    assert {each.entry for each in named} == {index}
    assert any("to another fleet than the robot's" in each.message for each in named)
    assert any(
        f"grant {stolen.grant.hex()}: bought under it is in" in each for each in report.notes
    )


def test_a_purchase_on_another_chain_is_only_noted(traded: Traded) -> None:
    with traded.writing(COAST) as home:
        elsewhere = replace(acquisition(home), chain=b"x" * 32, grant=b"y" * 32)
        index = record_acquisition(home.experiences, elsewhere)
    report, _ = traded.read()
    # That the registered model knows nothing of it is no wonder: it was there before.
    assert [each for each in report.findings if each.kind is K.ACQUISITION_WRONG] == []
    assert f"entry {index} of {COAST} was bought on another chain" in report.notes


def test_a_purchase_whose_bytes_were_altered(traded: Traded) -> None:
    with open_home(traded.homes[FOREST]) as home:
        index, encoded = next(
            (index, encoded)
            for index, encoded in enumerate(home.log.entries())
            if isinstance(_kind(encoded), Acquisition)
        )
    altered = encoded[:-1] + bytes([encoded[-1] ^ 1])
    traded.put_home(FOREST, Table.ENTRIES, U64.pack(index), altered)
    named = {each.kind: each for each in findings(traded)}
    assert named.keys() == {K.ANCHOR_WRONG, K.ACQUISITION_WRONG}
    assert named[K.ACQUISITION_WRONG].entry == index
    assert "not signed" in named[K.ACQUISITION_WRONG].message


def test_a_model_that_was_trained_on_more_than_was_registered(traded: Traded) -> None:
    with traded.writing(COAST) as home:
        trained = next(
            kind for kind in map(_kind, home.log.entries()) if isinstance(kind, Training)
        )
        extra = _own_recording(home, trained)
        record_training(home.experiences, trained.record_id, trained.name, [extra])
    (finding,) = findings(traded)
    assert (finding.kind, finding.file) == (K.MODEL_WRONG, str(traded.homes[COAST]))
    assert f"{COAST} trained it on input" in finding.message


def test_a_model_trained_on_what_is_no_record(traded: Traded) -> None:
    with traded.writing(COAST) as home:
        trained = next(
            kind for kind in map(_kind, home.log.entries()) if isinstance(kind, Training)
        )
        missing = Training(trained.record_id, "made up", (b"\0" * 16,))
        (index,) = home.experiences.append([missing], lambda _: [])
    (finding,) = findings(traded)
    assert (finding.kind, finding.entry) == (K.PROVENANCE_UNKNOWN, index)
    assert (b"\0" * 16).hex() in finding.message


def test_offered_content_that_is_gone_without_a_word(traded: Traded) -> None:
    shutil.rmtree(traded.homes[HUSKY] / "content")
    (traded.homes[HUSKY] / "content").mkdir()
    (finding,) = findings(traded)
    assert (finding.kind, finding.entry) == (K.OFFER_WRONG, 0)
    assert "was not erased" in finding.message


def test_an_offered_entry_that_was_altered(traded: Traded) -> None:
    with open_home(traded.homes[ROVER]) as home:
        entry = home.log.entry(0)
    traded.put_home(ROVER, Table.ENTRIES, U64.pack(0), entry[:-1] + bytes([entry[-1] ^ 1]))
    named = findings(traded)
    # Both offers of it; and the log is not the anchored one any more.
    assert [each.kind for each in named] == [K.ANCHOR_WRONG, K.OFFER_WRONG, K.OFFER_WRONG]
    assert "not the one that was offered" in named[1].message


def test_content_that_was_said_to_be_erased_and_is_kept(traded: Traded) -> None:
    with open_home(traded.homes[HUSKY]) as home:
        (record_id, state), *_ = home.experiences.tables.states()
        assert state.presence.name == "STORED"
    stored = _content_row(traded, HUSKY, record_id)
    with open_home(traded.homes[CLINIC]) as home:
        (erased_id, _), *_ = home.experiences.tables.states()
    traded.put_home(CLINIC, Table.CONTENT, erased_id, stored)
    (finding,) = findings(traded)
    assert finding.kind is K.OFFER_WRONG
    assert "entry 1 says that it was erased, and the home still has it" in finding.message


def test_content_that_no_entry_erased(traded: Traded) -> None:
    with open_home(traded.homes[CLINIC]) as home:
        (erased_id, _), *_ = home.experiences.tables.states()
    with open_home(traded.homes[HUSKY]) as home:
        (record_id, _), *_ = home.experiences.tables.states()
    gone = _content_row(traded, CLINIC, erased_id)
    traded.put_home(HUSKY, Table.CONTENT, record_id, gone)
    (finding,) = findings(traded)
    assert finding.kind is K.OFFER_WRONG
    assert "no entry says that it was erased" in finding.message


def test_a_record_that_the_tables_forgot(traded: Traded) -> None:
    with open_home(traded.homes[HUSKY]) as home:
        (record_id, _), *_ = home.experiences.tables.states()
    traded.put_home(HUSKY, Table.RECORDS, record_id, None)
    (finding,) = findings(traded)
    assert (finding.kind, finding.message) == (
        K.OFFER_WRONG,
        "its record is not in the home's tables",
    )


def _content_row(traded: Traded, origin: str, record_id: bytes) -> bytes:
    with open_home(traded.homes[origin]) as home, home.storage.read() as txn:
        row = txn.get(Table.CONTENT, record_id)
    assert row is not None
    return row


def _own_recording(home: HomeWriter, trained: Training) -> bytes:
    """Another recording of the home, which is neither the model nor among its inputs."""
    record = home.experiences.record(trained.record_id)
    folder = home.experiences.content.folder_of(record.experience.content_root)
    copied = home.paths.root.parent / "own"
    shutil.copytree(folder, copied)
    (recording,) = read_recording(copied)
    return ingest(home.experiences, recording).record_id


def test_what_a_robot_does_meanwhile_is_left_for_another_audit(
    traded: Traded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purchase under a grant that the chain gives while the audit runs is no forgery."""
    seen: list[Path] = []

    def looked(path: Path) -> HomeBefore:
        before = look_at(path)
        if path == traded.homes[COAST]:
            with traded.writing(COAST) as home:
                newer = replace(acquisition(home), grant=b"n" * 32)
                record_acquisition(home.experiences, newer)
        if path == traded.homes[HUSKY]:
            with traded.writing(HUSKY) as home:
                (record_id, _), *_ = home.experiences.tables.states()
                erase(home.experiences, [record_id], "meanwhile")
        seen.append(path)
        return before

    monkeypatch.setattr(audit_module, "look_at", looked)
    assert findings(traded) == ()
    assert len(seen) == 5
    monkeypatch.undo()
    # The next one sees both: the purchase, and an offer without its content.
    (finding,) = findings(traded)
    assert finding.kind is K.ACQUISITION_WRONG
    assert any("still stands; its content was erased" in each for each in traded.read()[0].notes)
