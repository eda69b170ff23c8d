"""Recordings back: whole, checked, and never over something else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.errors import (
    CorruptStoreError,
    ErasedError,
    LedgerError,
    NotFoundError,
    RefusedError,
    StorageError,
    VerificationError,
)
from ledger.experience.access import ExperienceReader
from ledger.experience.content_check import DamagedChunk, FileRange, find_damage
from ledger.experience.content_root import CHUNK_SIZE
from ledger.experience.content_store import StoreMode
from ledger.experience.copies import CopyKind
from ledger.experience.ingest import IngestOptions, IngestReceipt, ingest
from ledger.experience.readers.recording import Recording
from ledger.experience.restore import open_record, restore
from ledger.log_reader import LogReader
from ledger.storage import Table
from tests.ledger.experience.experience_home import TestHome


def stored_paths(home: TestHome, receipt: IngestReceipt) -> tuple[Path, ...]:
    record = home.writer.record(receipt.record_id)
    return home.writer.content.paths(record.experience, sealed=record.state.sealed)


def flip(path: Path, offset: int) -> None:
    with path.open("r+b") as stream:
        stream.seek(offset)
        byte = stream.read(1)[0]
        stream.seek(offset)
        stream.write(bytes([byte ^ 1]))


def test_an_export_is_registered(home: TestHome, recording: Recording, tmp_path: Path) -> None:
    receipt = ingest(home.writer, recording)
    written = restore(home.writer, receipt.record_id, tmp_path / "back")
    assert written.registered
    export = home.writer.copies.of(receipt.record_id)[1]
    assert export.kind is CopyKind.EXPORT
    assert export.paths == written.paths


def test_a_reader_beside_the_writer_can_restore(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    reader = ExperienceReader(home.folder, home.storage, LogReader(home.storage))
    restore(reader, receipt.record_id, tmp_path / "back")
    assert len(home.writer.copies.of(receipt.record_id)) == 2


@pytest.mark.parametrize("name", ["metadata.yaml", "camera/front.mp4"])
def test_nothing_is_overwritten(
    home: TestHome, recording: Recording, tmp_path: Path, name: str
) -> None:
    receipt = ingest(home.writer, recording)
    mine = tmp_path / "back" / name
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(RefusedError, match="is there already"):
        restore(home.writer, receipt.record_id, tmp_path / "back")
    assert mine.read_bytes() == b"mine"
    assert [path for path in (tmp_path / "back").rglob("*") if path.is_file()] == [mine]
    assert len(home.writer.copies.of(receipt.record_id)) == 1


def test_a_link_does_not_lead_outside(home: TestHome, recording: Recording, tmp_path: Path) -> None:
    receipt = ingest(home.writer, recording)
    outside, back = tmp_path / "outside", tmp_path / "back"
    outside.mkdir()
    back.mkdir()
    (back / "camera").symlink_to(outside)
    with pytest.raises(RefusedError):
        restore(home.writer, receipt.record_id, back)
    (back / "camera").unlink()
    (back / "run_0.mcap").symlink_to(outside / "planted")
    with pytest.raises(RefusedError):
        restore(home.writer, receipt.record_id, back)
    assert list(outside.iterdir()) == []


# The third chunk of the content: 1,000 + 300,000 bytes lie before the fourth file.
DAMAGED = DamagedChunk(2, (FileRange("camera/front.mp4", 223_288, 485_432),))


def test_a_flipped_bit_is_named_and_nothing_is_left(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    flip(stored_paths(home, receipt)[3], 300_000)
    with pytest.raises(VerificationError) as caught:
        restore(home.writer, receipt.record_id, tmp_path / "back")
    assert str(DAMAGED) == "chunk 2 (camera/front.mp4 bytes 223288 to 485431)"
    assert str(DAMAGED) in caught.value.message
    assert [path for path in (tmp_path / "back").rglob("*") if path.is_file()] == []


def test_a_flipped_bit_in_sealed_content_names_chunk_and_bytes(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(seal=True))
    (path,) = stored_paths(home, receipt)
    for offset in (2 * (CHUNK_SIZE + 16), 3 * (CHUNK_SIZE + 16) - 1):
        flip(path, offset)
        with pytest.raises(VerificationError, match=r"chunk 2 \(bytes 524320 to 786479 of"):
            restore(home.writer, receipt.record_id, tmp_path / "back")
        flip(path, offset)
    assert [path for path in (tmp_path / "back").rglob("*") if path.is_file()] == []
    restore(home.writer, receipt.record_id, tmp_path / "back")


@pytest.mark.parametrize("seal", [False, True])
def test_every_damaged_chunk_is_found(home: TestHome, recording: Recording, *, seal: bool) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(seal=seal))
    record = home.writer.record(receipt.record_id)
    keys = home.writer.keys.get(receipt.record_id)
    leaves = home.writer.tables.leaves(receipt.record_id)

    def damage() -> list[int]:
        with open_record(home.writer, record) as source:
            found = find_damage(source, record.experience, keys.salt_key, leaves)
        return [chunk.index for chunk in found]

    assert damage() == []
    paths = stored_paths(home, receipt)
    for offset in (0, 600_000):
        if seal:
            flip(paths[0], offset)
        else:
            flip(paths[0] if offset == 0 else paths[3], offset % 301_000)
    assert damage() == [0, 2]


def test_damaged_chunk_hashes_do_not_hide_damaged_content(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    home.storage.write(
        lambda transaction: transaction.put(Table.CHUNKS, receipt.record_id, bytes(128))
    )
    restore(home.writer, receipt.record_id, tmp_path / "whole")
    flip(stored_paths(home, receipt)[1], 7)
    with pytest.raises(VerificationError, match="not what was logged"):
        restore(home.writer, receipt.record_id, tmp_path / "back")
    assert [path for path in (tmp_path / "back").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("seal", [False, True])
def test_missing_and_cut_files_are_named(
    home: TestHome, recording: Recording, tmp_path: Path, *, seal: bool
) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(seal=seal))
    path = stored_paths(home, receipt)[0]
    os.truncate(path, path.stat().st_size - 1)
    with pytest.raises(CorruptStoreError, match=path.name):
        restore(home.writer, receipt.record_id, tmp_path / "back")
    path.unlink()
    with pytest.raises(CorruptStoreError, match=path.name):
        restore(home.writer, receipt.record_id, tmp_path / "back")


def test_an_original_that_was_left_in_place_and_is_gone(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(mode=StoreMode.IN_PLACE))
    recording.files[1].path.unlink()
    with pytest.raises(NotFoundError, match="left in place"):
        restore(home.writer, receipt.record_id, tmp_path / "back")


def test_an_original_that_was_altered_in_place_is_found(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(mode=StoreMode.IN_PLACE))
    flip(recording.files[1].path, 9)
    with pytest.raises(VerificationError, match=r"chunk 0 .*run_0\.mcap"):
        restore(home.writer, receipt.record_id, tmp_path / "back")


def test_a_full_disk_leaves_nothing(
    home: TestHome, recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = ingest(home.writer, recording)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(StorageError, match="no space"):
        restore(home.writer, receipt.record_id, tmp_path / "back")
    with pytest.raises(StorageError, match="no space"):
        ingest(home.writer, recording)
    assert [path for path in (tmp_path / "back").rglob("*") if path.is_file()] == []
    assert list((home.folder / "incoming").iterdir()) == []


def test_unknown_records(home: TestHome, tmp_path: Path) -> None:
    for record_id in (bytes(16), b"", b"short"):
        with pytest.raises(NotFoundError):
            restore(home.writer, record_id, tmp_path / "back")


def test_a_store_that_points_at_another_entry(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipts = [ingest(home.writer, recording) for _ in range(2)]
    home.storage.write(
        lambda transaction: transaction.put(
            Table.RECORDS, receipts[0].record_id, (1).to_bytes(8, "big")
        )
    )
    with pytest.raises(CorruptStoreError, match="is not that of record"):
        restore(home.writer, receipts[0].record_id, tmp_path / "back")


def test_damaged_rows_are_our_own_error(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    with home.storage.read() as transaction:
        rows = [
            (table, key, value)
            for table in (Table.CONTENT, Table.CHUNKS, Table.COPIES, Table.RECORDS)
            for key, value in transaction.scan(table)
        ]
    for table, key, value in rows:
        for damaged in (value[:-1], value + b"\0", b"\xff" * 9):

            def put(table: Table = table, key: bytes = key, value: bytes = damaged) -> None:
                home.storage.write(lambda transaction: transaction.put(table, key, value))

            put()
            try:
                restore(home.writer, receipt.record_id, tmp_path / os.urandom(4).hex())
                home.writer.copies.of(receipt.record_id)
            except LedgerError as error:
                assert not isinstance(error, ErasedError)
            put(value=value)
