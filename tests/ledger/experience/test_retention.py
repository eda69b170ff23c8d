"""Offloading and pruning: content goes only where it was checked to be."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import (
    CorruptStoreError,
    ErasedError,
    NotFoundError,
    RefusedError,
    VerificationError,
)
from ledger.experience.content_store import StoreMode
from ledger.experience.copies import CopyKind
from ledger.experience.entry import parse_entry
from ledger.experience.ingest import IngestOptions, ingest
from ledger.experience.kinds import Pruning
from ledger.experience.offload import offload, offload_of
from ledger.experience.readers.recording import Recording
from ledger.experience.records import Presence
from ledger.experience.restore import restore
from ledger.experience.retention import RetentionPolicy, prune, prune_missing, select
from tests.ledger.experience.experience_home import TestHome, check_at_rest, make_recording


def remove_originals(recording: Recording) -> None:
    shutil.rmtree(recording.root)


@pytest.mark.parametrize("seal", [False, True])
def test_offloaded_content_comes_back_after_pruning(
    home: TestHome, recording: Recording, tmp_path: Path, *, seal: bool
) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(seal=seal))
    originals = [file.path.read_bytes() for file in recording.files]
    leaves = home.writer.tables.leaves(receipt.record_id)
    told: list[int] = []
    (done,) = offload(home.writer, [receipt.record_id], tmp_path / "usb", told.append)
    assert done.copied
    assert done.sealed == seal
    assert sum(told) >= 2 * receipt.content_size
    report = prune(home.writer, [receipt.record_id], "monthly")
    assert report.pruned == (receipt.record_id,)
    assert report.freed_bytes == receipt.content_size
    assert parse_entry(home.log.entry(report.entries[0])).kind == Pruning(
        (receipt.record_id,), "monthly"
    )
    assert home.writer.tables.leaves(receipt.record_id) == leaves
    remove_originals(recording)
    written = restore(home.writer, receipt.record_id, tmp_path / "back")
    assert [path.read_bytes() for path in written.paths] == originals
    assert written.place.copy is not None
    assert written.place.copy.kind is CopyKind.OFFLOAD
    check_at_rest(home, tmp_path / "scratch")
    shutil.rmtree(tmp_path / "back")
    shutil.rmtree(tmp_path / "usb")
    with pytest.raises(ErasedError, match="pruned by entry 1") as caught:
        restore(home.writer, receipt.record_id, tmp_path / "back")
    assert str(tmp_path) in str(caught.value.hint)


def test_what_was_not_offloaded_is_refused_unless_forced(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    with pytest.raises(RefusedError, match="none of 1 records has a verified") as caught:
        prune(home.writer, [receipt.record_id])
    assert caught.value.hint
    list(offload(home.writer, [receipt.record_id], tmp_path / "usb"))
    shutil.rmtree(tmp_path / "usb")
    with pytest.raises(RefusedError):
        prune(home.writer, [receipt.record_id])
    assert home.log.size == 1
    restore(home.writer, receipt.record_id, tmp_path / "back")
    prune(home.writer, [receipt.record_id], force=True)
    assert home.writer.tables.state(receipt.record_id).presence is Presence.PRUNED


def test_what_may_go_goes_and_the_rest_is_named(home: TestHome, tmp_path: Path) -> None:
    first, second = (
        ingest(home.writer, make_recording(tmp_path / str(n), seed=n, name=str(n)))
        for n in range(2)
    )
    list(offload(home.writer, [second.record_id], tmp_path / "usb"))
    report = prune(home.writer, [first.record_id, second.record_id])
    assert report.pruned == (second.record_id,)
    assert report.refused == (first.record_id,)
    check_at_rest(home, tmp_path / "scratch")


def test_an_offload_is_read_back(
    home: TestHome, recording: Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipt = ingest(home.writer, recording)
    record = home.writer.record(receipt.record_id)

    def damage(*args: object) -> None:
        target = tmp_path / "usb" / receipt.record_id.hex() / "run_0.mcap"
        content = bytearray(target.read_bytes())
        content[280_000] ^= 1
        target.write_bytes(content)

    monkeypatch.setattr("ledger.experience.file_span.ReadSpan.forget_cached", damage)
    with pytest.raises(VerificationError, match=r"chunk 1 \(run_0\.mcap bytes 261144 to"):
        list(offload(home.writer, [receipt.record_id], tmp_path / "usb"))
    assert offload_of(home.writer, record) is None
    with pytest.raises(RefusedError):
        prune(home.writer, [receipt.record_id])
    monkeypatch.undo()
    # A copy that was not finished is made again.
    (done,) = offload(home.writer, [receipt.record_id], tmp_path / "usb")
    assert done.copied
    assert offload_of(home.writer, record) is not None
    (done,) = offload(home.writer, [receipt.record_id], tmp_path / "usb")
    assert not done.copied


@pytest.mark.parametrize("seal", [False, True])
def test_damaged_content_is_not_offloaded(
    home: TestHome, recording: Recording, tmp_path: Path, *, seal: bool
) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(seal=seal))
    record = home.writer.record(receipt.record_id)
    path = home.writer.content.paths(record.experience, sealed=seal)[0]
    content = bytearray(path.read_bytes())
    content[5] ^= 1
    path.write_bytes(content)
    with pytest.raises(VerificationError, match="chunk 0"):
        list(offload(home.writer, [receipt.record_id], tmp_path / "usb"))
    path.unlink()
    with pytest.raises(CorruptStoreError):
        list(offload(home.writer, [receipt.record_id], tmp_path / "usb2"))
    assert offload_of(home.writer, record) is None


def test_an_offload_does_not_overwrite(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording)
    mine = tmp_path / "usb" / receipt.record_id.hex() / "run_0.mcap"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    with pytest.raises(RefusedError, match="is there already"):
        list(offload(home.writer, [receipt.record_id], tmp_path / "usb"))
    assert mine.read_bytes() == b"mine"


def test_a_recording_in_place_is_offloaded_but_never_pruned(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    receipt = ingest(home.writer, recording, IngestOptions(mode=StoreMode.IN_PLACE))
    list(offload(home.writer, [receipt.record_id], tmp_path / "usb"))
    assert prune(home.writer, [receipt.record_id]).pruned == ()
    assert all(file.path.exists() for file in recording.files)
    remove_originals(recording)
    restore(home.writer, receipt.record_id, tmp_path / "back")


def test_policies(home: TestHome, tmp_path: Path) -> None:
    def add(name: str, end_ns: int, copies: int) -> bytes:
        base = make_recording(tmp_path / name, seed=len(name), name=name)
        files = tuple(base.files[1:2] if copies == 1 else base.files)
        made = replace(base, files=files, start_ns=min(end_ns, 1), end_ns=end_ns)
        return ingest(home.writer, made).record_id

    small, large = 300_000, 801_000
    a = add("a", 50, 1)
    b = add("bb", 10, 4)
    unknown = add("ccc", 0, 1)
    ingest(home.writer, make_recording(tmp_path / "x"), IngestOptions(mode=StoreMode.IN_PLACE))

    def chosen(**limits: int) -> list[bytes]:
        return [record.record_id for record in select(home.writer, RetentionPolicy(**limits))]

    assert chosen() == []
    assert chosen(ended_before_ns=10) == []
    assert chosen(ended_before_ns=11) == [b]
    assert chosen(ended_before_ns=100) == [a, b]
    assert chosen(larger_than=large) == []
    assert chosen(larger_than=small) == [b]
    assert chosen(keep_at_most=2 * small + large) == []
    assert chosen(keep_at_most=2 * small + large - 1) == [a]
    assert chosen(keep_at_most=small) == [a, b]
    assert chosen(keep_at_most=0) == [a, b, unknown]
    assert chosen(keep_at_most=2 * small, larger_than=small) == [b]
    prune(home.writer, [b], force=True)
    assert chosen(larger_than=0) == [a, unknown]


def test_unknown_records(home: TestHome, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        prune(home.writer, [bytes(16)])
    with pytest.raises(NotFoundError):
        list(offload(home.writer, [bytes(16)], tmp_path))


def test_content_left_in_place_that_is_gone_is_said_to_be(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    stored = ingest(home.writer, recording).record_id
    placed = ingest(home.writer, recording, IngestOptions(mode=StoreMode.IN_PLACE)).record_id
    for record_id, why in ((stored, "not left in place"), (placed, "where it was")):
        with pytest.raises(RefusedError, match=why):
            prune_missing(home.writer, record_id, "")
    with pytest.raises(NotFoundError):
        prune_missing(home.writer, bytes(16), "")
    recording.files[1].path.unlink()
    index = prune_missing(home.writer, placed, "deleted by the recorder")
    kind = parse_entry(home.log.entry(index)).kind
    assert kind == Pruning((placed,), "deleted by the recorder")
    assert prune_missing(home.writer, placed, "again") == index == home.log.size - 1
    assert home.writer.tables.state(placed).presence is Presence.PRUNED
