"""Segments cut off anywhere: what is whole is sealed, what was committed is never lost."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ledger.errors import VerificationError
from ledger.experience.growing import InterruptedRecord, OpenRecord
from ledger.experience.growing_content import ProgressMark
from ledger.experience.kinds import RewardSource
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.recording.about import SegmentAbout, SegmentKind
from ledger.recording.committer import Committer
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.mcap_appender import Compression
from ledger.recording.mcap_scan import scan_segment
from ledger.recording.recovery import GivenUp, Recovered, recover_segment
from ledger.recording.segment import SegmentWriter
from tests.ledger.recording.recorded_home import (
    START_NS,
    STRING,
    bag_of,
    messages,
    require_sound,
    segments,
    string,
    wait_for,
)

EPISODE = SegmentAbout("drive", 3, SegmentKind.EPISODE, "s1", task="fetch", tags=("night",))


def write_segment(
    record: OpenRecord,
    chunks: int = 3,
    *,
    compression: Compression = Compression.NONE,
    about: SegmentAbout = EPISODE,
) -> tuple[SegmentWriter, list[ProgressMark]]:
    """A segment of ``chunks`` chunks of two messages, with the mark after each."""
    segment = SegmentWriter(
        record, about, {0: STRING}, start_ns=START_NS, compression=compression, ros_distro="jazzy"
    )
    marks = []
    for number in range(chunks):
        for text in (f"{number}a", f"{number}b"):
            at = START_NS + number * 10**6
            segment.append((0, at, at - 5, string(text)))
        marks.append(segment.cut())
    return segment, marks


@pytest.mark.parametrize("compression", Compression)
@pytest.mark.parametrize("finished", [False, True])
def test_a_file_cut_at_any_byte(
    sink: OwnerSink, tmp_path: Path, compression: Compression, finished: bool
) -> None:
    record = sink.begin()
    segment, marks = write_segment(record, compression=compression)
    ends = [mark.length for mark in marks]
    if finished:
        segment.finish()
    segment.close()
    data = segment.path.read_bytes()
    cut = tmp_path / "cut_0.mcap"
    seen = set()
    for size in sorted(
        {*range(0, len(data), 17), *(at + by for at in ends for by in range(-99, 9))}
    ):
        cut.write_bytes(data[:size])
        found = scan_segment(cut)
        assert found.end <= size
        whole = sum(end <= size for end in ends)
        # A chunk counts as soon as it is whole itself; its indexes are then written again.
        assert 2 * whole <= found.index.message_count <= 2 * whole + 2
        assert found.index.message_count == 2 * whole or found.missing
        seen.add(found.index.message_count)
    assert seen == {0, 2, 4, 6}
    for garbage in (bytes(100), b"\x05" + bytes(40), b"\xff" * 64):
        cut.write_bytes(data[: ends[1]] + garbage)
        assert scan_segment(cut).end == ends[1]


def sealed_after(
    owner: MemoryOwner, root: Path, spoil: Callable[[Path, list[ProgressMark]], None]
) -> tuple[Recovered | GivenUp, list[str]]:
    """Interrupt a segment with two marks in the log, ``spoil`` it, recover; what is in it."""
    before = OwnerSink(owner)
    record = before.begin()
    segment, marks = write_segment(record)
    for mark in marks[:2]:
        before.progress(record.record_id, mark)
    segment.close()
    spoil(segment.path, marks)
    before.close()
    after = OwnerSink(owner)
    (interrupted,) = after.interrupted()
    outcome = recover_segment(after, interrupted)
    after.close()
    (found,) = segments(owner)
    return outcome, [data[8:-1].decode() for *_, data in messages(bag_of(root, found))]


def truncate(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


@pytest.mark.parametrize(
    ("spoil", "texts"),
    [
        (lambda path, marks: None, ["0a", "0b", "1a", "1b", "2a", "2b"]),
        (lambda path, marks: truncate(path, marks[2].length - 1), 3),
        (lambda path, marks: truncate(path, marks[1].length + 1), 2),
        (lambda path, marks: truncate(path, marks[1].length), 2),
        (lambda path, marks: path.with_name("metadata.yaml").write_text("torn"), 3),
    ],
)
def test_what_is_whole_is_sealed(
    owner: MemoryOwner,
    root: Path,
    spoil: Callable[[Path, list[ProgressMark]], None],
    texts: int | list[str],
) -> None:
    outcome, found = sealed_after(owner, root, spoil)
    assert isinstance(outcome, Recovered)
    everything = ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert found == (texts if isinstance(texts, list) else everything[: 2 * texts])
    (experience,) = segments(owner)
    tags = {(tag.key, tag.value) for tag in experience.tags}
    assert {("recovered", "true"), ("task", "fetch"), ("tag", "night"), ("segment", "3")} <= tags
    assert experience.name == "drive"
    owner.close()
    require_sound(root)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path, marks: truncate(path, marks[1].length - 1),
        lambda path, marks: path.unlink(),
        lambda path, marks: path.write_bytes(b""),
        lambda path, marks: flip(path, marks[1].length - 10),
        lambda path, marks: flip(path, 60),
    ],
)
def test_what_is_not_what_was_committed_is_kept_and_said(
    owner: MemoryOwner, root: Path, spoil: Callable[[Path, list[ProgressMark]], None]
) -> None:
    before = OwnerSink(owner)
    record = before.begin()
    segment, marks = write_segment(record)
    for mark in marks[:2]:
        before.progress(record.record_id, mark)
    segment.close()
    spoil(segment.path, marks)
    left = segment.path.read_bytes() if segment.path.exists() else None
    before.close()
    committer = Committer(OwnerSink(owner))
    committer.start()
    committer.recover_interrupted()
    wait_for(lambda: committer.status.damaged)
    assert committer.status.damaged == (str(record.folder),)
    assert committer.close(10)
    assert (segment.path.read_bytes() if segment.path.exists() else None) == left
    assert segments(owner) == []


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def test_a_segment_without_a_message_is_abandoned(owner: MemoryOwner, root: Path) -> None:
    for write in (False, True):
        before = OwnerSink(owner)
        record = before.begin()
        if write:
            segment, _ = write_segment(record, 0)
            segment.close()
        before.close()
        after = OwnerSink(owner)
        (interrupted,) = after.interrupted()
        assert recover_segment(after, interrupted) == GivenUp(record.record_id)
        assert not record.folder.exists()
        assert after.interrupted() == ()
    owner.close()
    require_sound(root)


def test_recovery_cut_short_begins_again(
    owner: MemoryOwner, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = OwnerSink(owner)
    record = sink.begin()
    segment, marks = write_segment(record)
    sink.progress(record.record_id, marks[1])
    segment.close()
    interrupted = InterruptedRecord(record, (marks[1],))
    monkeypatch.setattr(sink, "seal", lambda *_: (_ for _ in ()).throw(VerificationError("no")))
    for _ in range(2):
        with pytest.raises(VerificationError):
            recover_segment(sink, interrupted)
    monkeypatch.undo()
    data = segment.path.read_bytes()
    outcome = recover_segment(sink, interrupted)
    assert isinstance(outcome, Recovered)
    (experience,) = segments(owner)
    assert bag_of(root, experience).read_bytes() == data
    assert len(messages(bag_of(root, experience))) == 6


def test_what_was_said_of_an_episode_survives(owner: MemoryOwner, root: Path) -> None:
    before = OwnerSink(owner)
    record = before.begin()
    segment, _ = write_segment(record)
    EpisodeMarks(True, -2.5, RewardSource.OPERATOR).keep(record.folder)
    half = record.folder.with_name(f".{record.folder.name}.marks.4711.new")
    half.write_bytes(b'{"reward": 3')  # said later, and cut off before it was confirmed
    segment.close()
    before.close()
    after = OwnerSink(owner)
    (interrupted,) = after.interrupted()
    recover_segment(after, interrupted)
    (experience,) = segments(owner)
    assert [one.kind.name for one in experience.commitments] == ["REWARD", "SUCCESS", "LENGTH"]
    with owner.reader() as home:
        openings = home.experiences.keys.get(experience.record_id).openings
    assert [opening.value for opening in openings] == [10**15 - 2_500_000, 1, 2]
    assert not list((root / "recording").iterdir())


def test_marks_left_by_a_crash_after_sealing_go(
    owner: MemoryOwner, sink: OwnerSink, root: Path
) -> None:
    stray = root / "recording" / ("00" * 16 + ".marks")
    half = stray.with_name(f".{stray.name}.4711.new")
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"{}")
    half.write_bytes(b"{")
    committer = Committer(sink)
    committer.start()
    wait_for(lambda: committer.has_record)
    assert not stray.exists()
    assert not half.exists()
    committer.close()


def test_a_folder_with_two_segments_is_not_ours(sink: OwnerSink) -> None:
    record = sink.begin()
    segment, marks = write_segment(record)
    segment.close()
    shutil.copy(segment.path, segment.path.with_name("other_0.mcap"))
    with pytest.raises(Exception, match="2 segments"):
        recover_segment(sink, InterruptedRecord(record, tuple(marks)))
