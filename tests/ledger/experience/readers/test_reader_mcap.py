from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mcap.writer import CompressionType, Writer

from ledger.errors import RecordingError
from ledger.experience.readers import mcap_file
from tests.ledger.experience.readers.recording_writers import (
    BARE,
    COUNT,
    EMPTY,
    EXPECTED,
    START_NS,
    counted,
    make_mcap,
    outcome,
    read_one,
    record_ends,
)

COMPRESSIONS = list(CompressionType)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "run.mcap"


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("summary", [{}, BARE, {"use_statistics": False}], ids=str)
def test_counts_whatever_the_writer_chose(
    file: Path, compression: CompressionType, chunked: bool, summary: dict[str, object]
) -> None:
    for messages, expected in ((COUNT, EXPECTED), (0, EMPTY)):
        data = make_mcap(messages, compression=compression, use_chunking=chunked, **summary)
        file.write_bytes(data)
        recording = read_one(file)
        if not messages and chunked and summary is BARE:
            # Channels lie in chunks, and there is none.
            expected = ((), 0, 0, 0)
        assert counted(recording) == expected
        assert recording.size == len(data)
        assert recording.media_type == "application/vnd.mcap"
        assert [tag.value for tag in recording.tags if tag.key == "profile"] == ["ros2"]


def test_recognised_by_its_bytes_not_its_name(tmp_path: Path) -> None:
    file = tmp_path / "recording.dat"
    file.write_bytes(make_mcap())
    assert counted(read_one(file)) == EXPECTED


def test_no_mcap_at_all_despite_its_name(file: Path) -> None:
    file.write_bytes(b"hello")
    with pytest.raises(RecordingError, match="not an MCAP file"):
        read_one(file)


@pytest.mark.parametrize("options", [{}, BARE, {"use_chunking": False}], ids=str)
def test_every_truncation_is_refused_and_says_where(file: Path, options: dict[str, object]) -> None:
    data = make_mcap(4, b"1234", **options)
    ends = record_ends(data)
    for size in range(8, len(data)):
        file.write_bytes(data[:size])
        last = max(end for end in ends if end <= size)
        with pytest.raises(RecordingError, match=rf"ends at byte {last} of {size} \(") as caught:
            read_one(file)
        assert "mcap recover" in str(caught.value.hint)


def test_a_tail_of_zeros_is_cut_off_where_it_starts(file: Path) -> None:
    # As file systems leave it after a power cut. Every nine zeros look like a record.
    data = make_mcap(**BARE)
    end = record_ends(data)[2]
    file.write_bytes(data[:end] + bytes(32 << 20))
    started = time.monotonic()
    with pytest.raises(RecordingError, match=f"ends at byte {end} of"):
        read_one(file)
    assert time.monotonic() - started < 2


def test_truncated_within_the_first_bytes(file: Path) -> None:
    for size in range(8):
        file.write_bytes(make_mcap()[:size])
        with pytest.raises(RecordingError):
            read_one(file)


def test_bytes_behind_the_end_are_refused(file: Path) -> None:
    for options in ({}, BARE):
        file.write_bytes(make_mcap(**options) + b"\0")
        assert outcome(file) is None


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("options", [{}, BARE, {"use_chunking": False}], ids=str)
def test_a_flipped_bit_never_changes_a_count(
    file: Path, compression: CompressionType, options: dict[str, object]
) -> None:
    data = make_mcap(3, b"12345678", compression=compression, enable_data_crcs=True, **options)
    file.write_bytes(data)
    expected = counted(read_one(file))
    refused = 0
    positions = range(len(data)) if compression is CompressionType.NONE else range(0, len(data), 3)
    for at in positions:
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        file.write_bytes(flipped)
        result = outcome(file)
        assert result in (None, expected), f"byte {at} went unnoticed"
        refused += result is None
    # With a summary only the summary is read; without one, everything but the header is covered.
    assert refused > (0.9 if options is BARE else 0.4) * len(positions)


def test_a_good_summary_spares_reading_the_data(file: Path) -> None:
    marker = b"MARKER" * 10
    data = make_mcap(payload=marker)
    assert data.count(marker) == COUNT
    file.write_bytes(data.replace(marker, bytes(len(marker))))
    assert counted(read_one(file)) == EXPECTED
    data = make_mcap(payload=marker, **BARE)
    file.write_bytes(data.replace(marker, bytes(len(marker))))
    with pytest.raises(RecordingError, match="CRC of the chunk"):
        read_one(file)


def test_a_chunk_where_none_is_indexed(file: Path) -> None:
    data = bytearray(make_mcap())
    first_chunk = next(end for end in record_ends(bytes(data)) if data[end] == 6)
    data[first_chunk] = 0x87
    file.write_bytes(data)
    with pytest.raises(RecordingError, match=f"no chunk at byte {first_chunk}"):
        read_one(file)


