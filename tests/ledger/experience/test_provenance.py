"""What was bought and what models were trained on: entries, and the way back from a record."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoint import log_id
from ledger.errors import MalformedError, NotFoundError
from ledger.experience.entry import encode_entry, parse_entry, verify_entry
from ledger.experience.erasure import erase
from ledger.experience.ingest import IngestOptions, ingest, ingest_all
from ledger.experience.kinds import Acquisition, Experience, Kind, Training
from ledger.experience.provenance import (
    acquisition_under,
    acquisitions_of,
    record_acquisition,
    record_training,
    trainings_of,
    trainings_on,
)
from ledger.experience.readers.recording import RangeRef, Recording
from ledger.schema import entry_pb2
from tests.ledger.experience.experience_home import TestHome, check_at_rest, make_recording
from tests.ledger.experience.frozen import generate_provenance
from tests.ledger.experience.test_entry import KEY, LOG_ID, body_of, signed

BOUGHT = Acquisition(
    record_id=b"r" * 16,
    chain=b"h" * 32,
    grant=b"g" * 32,
    offer=b"o" * 32,
    contract=b"c" * 32,
    version=1,
    seller="seller.example/log",
    leaf=b"l" * 32,
    content_root=b"t" * 32,
)
TRAINED = Training(b"m" * 16, "policy", (b"a" * 16, b"b" * 16))


def three(home: TestHome, folder: Path) -> list[bytes]:
    made = [make_recording(folder / name, name=name, shrunk=100) for name in "abc"]
    return [receipt.record_id for receipt in ingest_all(home.writer, made)]


def own(record_id: bytes, grant: bytes = BOUGHT.grant) -> Acquisition:
    return dataclasses.replace(BOUGHT, record_id=record_id, grant=grant)


# The way there and back


def test_a_recording_and_how_it_was_bought_come_in_one_step(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    other = make_recording(tmp_path / "other", name="other", shrunk=100)
    receipts = list(ingest_all(home.writer, [recording, other], IngestOptions(acquired=own)))
    assert [receipt.index for receipt in receipts] == [0, 2]
    for receipt in receipts:
        ((index, acquisition),) = acquisitions_of(home.writer, receipt.record_id)
        assert (index, acquisition) == (receipt.index + 1, own(receipt.record_id))
        assert parse_entry(home.log.entry(index)).kind == acquisition
        assert home.writer.record(receipt.record_id).experience.content_root != BOUGHT.content_root
    assert acquisition_under(home.writer, BOUGHT.grant) == (1, own(receipts[0].record_id))
    check_at_rest(home, tmp_path / "scratch")


def test_an_acquisition_of_another_record_ingests_nothing(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    with pytest.raises(MalformedError, match="another record"):
        ingest(home.writer, recording, IngestOptions(acquired=lambda _: BOUGHT))
    assert home.log.size == 0
    check_at_rest(home, tmp_path / "scratch")


def test_said_again_it_is_the_entry_of_then(home: TestHome, tmp_path: Path) -> None:
    first, second, third = three(home, tmp_path)
    at = record_acquisition(home.writer, own(first))
    assert record_acquisition(home.writer, own(first)) == at
    again = record_acquisition(home.writer, own(first, b"G" * 32))
    assert again == at + 1
    trained = record_training(home.writer, third, "policy", [second, first, first])
    assert trained == (again + 1,)
    assert record_training(home.writer, third, "policy", [first, second]) == trained
    assert record_training(home.writer, third, "policy 2", [first]) == (again + 2,)
    assert home.log.size == again + 3


def test_from_a_record_to_what_is_said_of_it(home: TestHome, tmp_path: Path) -> None:
    first, second, third = three(home, tmp_path)
    bought = record_acquisition(home.writer, own(second))
    (trained,) = record_training(home.writer, third, "policy", [first, second])
    training = Training(third, "policy", tuple(sorted([first, second])))
    assert list(trainings_of(home.writer, third)) == [(trained, training)]
    assert list(trainings_on(home.writer, third)) == []
    for record_id in (first, second):
        assert list(trainings_of(home.writer, record_id)) == []
        assert list(trainings_on(home.writer, record_id)) == [(trained, training)]
    assert list(acquisitions_of(home.writer, first)) == []
    assert list(acquisitions_of(home.writer, second)) == [(bought, own(second))]
    # A grant is found by its first half, and believed by the whole of it.
    assert acquisition_under(home.writer, BOUGHT.grant[:16] + bytes(16)) is None
    assert acquisition_under(home.writer, bytes(32)) is None


def test_what_was_erased_stays_told(home: TestHome, tmp_path: Path) -> None:
    first, second, _ = three(home, tmp_path)
    record_acquisition(home.writer, own(first))
    erase(home.writer, [first, second])
    (trained,) = record_training(home.writer, second, "policy", [first])
    assert [index for index, _ in trainings_on(home.writer, first)] == [trained]
    assert record_acquisition(home.writer, own(first)) == 3


def test_thousands_of_inputs_take_several_entries(home: TestHome, tmp_path: Path) -> None:
    base = make_recording(tmp_path / "base", name="base", shrunk=100)
    file = base.files[0].name
    many = [
        Recording(tmp_path, f"{n}", "", (), ranges=(RangeRef("base", file, n, n + 1, 0, 0),))
        for n in range(2_001)
    ]
    model, *inputs = [receipt.record_id for receipt in ingest_all(home.writer, [base, *many])]
    indices = record_training(home.writer, model, "policy", inputs)
    assert indices == (2_002, 2_003)
    told = [each for _, training in trainings_of(home.writer, model) for each in training.inputs]
    assert told == sorted(inputs)
    # Of the same again, and one more, only what is new is appended.
    again = record_training(home.writer, model, "policy", sorted(inputs)[:2_000])
    assert again == indices[:1]
    assert home.log.size == 2_004


def test_only_records_of_the_log(home: TestHome, tmp_path: Path) -> None:
    first, second, _ = three(home, tmp_path)
    size = home.log.size
    with pytest.raises(NotFoundError):
        record_acquisition(home.writer, BOUGHT)
    with pytest.raises(NotFoundError):
        record_training(home.writer, first, "policy", [second, b"x" * 16])
    with pytest.raises(NotFoundError):
        record_training(home.writer, b"x" * 16, "policy", [first, second])
    with pytest.raises(MalformedError, match="name its inputs"):
        record_training(home.writer, first, "policy", [])
    with pytest.raises(MalformedError, match="its own input"):
        record_training(home.writer, first, "policy", [second, first])
    assert home.log.size == size


# The form of the entries


def _set(**fields: Any) -> Any:
    def edit(message: Any) -> None:
        for name, value in fields.items():
            setattr(message, name, value)

    return edit


def _inputs(*ids: bytes) -> Any:
    def edit(message: entry_pb2.Training) -> None:
        del message.input[:]
        message.input.extend(ids)

    return edit


BAD_ACQUISITIONS = {
    **{
        f"{field} of {size} bytes": _set(**{field: b"x" * size})
        for field in ("chain", "grant", "offer", "contract", "leaf", "content_root")
        for size in (0, 31, 33)
    },
    "short record id": _set(record_id=b"r" * 15),
    "version 0": _set(version=0),
    "no seller": _set(seller=""),
    "seller of 256 bytes": _set(seller="ß" * 128),
    "NUL in seller": _set(seller="a\0b"),
}
BAD_TRAININGS = {
    "short record id": _set(record_id=b"r" * 15),
    "no name": _set(name=""),
    "name of 256 bytes": _set(name="ß" * 128),
    "NUL in name": _set(name="a\0b"),
    "no input": _inputs(),
    "short input": _inputs(b"a" * 15),
    "input twice": _inputs(b"a" * 16, b"a" * 16),
    "inputs unsorted": _inputs(b"b" * 16, b"a" * 16),
    "its own input": _inputs(b"a" * 16, b"m" * 16),
}


@pytest.mark.parametrize("name", BAD_ACQUISITIONS)
def test_every_rule_of_an_acquisition_is_enforced_when_parsing(name: str) -> None:
    body = body_of(BOUGHT)
    parse_entry(signed(body))
    BAD_ACQUISITIONS[name](body.acquisition)
    with pytest.raises(MalformedError):
        parse_entry(signed(body))


@pytest.mark.parametrize("name", BAD_TRAININGS)
def test_every_rule_of_a_training_is_enforced_when_parsing(name: str) -> None:
    body = body_of(TRAINED)
    parse_entry(signed(body))
    BAD_TRAININGS[name](body.training)
    with pytest.raises(MalformedError):
        parse_entry(signed(body))


@pytest.mark.parametrize("kind", [BOUGHT, TRAINED], ids=["acquisition", "training"])
def test_every_byte_counts_and_nothing_is_added(kind: Kind) -> None:
    encoded = encode_entry(LOG_ID, 3, kind, KEY)
    for position in range(len(encoded)):
        damaged = bytearray(encoded)
        damaged[position] ^= 0x01
        with pytest.raises(Exception, match=r".") as caught:
            verify_entry(parse_entry(bytes(damaged)), LOG_ID)
        assert type(caught.value).__module__ == "ledger.errors"
    body = body_of(kind)
    getattr(body, body.WhichOneof("kind") or "").MergeFromString(b"\xf8\x7f\x01")
    with pytest.raises(MalformedError, match="unknown fields"):
        parse_entry(signed(body))


def test_frozen_provenance_verifies() -> None:
    frozen = json.loads(generate_provenance.FROZEN.read_text())
    entries = [parse_entry(bytes.fromhex(entry)) for entry in frozen["entries"]]
    for entry in entries:
        verify_entry(entry, log_id(frozen["origin"]))
    own_recording, bought, acquisition, model, training = (entry.kind for entry in entries)
    assert isinstance(own_recording, Experience)
    assert isinstance(bought, Experience)
    assert isinstance(model, Experience)
    assert isinstance(acquisition, Acquisition)
    assert isinstance(training, Training)
    assert acquisition.record_id == bought.record_id
    assert acquisition.seller == "seller.example/größer"
    assert training.record_id == model.record_id
    assert training.inputs == (bought.record_id, own_recording.record_id)
    assert json.loads(json.dumps(generate_provenance.build())) == frozen
