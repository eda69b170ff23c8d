"""The recorder: what comes in is in the segments, and what is not is counted."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader

from ledger.errors import RefusedError, StorageError
from ledger.experience.growing import OpenRecord
from ledger.experience.kinds import CommitmentKind, Progress, RewardSource
from ledger.experience.readers import read_recording
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.merkle.hashing import leaf_hash
from ledger.recording.channel import ChannelSpec, QosProfile
from ledger.recording.episode import EpisodeEnd, EpisodeGoal
from ledger.recording.episode_marks import EpisodeMarks
from ledger.recording.mcap_appender import Compression
from ledger.recording.recorder import Recorder
from ledger.recording.settings import RecorderSettings
from ledger.recording.status import RecorderState
from tests.ledger.recording.recorded_home import (
    LATCHED_STRING,
    SHORT,
    START_NS,
    STRING,
    bag_of,
    drained,
    entries,
    messages,
    require_sound,
    segments,
    string,
    wait_for,
)
from zkproofs.group import group
from zkproofs.pedersen import Opening, verify_opening


def send(recorder: Recorder, channel: int, text: str, at: int = START_NS) -> None:
    assert recorder.receive(channel, at, at - 7, string(text))


def test_bags_open_elsewhere(owner: MemoryOwner, sink: OwnerSink, root: Path) -> None:
    with Recorder(sink, SHORT) as recorder:
        chatter, latched = recorder.add_channel(STRING), recorder.add_channel(LATCHED_STRING)
        send(recorder, latched, "the map", START_NS - 10**9)
        for number in range(300):
            send(recorder, chatter, str(number), START_NS + number)
            if number == 150:
                split = recorder.split()
                assert split is not None
                assert split.result(20).messages == 152
    first, second = segments(owner)
    assert first.message_count + second.message_count == 301 + 1
    for experience, count in ((first, 152), (second, 150)):
        bag = bag_of(root, experience)
        with AnyReader([bag.parent]) as reader:
            texts = [
                reader.deserialize(raw, connection.msgtype).data
                for connection, _, raw in reader.messages()
            ]
        assert len(texts) == count == len(messages(bag))
        (recording,) = read_recording(bag.parent)
        found = {(topic.name, topic.type, topic.count) for topic in experience.topics}
        assert found == {(topic.name, topic.type, topic.count) for topic in recording.topics}
        assert (recording.start_ns, recording.end_ns) == (experience.start_ns, experience.end_ns)
        assert recording.message_count == experience.message_count
        said = {(tag.key, tag.value) for tag in experience.tags}
        assert {(tag.key, tag.value) for tag in recording.tags} <= said
    owner.close()
    require_sound(root)


def test_a_segment_begins_with_what_is_latched(
    owner: MemoryOwner, sink: OwnerSink, root: Path
) -> None:
    with Recorder(sink, SHORT) as recorder:
        chatter, latched = recorder.add_channel(STRING), recorder.add_channel(LATCHED_STRING)
        send(recorder, latched, "old", START_NS)
        send(recorder, latched, "new", START_NS + 1)
        recorder.split()
        send(recorder, chatter, "hello", START_NS + 10**9)
        wait_for(lambda: recorder.status().repeated == 1)
    _, second = segments(owner)
    found = messages(bag_of(root, second))
    # As if received when the segment began; published when it was published.
    at = START_NS + 10**9
    assert [(topic, log, publish) for topic, _, log, publish, _ in found] == [
        ("/map", at, START_NS + 1 - 7),
        ("/chatter", at, at - 7),
    ]
    assert found[0][4] == string("new")
    assert ("repeated", "1") in {(tag.key, tag.value) for tag in second.tags}
    with bag_of(root, second).open("rb") as stream:
        records = [each for each in make_reader(stream).iter_metadata() if each.name == "quipu"]
    assert json.loads(records[0].metadata["repeated"]) == [
        {"topic": "/map", "sequence": 0, "received_ns": START_NS + 1}
    ]


def test_several_that_latch_are_all_repeated(
    owner: MemoryOwner, sink: OwnerSink, root: Path
) -> None:
    both = replace(LATCHED_STRING, offers=LATCHED_STRING.offers * 2)
    with Recorder(sink, SHORT) as recorder:
        latched = recorder.add_channel(both)
        for text in ("from one", "from another", "from another, again"):
            send(recorder, latched, text)
        recorder.split()
        send(recorder, recorder.add_channel(STRING), "go")
    found = messages(bag_of(root, segments(owner)[1]))
    assert [data for topic, *_, data in found if topic == "/map"] == [
        string(text) for text in ("from one", "from another", "from another, again")
    ]


def test_segments_end_by_time_and_by_size(owner: MemoryOwner, sink: OwnerSink, root: Path) -> None:
    for settings_ in (
        replace(SHORT, segment_max_s=0.2),
        replace(SHORT, segment_max_s=0.0, segment_max_bytes=20_000),
    ):
        before = len(segments(owner))
        with Recorder(sink, settings_) as recorder:
            channel = recorder.add_channel(STRING)
            sent = 0
            while sent < 5000 and len(segments(owner)) < before + 2:
                send(recorder, channel, f"{sent} " + "x" * 400)
                sent += 1
                time.sleep(0.005)
        made = segments(owner)[before:]
        assert len(made) >= 2
        assert sum(each.message_count for each in made) == sent
        assert len({each.name for each in made}) == len(made)


def test_progress_is_committed_while_it_grows(
    owner: MemoryOwner, sink: OwnerSink, root: Path
) -> None:
    with Recorder(sink, SHORT) as recorder:
        channel = recorder.add_channel(STRING)

        def goes_on() -> bool:
            send(recorder, channel, "and on")
            return recorder.status().commits.progress_entries >= 3

        wait_for(goes_on)
        status = recorder.status()
        assert status.state is RecorderState.RECORDING
        assert status.uncommitted_s >= 0
    kinds = entries(owner)
    lengths = [kind.length for kind in kinds if isinstance(kind, Progress)]
    assert len(lengths) >= 3
    assert lengths == sorted(set(lengths))


def test_nothing_recorded_leaves_nothing(owner: MemoryOwner, sink: OwnerSink, root: Path) -> None:
    with Recorder(sink, SHORT) as recorder:
        recorder.add_channel(STRING)
        recorder.start_episode(EpisodeGoal("empty"))
        outcome = recorder.stop_episode().result(5)
        assert (outcome.sealed, outcome.end) == (None, EpisodeEnd.STOPPED)
        assert recorder.split() is None
    assert entries(owner) == []
    assert not list((root / "recording").iterdir())
    owner.close()
    require_sound(root)


def test_an_episode_with_hidden_values(owner: MemoryOwner, sink: OwnerSink, root: Path) -> None:
    with Recorder(sink, replace(SHORT, continuous=False)) as recorder:
        channel = recorder.add_channel(STRING)
        send(recorder, channel, "before")
        goal = EpisodeGoal("a/b c", "fetch the cup", ("kitchen", "kitchen", "night"))
        started = recorder.start_episode(goal)
        with pytest.raises(RefusedError, match="being recorded"):
            recorder.start_episode(goal)
        recorder.mark_episode(EpisodeMarks(False))
        for number in range(5):
            send(recorder, channel, str(number), START_NS + number * 10**9)
        recorder.mark_episode(EpisodeMarks(True, -1.25, RewardSource.TASK))
        progress = recorder.status().episode
        assert progress is not None
        assert (progress.messages, progress.lost, bool(progress.marks)) == (5, 0, True)
        outcome = recorder.stop_episode().result(20)
        assert outcome == started.result()
        send(recorder, channel, "after")
        with pytest.raises(RefusedError):
            recorder.stop_episode()
        with pytest.raises(RefusedError):
            recorder.mark_episode(EpisodeMarks(True))
    (experience,) = segments(owner)
    assert outcome.sealed is not None
    assert outcome.sealed.receipt.record_id == experience.record_id
    with owner.reader() as home:
        assert outcome.sealed.leaf_hash == leaf_hash(home.log.entry(outcome.sealed.receipt.index))
    assert (experience.name, experience.message_count) == ("a_b c", 5)
    tags = [(tag.key, tag.value) for tag in experience.tags]
    assert ("task", "fetch the cup") in tags
    assert [value for key, value in tags if key == "tag"] == ["kitchen", "night"]
    with owner.reader() as home:
        openings = home.experiences.keys.get(experience.record_id).openings
    values = {opening.kind: opening.value for opening in openings}
    assert values == {
        CommitmentKind.REWARD: 10**15 - 1_250_000,
        CommitmentKind.SUCCESS: 1,
        CommitmentKind.LENGTH: 4000,
    }
    backend = group()
    for commitment, opening in zip(experience.commitments, openings, strict=True):
        assert commitment.source.name == (
            "UNSPECIFIED" if commitment.kind is CommitmentKind.LENGTH else "TASK"
        )
        blinding = backend.decode_scalar(opening.blinding)
        verify_opening(backend.decode_g1(commitment.point), Opening(opening.value, blinding))
    assert not list((root / "recording").iterdir())
    public = bag_of(root, experience).read_bytes()
    assert b"1.25" not in public


def test_an_episode_ends_by_its_time_and_by_closing(
    owner: MemoryOwner, sink: OwnerSink, root: Path
) -> None:
    recorder = Recorder(sink, SHORT)
    channel = recorder.add_channel(STRING)
    short = recorder.start_episode(EpisodeGoal("short", max_s=1.0))
    send(recorder, channel, "1")
    assert short.result(20).end is EpisodeEnd.DURATION
    send(recorder, channel, "between")
    last = recorder.start_episode(EpisodeGoal("last"))
    send(recorder, channel, "2")
    assert recorder.close(20)
    outcome = last.result(0)
    assert outcome.end is EpisodeEnd.SHUTDOWN
    assert outcome.sealed is not None
    assert [each.name for each in segments(owner)][::2] == ["short", "last"]
    assert recorder.status().state is RecorderState.CLOSED
    with pytest.raises(RefusedError):
        recorder.start_episode(EpisodeGoal("late"))


@pytest.mark.parametrize("reward", [float("nan"), float("inf"), 1.1e9])
def test_a_reward_that_cannot_be_committed_to(reward: float) -> None:
    with pytest.raises(RefusedError):
        EpisodeMarks(None, reward, RewardSource.SELF)
    with pytest.raises(RefusedError, match="who gave"):
        EpisodeMarks(None, 1.0)


def test_a_type_that_changes_under_the_same_name(
    owner: MemoryOwner, sink: OwnerSink, root: Path
) -> None:
    other = ChannelSpec("/chatter", "std_msgs/msg/Int8", "int8 data\n", offers=(QosProfile(),))
    with Recorder(sink, SHORT) as recorder:
        first, second = recorder.add_channel(STRING), recorder.add_channel(other)
        assert first != second
        assert recorder.add_channel(replace(STRING, offers=STRING.offers * 2)) == first
        send(recorder, first, "text")
        recorder.receive(second, START_NS + 1, 0, b"\0\1\0\0\5")
    (experience,) = segments(owner)
    assert [(topic.name, topic.type, topic.count) for topic in experience.topics] == [
        ("/chatter", "std_msgs/msg/Int8", 1),
        ("/chatter", "std_msgs/msg/String", 1),
    ]
    found = messages(bag_of(root, experience))
    # Without a source stamp the receive stamp stands for it.
    assert [(log, publish) for _, _, log, publish, _ in found] == [
        (START_NS, START_NS - 7),
        (START_NS + 1, START_NS + 1),
    ]
    with AnyReader([bag_of(root, experience).parent]) as reader:
        assert len(list(reader.messages())) == 2


def test_a_clock_that_jumps_backwards(owner: MemoryOwner, sink: OwnerSink, root: Path) -> None:
    stamps = [START_NS, START_NS + 5, START_NS - 10**9, START_NS + 1, 5, START_NS]
    with Recorder(sink, SHORT) as recorder:
        channel = recorder.add_channel(STRING)
        for number, at in enumerate(stamps):
            assert recorder.receive(channel, at, at, string(str(number)))
        # Stamps that no file can hold: lost, counted, and the rest goes on.
        recorder.receive(channel, -1, 0, b"x")
        recorder.receive(channel, 2**64, 0, b"x")
        recorder.receive(99, START_NS, 0, b"x")
        send(recorder, channel, "end")
        wait_for(lambda: drained(recorder))
        lost = recorder.status().lost_on_disk
        assert recorder.status().written == len(stamps) + 1
    assert lost == {"/chatter": 2, "channel 99": 1}
    (experience,) = segments(owner)
    assert (experience.start_ns, experience.end_ns) == (5, START_NS + 5)
    found = [log for _, _, log, _, _ in messages(bag_of(root, experience))]
    assert found == [*stamps, START_NS]
    owner.close()
    require_sound(root)


def test_a_message_of_20_mb(owner: MemoryOwner, sink: OwnerSink, root: Path) -> None:
    data = b"\0\1\0\0" + bytes(range(256)) * 80_000
    small = replace(SHORT, queue_max_bytes=1 << 20)
    with Recorder(sink, small) as recorder:
        channel = recorder.add_channel(STRING)
        send(recorder, channel, "before")
        wait_for(lambda: drained(recorder))
        # Longer than the queue, it goes through when nothing else waits.
        assert recorder.receive(channel, START_NS + 1, 0, data)
        wait_for(lambda: drained(recorder))
        send(recorder, channel, "after", START_NS + 2)
    (experience,) = segments(owner)
    assert [found[4] for found in messages(bag_of(root, experience))] == [
        string("before"),
        data,
        string("after"),
    ]


@settings(
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.integers(0, 3), st.integers(0, 2**63), st.binary(max_size=300)),
            st.sampled_from(["split", "start", "stop"]),
        ),
        max_size=40,
    ),
    st.sampled_from(Compression),
)
def test_whatever_comes_in_is_in_the_segments(
    owner: MemoryOwner, sink: OwnerSink, root: Path, steps: list[object], compression: Compression
) -> None:
    before = len(segments(owner))
    expected: list[tuple[str, int, bytes]] = []
    with Recorder(sink, replace(SHORT, compression=compression)) as recorder:
        topics = [replace(STRING, topic=f"/t{number}") for number in range(4)]
        channels = [recorder.add_channel(spec) for spec in topics]
        for step in steps:
            if isinstance(step, tuple):
                number, at, data = step
                assert recorder.receive(channels[number], at, at, data)
                expected.append((f"/t{number}", at, data))
            elif step == "split":
                recorder.split()
            elif step == "start" and recorder.status().episode is None:
                recorder.start_episode(EpisodeGoal(f"episode {len(expected)}"))
            elif step == "stop" and recorder.status().episode is not None:
                recorder.stop_episode()
    found = [
        (topic, log, data)
        for experience in segments(owner)[before:]
        for topic, _, log, _, data in messages(bag_of(root, experience))
    ]
    assert found == expected


class SlowSink(OwnerSink):
    """A sink whose every answer takes a while, or fails."""

    def __init__(self, owner: MemoryOwner) -> None:
        super().__init__(owner)
        self.wait: Callable[[], None] = lambda: time.sleep(0.5)

    def begin(self, **options: object) -> OpenRecord:
        self.wait()
        return super().begin()

    def progress(self, *arguments: object) -> int:
        self.wait()
        return super().progress(*arguments)  # type: ignore[arg-type]

    def seal(self, *arguments: object) -> object:  # type: ignore[override]
        self.wait()
        return super().seal(*arguments)  # type: ignore[arg-type]


def test_writing_goes_on_while_a_commit_takes_its_time(owner: MemoryOwner, root: Path) -> None:
    """With real disks and syncs: tests/fault/test_recorder_slow_disk.py."""
    sink = SlowSink(owner)
    committing, release = threading.Event(), threading.Event()
    sink.wait = lambda: None
    with Recorder(sink, SHORT) as recorder:
        channel = recorder.add_channel(STRING)
        send(recorder, channel, "first")
        wait_for(lambda: recorder.status().segment)

        def hang() -> None:
            committing.set()
            release.wait(60)

        sink.wait = hang
        send(recorder, channel, "second")
        assert committing.wait(60)
        for number in range(400):
            send(recorder, channel, str(number), START_NS + number)
        wait_for(lambda: recorder.status().written == 402)
        assert not release.is_set()
        assert recorder.status().lost == 0
        release.set()
    (experience,) = segments(owner)
    assert experience.message_count == 402
    owner.close()
    require_sound(root)


def test_a_ledger_that_does_not_answer(owner: MemoryOwner, root: Path) -> None:
    sink = SlowSink(owner)

    def refuse() -> None:
        raise StorageError("the ledger is gone")

    sink.wait = refuse
    recorder = Recorder(sink, replace(SHORT, queue_max_bytes=100_000))
    channel = recorder.add_channel(STRING)
    taken = sum(recorder.receive(channel, START_NS, 0, bytes(10_000)) for _ in range(20))
    assert 5 < taken < 20
    wait_for(lambda: recorder.status().state is RecorderState.LEDGER_BEHIND)
    status = recorder.status()
    assert status.lost_in_queue == {"/chatter": 20 - taken}
    assert "ledger is gone" in status.commits.last_error
    sink.wait = lambda: None
    wait_for(lambda: recorder.status().state is RecorderState.RECORDING)
    assert recorder.close(20)
    assert recorder.status().commits.last_error == ""
    (experience,) = segments(owner)
    assert experience.message_count == taken
    # What was lost before the segment was opened is not in its count, and not in the file.
    owner.close()
    require_sound(root)


def test_sealing_is_tried_again(owner: MemoryOwner, root: Path) -> None:
    sink = SlowSink(owner)
    sink.wait = lambda: None
    with Recorder(sink, SHORT) as recorder:
        channel = recorder.add_channel(STRING)
        send(recorder, channel, "one")
        wait_for(lambda: recorder.status().segment)

        def refuse() -> None:
            raise StorageError("the ledger is gone")

        sink.wait = refuse
        sealed = recorder.split()
        assert sealed is not None
        wait_for(lambda: recorder.status().commits.waiting == 1)
        wait_for(lambda: recorder.status().commits.last_error)
        sink.wait = lambda: None
        assert sealed.result(20).messages == 1
        assert recorder.status().commits.waiting == 0


def test_closed_without_the_ledger_the_next_recorder_seals(owner: MemoryOwner, root: Path) -> None:
    sink = SlowSink(owner)
    sink.wait = lambda: None
    recorder = Recorder(sink, SHORT)
    send(recorder, recorder.add_channel(STRING), "kept")
    wait_for(lambda: recorder.status().commits.progress_entries)

    def refuse() -> None:
        raise StorageError("the ledger is gone")

    sink.wait = refuse
    assert recorder.close(20)
    assert segments(owner) == []
    sink.close()
    with Recorder(OwnerSink(owner), SHORT) as second:
        wait_for(lambda: second.status().commits.recovered == 1)
    (experience,) = segments(owner)
    assert [found[4] for found in messages(bag_of(root, experience))] == [string("kept")]
    owner.close()
    require_sound(root)


def test_two_recorders_on_one_home(owner: MemoryOwner, sink: OwnerSink, root: Path) -> None:
    with Recorder(sink, SHORT) as one, Recorder(OwnerSink(owner), SHORT) as other:
        channels = one.add_channel(STRING), other.add_channel(STRING)
        for number in range(100):
            send(one, channels[0], f"one {number}")
            send(other, channels[1], f"other {number}")
            time.sleep(0.002)
        assert one.status().commits.recovered == other.status().commits.recovered == 0
    found = [messages(bag_of(root, each)) for each in segments(owner)]
    texts = sorted([data for *_, data in each] for each in found)
    assert texts == [[string(f"{who} {n}") for n in range(100)] for who in ("one", "other")]
    owner.close()
    require_sound(root)


def test_settings_that_make_no_sense() -> None:
    for change in ({"name": ""}, {"progress_period_s": 0}, {"segment_max_s": -1}):
        with pytest.raises(Exception, match=r"a recorder|the period|a limit"):
            RecorderSettings(**change)
