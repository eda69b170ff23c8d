"""Only complete records are committed, wherever a file ends and whatever it holds."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, Writer

from ledger.follow.mcap_boundary import MAGIC, Form, McapBoundary
from tests.ledger.follow.followed_home import complete_records

PREFIX = struct.Struct("<BQ")


def written(*, chunked: bool) -> bytes:
    stream = io.BytesIO()
    writer = Writer(stream, chunk_size=500, compression=CompressionType.ZSTD, use_chunking=chunked)
    writer.start("ros2", "test")
    schema = writer.register_schema("a", "ros2msg", b"string a")
    channel = writer.register_channel("/a", "cdr", schema)
    for number in range(40):
        writer.add_message(channel, number, bytes([number]) * 60, number)
    writer.finish()
    return stream.getvalue()


FILES = [written(chunked=True), written(chunked=False)]


def reading(data: bytes) -> Callable[[int, memoryview], int]:
    def read(offset: int, view: memoryview) -> int:
        piece = data[offset : offset + len(view)]
        view[: len(piece)] = piece
        return len(piece)

    return read


def advanced(data: bytes) -> McapBoundary:
    boundary = McapBoundary()
    boundary.advance(reading(data), len(data))
    return boundary


@pytest.mark.parametrize("data", FILES, ids=["chunked", "unchunked"])
def test_every_beginning_of_a_file(data: bytes) -> None:
    for size in range(len(data) + 1):
        boundary = advanced(data[:size])
        if size < len(MAGIC):
            assert (boundary.form, boundary.end) == (Form.UNKNOWN, 0)
            continue
        # The Footer counts only with the magic behind it.
        ends = [end for end in complete_records(data[:size]) if end <= len(data) - 37]
        assert boundary.end == (len(data) if size == len(data) else ends[-1])
        assert boundary.finished is (size == len(data))
        assert not boundary.rewriting


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FILES), st.lists(st.integers(1, 400), max_size=60))
def test_a_file_that_grows_by_any_steps(data: bytes, steps: list[int]) -> None:
    boundary, size = McapBoundary(), 0
    for step in [*steps, len(data)]:
        size = min(len(data), size + step)
        before = boundary.end
        boundary.advance(reading(data[:size]), size)
        assert boundary.end >= before
        assert boundary.end == advanced(data[:size]).end
    assert boundary.finished


def test_zeros_at_the_end_are_no_records() -> None:
    """Space that was set aside, or that a crash left unwritten."""
    data = FILES[0]
    cut = complete_records(data)[3]
    assert advanced(data[:cut] + bytes(100_000)).end == cut


def test_a_length_that_is_still_to_come() -> None:
    head = FILES[0][: complete_records(FILES[0])[1]]
    for prefix in (PREFIX.pack(6, 2**64 - 1), PREFIX.pack(6, 0), PREFIX.pack(5, 2**63)):
        boundary = advanced(head + prefix + b"x" * 10_000)
        assert boundary.rewriting
        assert boundary.end == len(head)
    # It is complete when its length is there.
    boundary.advance(reading(head + PREFIX.pack(6, 50) + b"x" * 50), len(head) + 59)
    assert boundary.end == len(head) + 59


def test_a_length_beyond_the_file_is_awaited() -> None:
    head = FILES[0][: complete_records(FILES[0])[1]]
    boundary = advanced(head + PREFIX.pack(5, 1 << 40) + b"x" * 1000)
    assert (boundary.end, boundary.rewriting) == (len(head), False)


def test_what_follows_the_end_is_not_looked_at() -> None:
    boundary = advanced(FILES[0] + b"more")
    assert (boundary.finished, boundary.end) == (True, len(FILES[0]))


def test_a_footer_without_magic_is_not_the_end() -> None:
    data = FILES[0][:-8] + b"\x89MCAP1\r\n"
    boundary = advanced(data)
    assert not boundary.finished
    assert boundary.end == len(data) - 37


@pytest.mark.parametrize("data", [b"SQLite format 3\0", b"\x89MCAP1\r\n", bytes(100)])
def test_what_is_no_mcap(data: bytes) -> None:
    assert advanced(data).form is Form.OTHER
    assert advanced(data).end == 0


def test_nothing_is_read_but_the_prefixes() -> None:
    """A record of a gigabyte costs nine bytes."""
    asked: list[int] = []

    def read(offset: int, view: memoryview) -> int:
        asked.append(len(view))
        data = MAGIC + PREFIX.pack(1, 10) + bytes(10) + PREFIX.pack(6, 1 << 30)
        return reading(data)(offset, view)

    boundary = McapBoundary()
    boundary.advance(read, 2 << 30)
    assert boundary.end == 27 + 9 + (1 << 30)
    assert sum(asked) < 20_000
