"""Records that are committed while they are written: begin, progress, seal, abandon, restart."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.errors import (
    ErasedError,
    KeyStoreError,
    LedgerError,
    MalformedError,
    NotFoundError,
    RecordingError,
    RefusedError,
    VerificationError,
)
from ledger.experience.content_root import content_root_of_leaves, leaves_of_chunks, rechunk
from ledger.experience.content_store import StoreMode
from ledger.experience.entry import parse_entry
from ledger.experience.erasure import erase
from ledger.experience.growing import (
    OpenRecord,
    abandon_record,
    begin_record,
    commit_progress,
    interrupted_records,
    marks_of,
)
from ledger.experience.growing_content import GrowingContent, ProgressMark
from ledger.experience.growing_seal import seal_record
from ledger.experience.ingest import HiddenValue, IngestOptions
from ledger.experience.kinds import (
    Commitment,
    CommitmentKind,
    Erasure,
    Experience,
    Progress,
    RewardSource,
)
from ledger.experience.readers.recording import RecordingFile
from ledger.experience.record_keys import CommitmentOpening
from ledger.experience.records import Presence
from ledger.experience.recovery import recover
from ledger.experience.restore import restore
from ledger.experience.retention import prune
from tests.ledger.experience.experience_home import TestHome, check_at_rest, stored_keys
from tests.ledger.experience.growing_record import CONTENT, ENDS, METADATA, GrowingRecord


def kinds(home: TestHome) -> list[Any]:
    return [parse_entry(home.log.entry(index)).kind for index in range(home.log.size)]


def test_progress_then_the_whole(home: TestHome, tmp_path: Path) -> None:
    record = GrowingRecord(home.writer).grow()
    assert record.entries == [0, 1, 2, 3, 4]
    receipt = record.seal()
    said = kinds(home)
    assert [type(kind) for kind in said] == [Progress] * 5 + [Experience]
    assert [kind.length for kind in said[:5]] == list(ENDS)
    assert {kind.record_id for kind in said} == {record.id}
    leaves = leaves_of_chunks(record.record.salt_key, rechunk([CONTENT, METADATA]))
    assert receipt.content_root == content_root_of_leaves(leaves) == said[5].content_root
    assert home.writer.tables.leaves(record.id) == leaves
    restore(home.writer, record.id, tmp_path / "back")
    assert (tmp_path / "back" / "run_0.mcap").read_bytes() == CONTENT
    assert (tmp_path / "back" / "metadata.yaml").read_bytes() == METADATA
    assert interrupted_records(home.writer) == ()
    assert list((home.folder / "recording").iterdir()) == []
    check_at_rest(home, tmp_path / "scratch")


def test_what_is_written_is_private_and_moves_without_a_copy(home: TestHome) -> None:
    record = GrowingRecord(home.writer).grow()
    assert record.folder.stat().st_mode & 0o777 == 0o700
    inode = (record.folder / "run_0.mcap").stat().st_ino
    record.seal()
    paths = home.writer.content.paths(home.writer.record(record.id).experience, sealed=False)
    assert paths[0].stat().st_ino == inode
    assert not record.folder.exists()


def test_no_entry_and_no_secret_before_the_first_commit(home: TestHome) -> None:
    record = begin_record(home.writer)
    assert home.log.size == 0
    assert home.files_with(record.salt_key) == [
        home.folder / "keys" / "records" / f"{record.record_id[:1].hex()}.keys"
    ]
    assert record.salt_key.hex() not in repr(record)
    assert repr(record.salt_key) not in repr(record)


def test_the_same_mark_again_appends_nothing(home: TestHome) -> None:
    record = GrowingRecord(home.writer)
    record.write("run_0.mcap", CONTENT[:5])
    assert record.commit() == record.commit() == 0
    assert home.log.size == 1


def test_progress_that_contradicts_is_refused(home: TestHome) -> None:
    record = GrowingRecord(home.writer).grow()
    mark = record.marks[-1]
    for wrong in (
        record.marks[2],
        replace(mark, root=bytes(32)),
        replace(mark, tail_hash=bytes(32)),
        replace(mark, length=mark.length + 1, root=bytes(32)),
    ):
        with pytest.raises(VerificationError):
            commit_progress(home.writer, record.id, wrong)
    for wrong in (
        replace(mark, leaf_count=mark.leaf_count + 1),
        replace(mark, tail_hash=b""),
        replace(mark, root=b"short"),
        replace(mark, length=-1),
        ProgressMark(0, bytes(32), 5, bytes(32)),
        ProgressMark(1, mark.root, 262_144, bytes(32)),
    ):
        with pytest.raises(MalformedError):
            commit_progress(home.writer, record.id, wrong)
    with pytest.raises(NotFoundError):
        commit_progress(home.writer, os.urandom(16), mark)
    assert home.log.size == len(record.marks)
    record.seal()
    with pytest.raises(NotFoundError):
        commit_progress(home.writer, record.id, record.marks[-1])


def test_a_digest_that_contradicts_the_progress_is_refused(home: TestHome) -> None:
    record = GrowingRecord(home.writer).grow()
    other = GrowingContent(record.record.salt_key)
    other.update(b"\0" + CONTENT[1:] + METADATA)
    recording = record.recording()
    with pytest.raises(VerificationError, match=r"not what was committed \(entry 1\)"):
        seal_record(home.writer, record.id, recording, other.finish())
    shorter = GrowingContent(record.record.salt_key)
    shorter.update(CONTENT[:400_000])
    (record.folder / "run_0.mcap").write_bytes(CONTENT[:400_000])
    (record.folder / "metadata.yaml").unlink()
    file = RecordingFile("run_0.mcap", record.folder / "run_0.mcap", 400_000)
    with pytest.raises(VerificationError, match="600000 bytes were committed, and it has 400000"):
        seal_record(home.writer, record.id, replace(recording, files=(file,)), shorter.finish())
    (open_still,) = interrupted_records(home.writer)
    assert open_still.marks == tuple(record.marks)


def test_files_that_are_not_what_is_said_are_refused(home: TestHome, tmp_path: Path) -> None:
    record = GrowingRecord(home.writer).grow()
    recording, digest = record.recording(), record.content.finish()
    first, second = recording.files
    outside = tmp_path / "metadata.yaml"
    outside.write_bytes(METADATA)
    tries: list[tuple[type[LedgerError], Any, str]] = [
        (RecordingError, replace(first, size=first.size - 1), "were hashed"),
        (RefusedError, replace(first, name="other.mcap"), "all in its own folder"),
        (RefusedError, replace(first, path=outside, size=first.size), "all in its own folder"),
    ]
    for error, file, message in tries:
        with pytest.raises(error, match=message):
            changed = replace(recording, files=(file, second))
            seal_record(home.writer, record.id, changed, digest)
    with first.path.open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(RecordingError, match="has 700001 bytes, not 700000"):
        seal_record(home.writer, record.id, recording, digest)
    os.truncate(first.path, first.size)
    (record.folder / "notes.txt").write_text("mine")
    with pytest.raises(RefusedError, match=r"notes\.txt is no file of 'run'"):
        seal_record(home.writer, record.id, recording, digest)
    (record.folder / "notes.txt").unlink()
    second.path.rename(tmp_path / "moved")
    second.path.symlink_to(tmp_path / "moved")
    with pytest.raises(RecordingError, match="not a regular file"):
        seal_record(home.writer, record.id, recording, digest)
    second.path.unlink()
    with pytest.raises(LedgerError, match="does not exist"):
        seal_record(home.writer, record.id, recording, digest)
    (tmp_path / "moved").rename(second.path)
    record.seal()
    check_at_rest(home, tmp_path / "scratch")


@pytest.mark.parametrize("seal", [False, True], ids=["plain", "encrypted"])
def test_copied_from_where_somebody_else_wrote_it(
    home: TestHome, tmp_path: Path, seal: bool
) -> None:
    record = GrowingRecord(home.writer, tmp_path / "bag").grow()
    receipt = record.seal(IngestOptions(seal=seal))
    assert (receipt.presence, receipt.sealed) == (Presence.STORED, seal)
    assert (tmp_path / "bag" / "run_0.mcap").read_bytes() == CONTENT
    restore(home.writer, record.id, tmp_path / "back")
    assert (tmp_path / "back" / "run_0.mcap").read_bytes() == CONTENT
    check_at_rest(home, tmp_path / "scratch")


def test_left_in_place(home: TestHome, tmp_path: Path) -> None:
    record = GrowingRecord(home.writer, tmp_path / "bag").grow()
    assert not record.record.folder.exists()
    receipt = record.seal(IngestOptions(mode=StoreMode.IN_PLACE))
    assert receipt.presence is Presence.IN_PLACE
    restore(home.writer, record.id, tmp_path / "back")
    assert (tmp_path / "back" / "metadata.yaml").read_bytes() == METADATA


def test_what_changed_before_it_was_copied_is_not_sealed(home: TestHome, tmp_path: Path) -> None:
    record = GrowingRecord(home.writer, tmp_path / "bag").grow()
    with (tmp_path / "bag" / "run_0.mcap").open("r+b") as stream:
        stream.write(b"\0\0\0\0")
    with pytest.raises(RecordingError, match="not what it was while it was written"):
        record.seal(IngestOptions(mode=StoreMode.REFLINK_OR_COPY))
    assert [each.record.record_id for each in interrupted_records(home.writer)] == [record.id]
    assert list((home.folder / "incoming").iterdir()) == [
        home.folder / "incoming" / f"{record.id.hex()}.pending"
    ]


def test_encrypting_what_was_recorded_leaves_no_plaintext(home: TestHome, tmp_path: Path) -> None:
    record = GrowingRecord(home.writer).grow()
    receipt = record.seal(IngestOptions(seal=True))
    assert receipt.sealed
    assert home.files_with(CONTENT[1000:1100]) == []
    assert not record.folder.exists()
    restore(home.writer, record.id, tmp_path / "back")
    assert (tmp_path / "back" / "run_0.mcap").read_bytes() == CONTENT


def test_hidden_values_are_opened_by_what_is_kept(home: TestHome) -> None:
    opening = CommitmentOpening(CommitmentKind.REWARD, RewardSource.TASK, 7, b"b" * 32)
    commitment = Commitment(CommitmentKind.REWARD, RewardSource.TASK, b"p" * 48, 0, 10)
    record = GrowingRecord(home.writer).grow()
    hidden = (HiddenValue(commitment, opening),)
    seal_record(home.writer, record.id, record.recording(), record.content.finish(), hidden)
    assert home.writer.keys.get(record.id).openings == (opening,)
    assert home.writer.keys.get(record.id).salt_key == record.record.salt_key
    assert home.writer.record(record.id).experience.commitments == (commitment,)


def test_keys_are_amended_only_under_their_own_salt(home: TestHome) -> None:
    record = begin_record(home.writer)
    keys = home.writer.keys.get(record.record_id)
    with pytest.raises(KeyStoreError):
        home.writer.keys.amend(replace(keys, salt_key=bytes(32)))
    with pytest.raises(KeyStoreError):
        home.writer.keys.amend(replace(keys, record_id=bytes(16)))
    assert home.writer.keys.get(record.record_id) == keys


def test_an_empty_record(home: TestHome, tmp_path: Path) -> None:
    record = GrowingRecord(home.writer)
    (record.folder / "run_0.mcap").touch()
    (record.folder / "metadata.yaml").touch()
    record.commit()
    assert record.seal().presence is Presence.EMPTY
    assert stored_keys(home) == set()
    check_at_rest(home, tmp_path / "scratch")


def test_open_records_survive_a_restart(tmp_path: Path) -> None:
    with TestHome.create(tmp_path / "robot") as home:
        first = GrowingRecord(home.writer).grow()
        second = begin_record(home.writer, in_place=True, source=tmp_path / "bag" / "b_0.mcap")
        third = GrowingRecord(home.writer).grow()
        third.seal()
    with TestHome.open(tmp_path / "robot") as home:
        assert recover(home.writer).undone == ()
        found = {each.record.record_id: each for each in interrupted_records(home.writer)}
        assert found.keys() == {first.id, second.record_id}
        assert found[first.id].marks == tuple(first.marks)
        assert found[first.id].record == first.record
        assert found[second.record_id].record == second
        assert second.source == tmp_path / "bag" / "b_0.mcap"
        assert found[second.record_id].marks == ()
        first.writer = home.writer
        first.seal()
        abandon_record(home.writer, second.record_id, "")
        check_at_rest(home, tmp_path / "scratch")


def test_a_source_is_absolute_and_in_place(home: TestHome, tmp_path: Path) -> None:
    for source, in_place in ((Path("bag"), True), (tmp_path, False)):
        with pytest.raises(RefusedError):
            begin_record(home.writer, in_place=in_place, source=source)
    assert interrupted_records(home.writer) == ()


def test_giving_up_what_was_never_committed_leaves_no_trace(home: TestHome) -> None:
    record = GrowingRecord(home.writer)
    record.write("run_0.mcap", CONTENT)
    abandon_record(home.writer, record.id, "nothing happened")
    assert home.log.size == 0
    assert not record.folder.exists()
    assert stored_keys(home) == set()
    assert interrupted_records(home.writer) == ()
    with pytest.raises(NotFoundError):
        abandon_record(home.writer, record.id, "twice")


def test_giving_up_what_was_committed_is_in_the_log(home: TestHome) -> None:
    record = GrowingRecord(home.writer).grow()
    secret = record.record.salt_key
    abandon_record(home.writer, record.id, "the disk died")
    assert kinds(home)[-1] == Erasure((record.id,), "the disk died")
    assert home.files_with(secret) == []
    assert home.files_with(CONTENT[1000:1100]) == []
    state = home.writer.tables.state(record.id)
    assert (state.presence, state.removed_by) == (Presence.ERASED, 5)
    assert interrupted_records(home.writer) == ()
    with pytest.raises(NotFoundError):
        record.commit()


def test_what_lies_elsewhere_is_not_removed_with_it(home: TestHome, tmp_path: Path) -> None:
    record = GrowingRecord(home.writer, tmp_path / "bag").grow()
    abandon_record(home.writer, record.id, "gone")
    assert (tmp_path / "bag" / "run_0.mcap").read_bytes() == CONTENT


def test_a_sealed_record_is_pruned_and_erased_like_any_other(
    home: TestHome, tmp_path: Path
) -> None:
    record = GrowingRecord(home.writer).grow()
    record.seal()
    prune(home.writer, [record.id], force=True)
    with pytest.raises(ErasedError):
        restore(home.writer, record.id, tmp_path / "back")
    assert erase(home.writer, [record.id]).still_readable is False
    assert home.files_with(record.record.salt_key) == []
    assert [index for index, _ in marks_of(home.writer, record.id)] == record.entries


def test_erasing_an_open_record_is_giving_it_up(home: TestHome) -> None:
    record = GrowingRecord(home.writer).grow()
    with pytest.raises(NotFoundError):
        erase(home.writer, [record.id])
    assert home.writer.keys.get(record.id).salt_key == record.record.salt_key


def test_one_record_without_keys_does_not_hide_the_others(
    home: TestHome, caplog: pytest.LogCaptureFixture
) -> None:
    lost, kept = GrowingRecord(home.writer).grow(), GrowingRecord(home.writer).grow()
    home.writer.keys.destroy([lost.id])
    recover(home.writer)
    (found,) = interrupted_records(home.writer)
    assert found.record.record_id == kept.id
    assert lost.id.hex() in caplog.text


def test_a_note_without_keys_is_of_a_record_that_never_began(home: TestHome) -> None:
    record: OpenRecord = begin_record(home.writer)
    home.writer.keys.destroy([record.record_id])
    recover(home.writer)
    assert list((home.folder / "incoming").iterdir()) == []
    assert not record.folder.exists()


def test_keys_without_a_folder_are_of_one_that_had_just_begun(home: TestHome) -> None:
    record = begin_record(home.writer)
    record.folder.rmdir()
    recover(home.writer)
    assert record.folder.is_dir()