@pytest.mark.parametrize("declared", [1 << 60, 1 << 33, (1 << 32) - 1, 1 << 30])
@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_a_chunk_that_declares_a_huge_size_costs_no_memory(
    file: Path, compression: CompressionType, declared: int
) -> None:
    data = bytearray(make_mcap(compression=compression, **BARE))
    chunk = next(end for end in record_ends(bytes(data)) if data[end] == 6)
    struct.pack_into("<Q", data, chunk + 9 + 16, declared)
    file.write_bytes(data)
    tracemalloc.start()
    assert outcome(file) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 16 << 20


@pytest.mark.parametrize("compression", [CompressionType.ZSTD, CompressionType.LZ4])
def test_a_chunk_that_is_really_huge_takes_its_size_a_few_times(
    file: Path, compression: CompressionType, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = 48 << 20
    with file.open("wb") as stream:
        writer = Writer(stream, chunk_size=1, compression=compression, **BARE)
        writer.start()
        channel = writer.register_channel("/zeros", "raw", 0)
        writer.add_message(channel, 5, bytes(size), 5)
        writer.finish()
    assert file.stat().st_size < 1 << 20
    tracemalloc.start()
    recording = read_one(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert counted(recording) == ((("/zeros", "", 1),), 1, 5, 5)
    assert peak < 3 * size
    monkeypatch.setattr(mcap_file, "CHUNK_LIMIT", size)
    with pytest.raises(RecordingError, match="claims to hold"):
        read_one(file)


@pytest.mark.parametrize("compression", [CompressionType.ZSTD, CompressionType.LZ4])
def test_a_chunk_that_is_larger_than_it_says_is_not_unpacked(
    file: Path, compression: CompressionType
) -> None:
    content = bytearray(
        make_mcap(1, bytes(48 << 20), compression=compression, enable_crcs=False, **BARE)
    )
    chunk = next(end for end in record_ends(bytes(content)) if content[end] == 6)
    struct.pack_into("<Q", content, chunk + 9 + 16, 100)
    file.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(RecordingError, match="not as long as it says"):
        read_one(file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20


@pytest.mark.parametrize("size", [0, 21, 22, 61, 63, 1 << 20, 1 << 63])
def test_a_message_longer_or_shorter_than_its_place_in_an_unchecked_chunk(
    file: Path, size: int
) -> None:
    data = bytearray(make_mcap(3, enable_crcs=False, **BARE))
    chunk = next(end for end in record_ends(bytes(data)) if data[end] == 6)
    # The last message of the chunk: a header of 22 bytes and a payload of 40.
    at = data.rindex(struct.pack("<BQ", 5, 62), chunk)
    struct.pack_into("<Q", data, at + 1, size)
    file.write_bytes(data)
    assert outcome(file) is None


@pytest.mark.parametrize("length", [1 << 63, (1 << 64) - 1, 1 << 40])
def test_a_record_that_declares_a_huge_length(file: Path, length: int) -> None:
    for options in ({}, BARE):
        data = make_mcap(**options)
        for end in record_ends(data)[:-1]:
            flipped = bytearray(data)
            struct.pack_into("<Q", flipped, end + 1, length)
            file.write_bytes(flipped)
            assert outcome(file) in (None, EXPECTED)


def test_the_summary_may_not_contradict_the_data(file: Path) -> None:
    data = bytearray(make_mcap(repeat_channels=False, enable_crcs=False))
    statistics = next(end for end in record_ends(bytes(data)) if data[end] == 0x0B)
    struct.pack_into("<Q", data, statistics + 9, COUNT + 1)
    file.write_bytes(data)
    with pytest.raises(RecordingError, match="summary counts 13 messages, its data section 12"):
        read_one(file)


def test_channels_of_one_topic_are_added_up(file: Path) -> None:
    with file.open("wb") as stream:
        writer = Writer(stream)
        writer.start()
        schema = writer.register_schema("T", "ros2msg", b"")
        first = writer.register_channel("/x", "cdr", schema)
        second = writer.register_channel("/x", "cdr", schema, {"qos": "other"})
        for i, channel in enumerate((first, second, second)):
            writer.add_message(channel, START_NS + i, b"", START_NS + i)
        writer.finish()
    assert counted(read_one(file)) == ((("/x", "T", 3),), 3, START_NS, START_NS + 2)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_no_mutation_leaks_an_exception(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = tmp_path_factory.mktemp("mutated") / "run.mcap"
    options = data.draw(st.sampled_from([{}, BARE, {"use_chunking": False}]))
    compression = data.draw(st.sampled_from(COMPRESSIONS))
    content = bytearray(make_mcap(4, compression=compression, **options))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(8, len(content) - 1))
        piece = data.draw(st.binary(max_size=9))
        content[at : at + data.draw(st.integers(0, 9))] = piece
    file.write_bytes(content)
    outcome(file)
