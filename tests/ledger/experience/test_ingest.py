"""From recordings to entries and back again."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import (
    EntryTooLargeError,
    LedgerError,
    NotFoundError,
    RecordingError,
    RefusedError,
)
from ledger.experience.access import ExperienceWriter
from ledger.experience.content_root import content_root_of_leaves, leaves_of_chunks, rechunk
from ledger.experience.content_store import StoreMode
from ledger.experience.copies import CopyKind
from ledger.experience.entry import parse_entry, verify_entry
from ledger.experience.ingest import HiddenValue, IngestOptions, ingest, ingest_all
from ledger.experience.kinds import Commitment, CommitmentKind, RewardSource, Tag
from ledger.experience.readers.recording import (
    RangeRef,
    Recording,
    RecordingFile,
    RecordingTag,
    RecordingTopic,
)
from ledger.experience.record_keys import CommitmentOpening
from ledger.experience.records import Presence
from ledger.experience.restore import restore
from tests.ledger.experience.experience_home import (
    TestHome,
    check_at_rest,
    content_of,
    make_recording,
    stored_keys,
)

SEAL = IngestOptions(seal=True)
LINK = IngestOptions(mode=StoreMode.LINK)
IN_PLACE = IngestOptions(mode=StoreMode.IN_PLACE)


@pytest.mark.parametrize("options", [IngestOptions(), SEAL, LINK, IN_PLACE])
def test_round_trip(
    home: TestHome, recording: Recording, tmp_path: Path, options: IngestOptions
) -> None:
    receipt = ingest(home.writer, recording, options)
    entry = parse_entry(home.log.entry(receipt.index))
    verify_entry(entry, home.log.log_id)
    record = home.writer.record(receipt.record_id)
    assert record.experience == entry.kind
    assert record.experience.name == "run"
    assert [(f.name, f.size) for f in record.experience.files] == [
        (f.name, f.size) for f in recording.files
    ]
    salt_key = home.writer.keys.get(receipt.record_id).salt_key
    leaves = leaves_of_chunks(salt_key, rechunk([content_of(recording)]))
    assert home.writer.tables.leaves(receipt.record_id) == leaves
    assert receipt.content_root == content_root_of_leaves(leaves)
    written = restore(home.writer, receipt.record_id, tmp_path / "back")
    for file, path in zip(recording.files, written.paths, strict=True):
        assert path == tmp_path / "back" / file.name
        assert path.read_bytes() == file.path.read_bytes()
    check_at_rest(home, tmp_path / "scratch")


def test_copied_content_is_private_whatever_the_umask(home: TestHome, recording: Recording) -> None:
    before = os.umask(0o000)
    try:
        ingest(home.writer, recording)
        ingest(home.writer, recording, SEAL)
    finally:
        os.umask(before)
    for name in ("content", "incoming", "keys"):
        for path in (home.folder / name, *(home.folder / name).rglob("*")):
            expected = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == expected, path


def test_a_hard_link_takes_no_space_and_leaves_the_original_as_it_is(
    home: TestHome, recording: Recording
) -> None:
    recording.files[1].path.chmod(0o644)
    receipt = ingest(home.writer, recording, LINK)
    record = home.writer.record(receipt.record_id)
    stored = home.writer.content.paths(record.experience, sealed=False)
    for file, path in zip(recording.files, stored, strict=True):
        assert path.samefile(file.path)
    assert stat.S_IMODE(recording.files[1].path.stat().st_mode) == 0o644
    (copy,) = home.writer.copies.of(receipt.record_id)
    assert copy.kind is CopyKind.HARD_LINK


def test_in_place_stores_nothing(home: TestHome, recording: Recording) -> None:
    receipt = ingest(home.writer, recording, IN_PLACE)
    assert receipt.presence is Presence.IN_PLACE
    assert not (home.folder / "content").exists()
    (copy,) = home.writer.copies.of(receipt.record_id)
    assert copy.kind is CopyKind.ORIGINAL
    assert copy.paths == tuple(file.path for file in recording.files)


def test_sealed_content_never_touches_the_home_in_plain(
    home: TestHome, recording: Recording
) -> None:
    receipt = ingest(home.writer, recording, SEAL)
    for file in recording.files:
        if file.size:
            content = file.path.read_bytes()
            for start in range(0, file.size - 16, max(file.size // 7, 1)):
                assert home.files_with(content[start : start + 16]) == []
    content_key = home.writer.keys.get(receipt.record_id).content_key
    assert content_key is not None
    assert [path.suffix for path in home.files_with(content_key)] == [".keys"]


@pytest.mark.parametrize("mode", [StoreMode.LINK, StoreMode.IN_PLACE])
def test_what_stays_where_it_is_cannot_be_sealed(
    home: TestHome, recording: Recording, mode: StoreMode
) -> None:
    with pytest.raises(RefusedError):
        ingest(home.writer, recording, IngestOptions(mode=mode, seal=True))
    assert home.log.size == 0


def test_the_same_recording_twice_shares_nothing(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    first, second = ingest_all(home.writer, [recording, replace(recording, name="again")])
    assert first.content_root != second.content_root
    assert first.record_id != second.record_id
    assert not set(home.writer.tables.leaves(first.record_id)) & set(
        home.writer.tables.leaves(second.record_id)
    )
    check_at_rest(home, tmp_path / "scratch")


def test_empty_content(home: TestHome, tmp_path: Path) -> None:
    empty = tmp_path / "empty.mcap"
    empty.touch()
    recordings = [
        Recording(tmp_path, f"empty{n}", "x", (RecordingFile("a/empty.mcap", empty, 0),))
        for n in range(2)
    ]
    receipts = list(ingest_all(home.writer, recordings, SEAL))
    assert [receipt.presence for receipt in receipts] == [Presence.EMPTY] * 2
    written = restore(home.writer, receipts[1].record_id, tmp_path / "back")
    assert [path.read_bytes() for path in written.paths] == [b""]
    assert stored_keys(home) == set()


def test_ranges_are_resolved_to_records(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    episode = Recording(
        root=tmp_path,
        name="episode 0",
        media_type="application/x-lerobot-episode",
        files=(),
        ranges=(RangeRef("run", "run_0.mcap", 0, 10, 0, 0),),
    )
    content, pointing = ingest_all(home.writer, [recording, episode])
    experience = home.writer.record(pointing.record_id).experience
    assert experience.ranges[0].record_id == content.record_id
    assert experience.content_root == b""
    assert pointing.presence is Presence.EMPTY
    with pytest.raises(NotFoundError, match="points into other records"):
        restore(home.writer, pointing.record_id, tmp_path / "back")
    with pytest.raises(RecordingError, match="not ingested before it"):
        ingest(home.writer, episode)


def test_topics_and_tags_are_merged_and_sorted(home: TestHome, recording: Recording) -> None:
    twice = replace(
        recording,
        topics=(RecordingTopic("/a", "t", 1), RecordingTopic("/a", "t", 2)),
        tags=(RecordingTag("b", "1"),),
        message_count=3,
    )
    options = IngestOptions(tags=(Tag("a", "2"), Tag("b", "1")), contract_id=bytes(range(32)))
    record = home.writer.record(ingest(home.writer, twice, options).record_id)
    assert [(t.name, t.count) for t in record.experience.topics] == [("/a", 3)]
    assert record.experience.tags == (Tag("a", "2"), Tag("b", "1"))
    assert record.experience.contract_id == bytes(range(32))


def test_commitments_are_public_and_openings_are_not(home: TestHome, recording: Recording) -> None:
    def hide(_: Recording) -> tuple[HiddenValue, ...]:
        return tuple(
            HiddenValue(
                Commitment(kind, RewardSource.TASK, os.urandom(48), 0, 1),
                CommitmentOpening(kind, RewardSource.TASK, 5, os.urandom(32)),
            )
            for kind in (CommitmentKind.LENGTH, CommitmentKind.REWARD)
        )

    record = home.writer.record(
        ingest(home.writer, recording, IngestOptions(commit=hide)).record_id
    )
    kinds = [commitment.kind for commitment in record.experience.commitments]
    assert kinds == [CommitmentKind.REWARD, CommitmentKind.LENGTH]
    for opening in home.writer.keys.get(record.record_id).openings:
        assert [path.suffix for path in home.files_with(opening.blinding)] == [".keys"]


def test_a_recording_that_is_written_to_leaves_nothing(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    path = recording.files[3].path

    def grow(_: int) -> None:
        with path.open("ab") as stream:
            stream.write(b"more")

    for options in (IngestOptions(), SEAL, LINK, IN_PLACE):
        now = path.stat().st_size
        current = replace(
            recording, files=(*recording.files[:3], replace(recording.files[3], size=now))
        )
        with pytest.raises(RecordingError, match=r"front\.mp4") as caught:
            ingest(home.writer, current, options, grow)
        assert caught.value.hint
        assert home.log.size == 0
        check_at_rest(home, tmp_path / "scratch")


def test_a_recording_that_shrank_since_it_was_looked_at(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    recording.files[1].path.write_bytes(b"short")
    with pytest.raises(RecordingError, match="shrank from 300000 to 5"):
        ingest(home.writer, recording)
    check_at_rest(home, tmp_path / "scratch")


def test_links_and_loops_of_links_are_not_followed(home: TestHome, tmp_path: Path) -> None:
    loop, secret, link = tmp_path / "loop", tmp_path / "secret", tmp_path / "link"
    loop.symlink_to(loop)
    secret.write_bytes(b"secret")
    link.symlink_to(secret)
    for path in (loop, link):
        for options in (IngestOptions(), LINK, IN_PLACE, SEAL):
            recording = Recording(tmp_path, "r", "x", (RecordingFile("r", path, 6),))
            with pytest.raises(RecordingError):
                ingest(home.writer, recording, options)
    assert home.log.size == 0


def test_too_large_an_entry_is_refused_before_content_is_read(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    topics = tuple(RecordingTopic(f"/t/{n:05}", "std_msgs/msg/String", 0) for n in range(3000))
    many = replace(recording, topics=topics, message_count=0)
    told: list[int] = []
    with pytest.raises(EntryTooLargeError, match="3000 topics"):
        ingest(home.writer, many, None, told.append)
    assert told == []
    check_at_rest(home, tmp_path / "scratch")


def test_names_no_entry_can_carry_are_a_recording_error(
    home: TestHome, recording: Recording
) -> None:
    clash = replace(recording.files[0], name="run_0.mcap/inside")
    with pytest.raises(LedgerError, match="file and as a folder"):
        ingest(home.writer, replace(recording, files=(clash, *recording.files[1:])))


def test_one_bad_recording_of_several(home: TestHome, tmp_path: Path) -> None:
    good = make_recording(tmp_path / "good", name="good")
    bad = make_recording(tmp_path / "bad", name="bad")
    bad.files[0].path.unlink()
    with pytest.raises(RecordingError):
        list(ingest_all(home.writer, [good, bad]))
    assert home.log.size == 0
    check_at_rest(home, tmp_path / "scratch")


def test_batches_are_acknowledged_one_by_one(
    home: TestHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.experience.ingest.BATCH_RECORDS", 2)
    recordings = [make_recording(tmp_path / str(n), seed=n, name=str(n)) for n in range(5)]
    recordings[4].files[0].path.unlink()
    done = []
    with pytest.raises(RecordingError):
        for receipt in ingest_all(home.writer, recordings):
            assert home.log.size > receipt.index
            done.append(receipt.name)
    assert done == ["0", "1", "2", "3"]
    check_at_rest(home, tmp_path / "scratch")


def test_many_recordings_take_one_append_a_batch(
    home: TestHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "log.txt").write_bytes(b"x")
    file = RecordingFile("log.txt", tmp_path / "log.txt", 1)
    recordings = [Recording(tmp_path, f"r{n}", "text/plain", (file,)) for n in range(40)]
    appends = []
    append = ExperienceWriter.append

    def count(writer: ExperienceWriter, *args: object) -> range:
        appends.append(1)
        return append(writer, *args)  # type: ignore[arg-type]

    monkeypatch.setattr(ExperienceWriter, "append", count)
    receipts = list(ingest_all(home.writer, recordings))
    assert [receipt.index for receipt in receipts] == list(range(40))
    assert len(appends) == 1


def test_a_damaged_key_file_is_refused_before_content_is_read(
    home: TestHome, recording: Recording, tmp_path: Path
) -> None:
    folder = home.folder / "keys" / "records"
    folder.mkdir(parents=True)
    for first in range(256):
        path = folder / f"{first:02x}.keys"
        path.write_bytes(b"damaged")
        path.chmod(0o600)
    told: list[int] = []
    with pytest.raises(LedgerError, match="damaged"):
        ingest(home.writer, recording, None, told.append)
    assert told == []
    assert not (home.folder / "content").exists()
