"""Erasing: nothing is left in the home, and what is left elsewhere is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ledger.errors import ErasedError, KeyStoreError, NotFoundError, RefusedError
from ledger.experience.content_store import StoreMode
from ledger.experience.copies import CopyKind
from ledger.experience.entry import parse_entry, verify_entry
from ledger.experience.erasure import erase, erasure_report
from ledger.experience.ingest import HiddenValue, IngestOptions, ingest
from ledger.experience.kinds import Commitment, CommitmentKind, Erasure, RewardSource
from ledger.experience.offload import offload
from ledger.experience.readers.recording import Recording
from ledger.experience.record_keys import CommitmentOpening
from ledger.experience.records import Presence
from ledger.experience.recovery import recover
from ledger.experience.restore import restore
from ledger.experience.retention import prune
from tests.ledger.experience.experience_home import TestHome, check_at_rest, make_recording


def hide(_: Recording) -> tuple[HiddenValue, ...]:
    kind = CommitmentKind.REWARD
    return (
        HiddenValue(
            Commitment(kind, RewardSource.OPERATOR, os.urandom(48), 0, 1),
            CommitmentOpening(kind, RewardSource.OPERATOR, 5, os.urandom(32)),
        ),
    )


def remove_originals(recording: Recording) -> None:
    for file in recording.files:
        file.path.unlink()


@pytest.mark.parametrize("seal", [False, True])
def test_no_file_of_the_home_holds_what_was_erased(
    home: TestHome, recording: Recording, tmp_path: Path, *, seal: bool
) -> None:
    neighbour = ingest(home.writer, make_recording(tmp_path / "other", seed=2, name="other"))
    receipt = ingest(home.writer, recording, IngestOptions(seal=seal, commit=hide))
    keys = home.writer.keys.get(receipt.record_id)
    samples = [
        content[start : start + 24]
        for content in (file.path.read_bytes() for file in recording.files if file.size)
        for start in range(0, len(content) - 24, 9973)
    ]
    secrets = [keys.salt_key, keys.openings[0].blinding]
    if keys.content_key:
        secrets.append(keys.content_key)
    assert all(home.files_with(secret) for secret in secrets)
    assert seal or all(home.files_with(sample) for sample in samples)

    report = erase(home.writer, [receipt.record_id], "asked for")

    for secret in (*secrets, *samples):
        assert home.files_with(secret) == []
    assert list(report.entries) == [receipt.record_id]
    entry = parse_entry(home.log.entry(report.entries[receipt.record_id]))
    verify_entry(entry, home.log.log_id)
    assert entry.kind == Erasure((receipt.record_id,), "asked for")
    assert home.writer.tables.state(receipt.record_id).presence is Presence.ERASED
    with pytest.raises(ErasedError, match="erased by entry 2"):
        restore(home.writer, receipt.record_id, tmp_path / "back")
    restore(home.writer, neighbour.record_id, tmp_path / "neighbour")
    check_at_rest(home, tmp_path / "scratch")


def test_copies_elsewhere_are_named_until_they_are_gone(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    restore(home.writer, receipt.record_id, tmp_path / "export")
    list(offload(home.writer, [receipt.record_id], tmp_path / "usb"))
    report = erase(home.writer, [receipt.record_id])
    full = [file.name for file in recording.files if file.size]
    offloaded = tmp_path / "usb" / receipt.record_id.hex()
    assert {(file.kind, file.path) for file in report.surviving} == {
        *((CopyKind.ORIGINAL, recording.root / name) for name in full),
        *((CopyKind.EXPORT, tmp_path / "export" / name) for name in full),
        *((CopyKind.OFFLOAD, offloaded / name) for name in full),
    }
    assert report.still_readable
    for position, file in enumerate(report.surviving):
        file.path.unlink()
        left = erase(home.writer, [receipt.record_id])
        assert len(left.surviving) == len(report.surviving) - position - 1
        assert left.still_readable == bool(left.surviving)
    assert home.log.size == 2  # erasing again added nothing


def test_a_file_of_another_size_is_named_as_altered(home: TestHome, recording: Recording) -> None:
    receipt = ingest(home.writer, recording)
    remove_originals(recording)
    recording.files[1].path.write_bytes(b"another recording by now")
    report = erase(home.writer, [receipt.record_id])
    assert [(file.path, file.altered) for file in report.surviving] == [
        (recording.files[1].path, True)
    ]
    assert not report.still_readable


def test_sealed_copies_do_not_count(home: TestHome, recording: Recording, tmp_path: Path) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(seal=True))
    list(offload(home.writer, [receipt.record_id], tmp_path / "usb"))
    remove_originals(recording)
    report = erase(home.writer, [receipt.record_id])
    assert report.surviving == ()
    assert not report.still_readable


def test_the_original_of_a_hard_link_survives(home: TestHome, recording: Recording) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(mode=StoreMode.LINK))
    report = erase(home.writer, [receipt.record_id])
    assert {file.kind for file in report.surviving} == {CopyKind.HARD_LINK}
    assert report.stray_links == 0
    assert recording.files[1].path.stat().st_nlink == 1
    remove_originals(recording)
    assert not erase(home.writer, [receipt.record_id]).still_readable


def test_hard_links_that_nobody_told_us_of_are_counted(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    linked = ingest(home.writer, recording, IngestOptions(mode=StoreMode.LINK))
    recording.files[1].path.rename(tmp_path / "moved")
    copied = ingest(home.writer, make_recording(tmp_path / "other", seed=2))
    record = home.writer.record(copied.record_id)
    (tmp_path / "second").hardlink_to(home.writer.content.paths(record.experience, sealed=False)[1])
    for receipt in (linked, copied):
        report = erase(home.writer, [receipt.record_id])
        assert report.stray_links == 1
        assert report.still_readable
        assert erasure_report(home.writer, [receipt.record_id]).stray_links == 1


def test_an_original_in_place_is_not_ours_to_delete(home: TestHome, recording: Recording) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(mode=StoreMode.IN_PLACE))
    report = erase(home.writer, [receipt.record_id])
    assert report.still_readable
    assert all(file.path.exists() for file in report.surviving)
    assert len(report.surviving) == 3


def test_several_records_take_one_entry(home: TestHome, tmp_path: Path) -> None:
    receipts = [
        ingest(home.writer, make_recording(tmp_path / str(n), seed=n, name=str(n)))
        for n in range(4)
    ]
    ids = [receipt.record_id for receipt in receipts]
    erase(home.writer, ids[:1])
    report = erase(home.writer, [*ids, ids[2]])
    assert sorted(report.entries.values()) == [4, 5, 5, 5]
    assert home.log.size == 6
    check_at_rest(home, tmp_path / "scratch")


def test_many_records_are_split_over_entries_that_fit(
    home: TestHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.experience.removal.MAX_RECORDS", 2)
    ids = [
        ingest(home.writer, make_recording(tmp_path / str(n), seed=n, name=str(n))).record_id
        for n in range(5)
    ]
    report = erase(home.writer, ids)
    assert sorted(report.entries.values()) == [5, 5, 6, 6, 7]


def test_an_unknown_record_stops_everything(home: TestHome, recording: Recording) -> None:
    receipt = ingest(home.writer, recording)
    with pytest.raises(NotFoundError):
        erase(home.writer, [receipt.record_id, bytes(16)])
    home.writer.keys.get(receipt.record_id)
    assert home.log.size == 1


def test_a_damaged_key_file_is_not_passed_over(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    path = home.folder / "keys" / "records" / f"{receipt.record_id[:1].hex()}.keys"
    good = path.read_bytes()
    path.write_bytes(good[:-1])
    with pytest.raises(KeyStoreError):
        erase(home.writer, [receipt.record_id])
    assert home.log.size == 1
    restored = home.writer.record(receipt.record_id)
    assert restored.state.presence is Presence.STORED
    path.write_bytes(good)
    erase(home.writer, [receipt.record_id])
    # The first try left its note, and what it says is done by now.
    recover(home.writer)
    assert home.log.size == 2
    check_at_rest(home, tmp_path / "scratch")


def test_pruned_records_can_be_erased_but_not_the_other_way(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    prune(home.writer, [receipt.record_id], force=True)
    erase(home.writer, [receipt.record_id])
    assert prune(home.writer, [receipt.record_id], force=True).pruned == ()
    with pytest.raises(NotFoundError):
        home.writer.keys.get(receipt.record_id)
    check_at_rest(home, tmp_path / "scratch")


def test_an_offload_of_an_erased_record_is_refused(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    erase(home.writer, [receipt.record_id])
    with pytest.raises((ErasedError, RefusedError)):
        list(offload(home.writer, [receipt.record_id], tmp_path / "usb"))
