from __future__ import annotations

import io
import os
import tracemalloc

import pytest

from ledger.experience.readers import byte_source
from ledger.experience.readers.byte_source import DamageError, StrictStream

DATA = bytes(range(1, 101))


@pytest.fixture
def stream() -> StrictStream:
    return StrictStream(io.BytesIO(DATA), len(DATA))


def test_reads_are_complete_and_counted(stream: StrictStream) -> None:
    assert stream.read(40) + stream.read(0) + stream.read(60) == DATA
    assert stream.offset == 100
    assert stream.at_end()


@pytest.mark.parametrize("size", [-1, None, 91, 1 << 31, 1 << 63, 1 << 64])
def test_a_length_beyond_the_end_is_refused_unread(stream: StrictStream, size: int | None) -> None:
    stream.read(10)
    tracemalloc.start()
    with pytest.raises(DamageError, match="at byte 10 claims"):
        stream.read(size)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1 << 20
    assert stream.offset == 10


def test_a_length_that_is_not_held_in_memory(
    stream: StrictStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_source, "READ_LIMIT", 20)
    assert len(stream.read(20)) == 20
    with pytest.raises(DamageError, match="claims"):
        stream.read(21)


@pytest.mark.parametrize("size", [101, 1 << 40])
def test_a_source_that_ends_early(size: int) -> None:
    stream = StrictStream(io.BytesIO(DATA), size)
    stream.read(90)
    with pytest.raises(DamageError, match="after byte 100"):
        stream.read(11)


def test_seeking_stays_inside(stream: StrictStream) -> None:
    for target, whence, offset in (
        (5, os.SEEK_SET, 5),
        (5, os.SEEK_CUR, 10),
        (-1, os.SEEK_END, 99),
        (-99, os.SEEK_CUR, 0),
        (100, os.SEEK_SET, 100),
    ):
        assert stream.seek(target, whence) == stream.offset == offset
    for target, whence in (
        (-1, os.SEEK_SET),
        (1, os.SEEK_END),
        (1, os.SEEK_CUR),
        (1 << 70, os.SEEK_SET),
    ):
        with pytest.raises(DamageError, match="points at byte"):
            stream.seek(target, whence)
    stream.seek(7)
    assert stream.read(1) == b"\x08"


def test_furthest_is_the_last_byte_stood_at(stream: StrictStream) -> None:
    stream.seek(30)
    stream.read(20)
    stream.seek(0)
    assert stream.furthest == 50
    stream.seek(60)
    stream.seek(0)
    assert stream.furthest == 60


def test_the_same_bytes_again_and_again(stream: StrictStream) -> None:
    with pytest.raises(DamageError, match="again and again"):
        for _ in range(byte_source.SEEK_LIMIT + 2):
            stream.seek(0)
            stream.read(100)
