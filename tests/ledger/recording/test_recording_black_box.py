"""The black box: the last seconds, written when something happens and not too often."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ledger.errors import MalformedError
from ledger.memory.owner import MemoryOwner
from ledger.memory.owner_sink import OwnerSink
from ledger.recording.black_box import BlackBox, TriggerOutcome
from ledger.recording.episode import EpisodeGoal
from ledger.recording.message_queue import MESSAGE_OVERHEAD
from ledger.recording.recorder import Recorder
from ledger.recording.segment import Message
from ledger.recording.settings import BlackBoxSettings
from ledger.recording.status import RecorderState
from tests.ledger.recording.recorded_home import (
    LATCHED_STRING,
    SHORT,
    START_NS,
    STRING,
    bag_of,
    drained,
    messages,
    segments,
    string,
    wait_for,
)

BOX = BlackBoxSettings(seconds=10, max_bytes=10_000, after_s=0.3, min_interval_s=0.8)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def message(number: int, size: int = 0) -> Message:
    return (0, number, number, bytes(size))


def test_old_messages_and_many_bytes_are_forgotten() -> None:
    clock = Clock()
    box = BlackBox(BOX, clock)
    for number in range(5):
        box.add(clock.now, message(number))
        clock.now += 4
    assert box.bytes == 3 * MESSAGE_OVERHEAD
    box.add(clock.now, message(5, 9000))
    outcome, kept = box.trigger()
    assert outcome is TriggerOutcome.WRITTEN
    assert [each[1] for each in kept] == [3, 4, 5]
    box.add(clock.now, message(6, 20_000))
    assert box.bytes == 0


def test_triggers_are_limited() -> None:
    clock = Clock()
    box = BlackBox(BOX, clock)
    assert box.trigger()[0] is TriggerOutcome.EMPTY
    box.add(clock.now, message(1))
    assert box.trigger()[0] is TriggerOutcome.WRITTEN
    box.add(clock.now, message(2))
    clock.now += 0.7
    assert box.trigger() == (TriggerOutcome.RATE_LIMITED, [])
    clock.now += 0.2
    assert box.trigger() == (TriggerOutcome.WRITTEN, [message(2)])


def test_what_was_before_and_after_a_trigger(
    owner: MemoryOwner, sink: OwnerSink, root: Path
) -> None:
    # Long enough that a slow machine is in time with "again" and "too soon".
    patient = replace(BOX, seconds=60, after_s=3.0, min_interval_s=60)
    with Recorder(sink, replace(SHORT, continuous=False, black_box=patient)) as recorder:
        latched = recorder.add_channel(LATCHED_STRING)
        channel = recorder.add_channel(STRING)
        recorder.receive(latched, START_NS, 0, string("map"))
        for number in range(60):
            recorder.receive(channel, START_NS + number, 0, string(f"{number:050}"))
        wait_for(lambda: drained(recorder))
        status = recorder.status()
        assert status.state is RecorderState.BUFFERING
        assert 0 < status.buffered_bytes <= BOX.max_bytes
        assert segments(owner) == []
        assert recorder.trigger("bumper") is TriggerOutcome.WRITTEN
        recorder.receive(channel, START_NS + 60, 0, string("just after"))
        assert recorder.trigger("again") is TriggerOutcome.RECORDING
        wait_for(lambda: segments(owner))
        recorder.receive(channel, START_NS + 61, 0, string("long after"))
        assert recorder.trigger("too soon") is TriggerOutcome.RATE_LIMITED
        recorder.start_episode(EpisodeGoal("episode"))
        recorder.receive(channel, START_NS + 62, 0, string("episode"))
        assert recorder.trigger("in an episode") is TriggerOutcome.RECORDING
    box, episode = segments(owner)
    found = messages(bag_of(root, box))
    texts = [data[8:-1].decode() for topic, *_, data in found if topic == "/chatter"]
    assert texts[-1] == "just after"
    kept = [int(text) for text in texts[:-1]]
    assert kept == list(range(kept[0], 60))
    assert 10 < len(kept) < 60
    # The map had left the box, but not the robot.
    assert found[0][0] == "/map"
    tags = {(tag.key, tag.value) for tag in box.tags}
    assert {("kind", "black_box"), ("trigger", "bumper"), ("repeated", "1")} <= tags
    assert episode.message_count == 2


def test_without_a_black_box(sink: OwnerSink) -> None:
    with Recorder(sink, replace(SHORT, continuous=False)) as recorder:
        channel = recorder.add_channel(STRING)
        recorder.receive(channel, START_NS, 0, b"x")
        assert recorder.trigger("bumper") is TriggerOutcome.EMPTY
        assert recorder.status().state is RecorderState.WAITING
    with pytest.raises(MalformedError):
        BlackBoxSettings(seconds=0)
