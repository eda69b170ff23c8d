"""Purchases and trainings of what the log does not have are found, and rows that lie."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from ledger.checkpoint import log_id
from ledger.experience.access import ExperienceWriter
from ledger.experience.kinds import Acquisition, Kind, Training
from ledger.experience.provenance import record_acquisition, record_training
from ledger.experience.records import provenance_rows
from ledger.fsck import Depth, FindingKind
from ledger.log import Log
from ledger.log_reader import U64
from ledger.published import PublishedCheckpoint
from ledger.storage import Table
from ledger.storage.lmdb import LmdbStorage
from tests.ledger.experience.test_provenance import BOUGHT
from tests.ledger.fsck.conftest import ORIGIN, SIGNER, SampleHome

K = FindingKind
UNKNOWN = b"\xee" * 16


def open_writer(home: SampleHome) -> ExperienceWriter:
    storage = LmdbStorage.open_writer(home.root / "log")
    log = Log.open(storage, PublishedCheckpoint(home.published, log_id(ORIGIN)))
    return ExperienceWriter(home.root, storage, log, SIGNER.private_key)


def append(home: SampleHome, kind: Acquisition | Training) -> int:
    """An entry behind the back of `ledger.experience.provenance`; its index."""
    writer = open_writer(home)
    try:
        return writer.append([kind], lambda at: provenance_rows(kind, at.start)).start
    finally:
        writer.log.close()


def bought(home: SampleHome, name: str) -> Acquisition:
    return dataclasses.replace(BOUGHT, record_id=home.records[name][1])


def trained(home: SampleHome, model: str, *inputs: str) -> Training:
    ids = sorted(home.records[name][1] for name in inputs)
    return Training(home.records[model][1], "policy", tuple(ids))


@pytest.fixture
def told(tiny_home: SampleHome, tmp_path: Path) -> SampleHome:
    """A home with a purchase and a training, also of what was erased and pruned."""
    home = tiny_home.copy(tmp_path)
    writer = open_writer(home)
    record_acquisition(writer, bought(home, "erased"))
    ids = [home.records[name][1] for name in ("erased", "pruned", "sealed")]
    record_training(writer, home.records["small"][1], "policy", ids)
    writer.log.close()
    return home


@pytest.mark.parametrize("depth", list(Depth))
def test_sound_provenance_has_no_finding(told: SampleHome, depth: Depth) -> None:
    assert told.audit(depth).ok


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (dataclasses.replace(BOUGHT, record_id=UNKNOWN), "bought"),
        (Training(UNKNOWN, "policy", (b"\xef" * 16,)), "a model"),
    ],
    ids=["acquisition", "training"],
)
def test_a_record_that_is_none(told: SampleHome, kind: Acquisition | Training, said: str) -> None:
    index = append(told, kind)
    first = told.audit(Depth.LOG).findings[0]
    assert (first.kind, first.entry) == (K.PROVENANCE_UNKNOWN, index)
    assert UNKNOWN.hex() in first.subject
    assert said in first.message
    assert "no such record" in first.message


def test_an_input_that_is_no_record(told: SampleHome) -> None:
    known = trained(told, "sealed", "small")
    index = append(told, dataclasses.replace(known, inputs=(*known.inputs, b"\xff" * 16)))
    assert told.found(Depth.LOG) == [(K.PROVENANCE_UNKNOWN, index)]


def test_records_that_come_later(tiny_home: SampleHome, tmp_path: Path) -> None:
    """The row of a record leads to an entry after the one that names it."""
    home = tiny_home.copy(tmp_path)
    index = append(home, trained(home, "small", "sealed", "here"))
    writer = open_writer(home)
    record = writer.record(home.records["here"][1])
    again: Kind = record.experience
    later = writer.append([again], lambda _: []).start
    writer.log.close()
    home.put((Table.RECORDS, home.records["here"][1], U64.pack(later)))
    found = home.audit(Depth.LOG).findings
    assert [(f.kind, f.entry) for f in found if f.kind is K.PROVENANCE_UNKNOWN] == [
        (K.PROVENANCE_UNKNOWN, index)
    ]
    assert f"it is entry {later}" in next(
        f.message for f in found if f.kind is K.PROVENANCE_UNKNOWN
    )


def test_a_lost_row_of_a_record_is_not_the_purchases_fault(told: SampleHome) -> None:
    index, record_id, _ = told.records["sealed"]
    told.put((Table.RECORDS, record_id, None))
    found = told.found(Depth.LOG)
    assert (K.RECORD_ROW, index) in found
    assert K.PROVENANCE_UNKNOWN not in {kind for kind, _ in found}


def test_lost_and_stray_rows(told: SampleHome) -> None:
    kind = trained(told, "here", "sealed")
    index = append(told, kind)
    assert told.audit(Depth.LOG).ok
    for row in provenance_rows(kind, index):
        told.put((row[0], row[1], None))
        assert told.found(Depth.LOG) == [(K.PROVENANCE_ROW, index)]
        told.put(row)
    stray = told.records["small"][1] + U64.pack(index)
    for key in (stray, b"\xee" * 24, b"\xee" * 5, b"\xee" * 40):
        told.put((Table.PROVENANCE, key, b""))
        (finding,) = told.audit(Depth.LOG).findings
        assert finding.kind is K.PROVENANCE_ROW
        assert key.hex() in finding.subject
        told.put((Table.PROVENANCE, key, None))
    assert told.audit(Depth.LOG).ok
