"""What `McapAppender` writes, read by the mcap library; and what a failed write leaves."""

from __future__ import annotations

import errno
import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap.records import Message, Statistics

from ledger.recording.mcap_appender import (
    CHUNK_SIZE,
    ChunkLostError,
    Compression,
    McapAppender,
)

TOPICS = ("/a", "/b/c", "/ä")


class Target:
    """A file in memory whose writes can be made to fail, all or nothing."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.fails = False

    def write(self, buffers: Sequence[bytes]) -> None:
        if self.fails:
            raise OSError(errno.ENOSPC, "no space")
        for buffer in buffers:
            self.data += buffer


def opened(target: Target, compression: Compression = Compression.NONE) -> McapAppender:
    appender = McapAppender(target.write, compression)
    appender.start("ros2", "test")
    schema = appender.add_schema("a/msg/B", "ros2msg", b"int8 x")
    for topic in TOPICS:
        appender.add_channel(topic, "cdr", schema, {"k": "v"})
    return appender


def read(data: bytes) -> list[tuple[str, Message]]:
    reader = make_reader(io.BytesIO(data), validate_crcs=True)
    return [
        (channel.topic, message)
        for _, channel, message in reader.iter_messages(log_time_order=False)
    ]


STAMP = st.integers(0, 2**64 - 1)
STEP = st.one_of(
    st.tuples(
        st.integers(1, 3), STAMP, STAMP, st.binary(max_size=40) | st.just(bytes(CHUNK_SIZE // 2))
    ),
    st.just("cut"),
    st.just("fail"),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(STEP, max_size=30), st.sampled_from(Compression))
def test_messages_come_back_as_they_were(steps: list[object], compression: Compression) -> None:
    target = Target()
    appender = opened(target, compression)
    kept: list[tuple[str, int, int, int, bytes]] = []
    waiting: list[tuple[str, int, int, int, bytes]] = []
    sequences = [0, 0, 0, 0]
    for step in steps:
        if step == "fail":
            target.fails = True
            try:
                appender.end_chunk()
            except ChunkLostError as error:
                assert sum(error.counts.values()) == len(waiting)
                waiting = []
            else:
                assert not waiting
            target.fails = False
        elif step == "cut":
            appender.end_chunk()
        else:
            channel, log_ns, publish_ns, data = step  # type: ignore[misc]
            appender.append(channel, log_ns, publish_ns, data)
            waiting.append((TOPICS[channel - 1], sequences[channel], log_ns, publish_ns, data))
            sequences[channel] += 1
        if not appender.waiting_bytes:
            kept, waiting = kept + waiting, []
    appender.finish()
    kept += waiting
    found = [
        (topic, message.sequence, message.log_time, message.publish_time, message.data)
        for topic, message in read(bytes(target.data))
    ]
    assert found == kept
    assert appender.offset == len(target.data)


def test_the_summary_says_what_the_library_would_say() -> None:
    target = Target()
    appender = opened(target)
    appender.add_metadata("quipu", {"a": "b"})
    for number in range(3000):
        appender.append(number % 2 + 1, 5000 - number, number, bytes(600))
    appender.add_metadata("quipu", {"a": "c"})
    appender.finish()
    reader = make_reader(io.BytesIO(bytes(target.data)))
    summary = reader.get_summary()
    assert summary is not None
    statistics = summary.statistics
    assert isinstance(statistics, Statistics)
    assert statistics.message_count == 3000
    assert statistics.channel_message_counts == {1: 1500, 2: 1500}
    assert (statistics.message_start_time, statistics.message_end_time) == (2001, 5000)
    assert statistics.chunk_count == len(summary.chunk_indexes) == 3
    assert (statistics.channel_count, statistics.schema_count) == (2, 1)
    assert {channel.topic for channel in summary.channels.values()} == {"/a", "/b/c"}
    assert [each.metadata for each in reader.iter_metadata()] == [{"a": "b"}, {"a": "c"}]
    # In the order of time, over the indexes, for one topic and a span.
    found = [
        message.log_time
        for _, _, message in reader.iter_messages(
            topics=["/a"], starting_at=3000, ending_before=3010
        )
    ]
    assert found == [3000, 3002, 3004, 3006, 3008]


def test_a_stamp_that_no_record_can_hold_changes_nothing() -> None:
    target = Target()
    appender = opened(target)
    appender.append(1, 1, 1, b"a")
    with pytest.raises(Exception, match=r"required|argument|range"):
        appender.append(1, -1, 1, b"b")
    appender.append(1, 2, 2, b"c")
    appender.finish()
    assert [(m.sequence, m.data) for _, m in read(bytes(target.data))] == [(0, b"a"), (1, b"c")]


def test_a_message_longer_than_a_chunk_is_not_copied_together() -> None:
    written: list[Sequence[bytes]] = []
    appender = McapAppender(lambda buffers: written.append(buffers))
    appender.start("ros2", "test")
    appender.add_channel("/a", "cdr", 0, {})
    data = bytes(20 << 20)
    appender.append(1, 1, 1, data)
    assert any(buffer is data for buffer in written[-1])
