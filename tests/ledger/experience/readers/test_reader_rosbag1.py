from __future__ import annotations

import struct
from pathlib import Path

import pytest
from rosbags.rosbag1 import Reader

from ledger.errors import RecordingError
from tests.ledger.experience.readers.recording_writers import (
    COUNT,
    END_NS,
    START_NS,
    counted,
    make_rosbag1,
    outcome,
    read_one,
)

# ROS 1 spells message types without "/msg/".
EXPECTED = ((("/a", "std_msgs/String", 8), ("/b", "std_msgs/Int8", 4)), COUNT, START_NS, END_NS)
COMPRESSIONS = ["", "bz2", "lz4"]
INDEX_POS = b"index_pos="


def without_index(bag: bytes) -> bytes:
    """What a recorder that was not closed leaves: chunks, and an index position of 0."""
    at = bag.index(INDEX_POS) + len(INDEX_POS)
    (index,) = struct.unpack_from("<Q", bag, at)
    return bag[:at] + bytes(8) + bag[at + 8 : index]


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    return make_rosbag1(tmp_path / "run.bag")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_counts(tmp_path: Path, compression: str) -> None:
    bag = make_rosbag1(tmp_path / "run.bag", compression)
    with Reader(bag) as reader:
        assert reader.message_count == COUNT
    recording = read_one(bag)
    assert counted(recording) == EXPECTED
    assert [tag.key for tag in recording.tags] == ["format"]


def test_a_bag_without_index_is_refused_and_says_what_to_do(bag: Path) -> None:
    content = without_index(bag.read_bytes())
    for size in (4096 + 13, len(content) - 1, len(content)):
        bag.write_bytes(content[:size])
        with pytest.raises(RecordingError, match="not indexed") as caught:
            read_one(bag)
        assert "rosbag reindex" in str(caught.value.hint)
        assert "--opaque" in str(caught.value.hint)


def test_an_empty_bag_is_a_recording(tmp_path: Path) -> None:
    recording = read_one(make_rosbag1(tmp_path / "run.bag", messages=0))
    assert (recording.message_count, recording.start_ns, recording.end_ns) == (0, 0, 0)


def test_a_bag_of_nothing_but_its_header(bag: Path) -> None:
    content = bag.read_bytes()
    header = bytearray(content[: 4096 + 13])
    struct.pack_into("<Q", header, header.index(INDEX_POS) + len(INDEX_POS), len(header))
    for name in (b"chunk_count=", b"conn_count="):
        struct.pack_into("<I", header, header.index(name) + len(name), 0)
    bag.write_bytes(header)
    assert counted(read_one(bag)) == ((), 0, 0, 0)
    # A count of chunks that is lost must not make a full bag look empty.
    bag.write_bytes(header + content[len(header) :])
    with pytest.raises(RecordingError, match="something follows"):
        read_one(bag)


def test_recognised_by_its_bytes(bag: Path) -> None:
    other = bag.rename(bag.with_name("recording.active"))
    assert counted(read_one(other)) == EXPECTED


def test_an_encrypted_bag_is_refused(bag: Path) -> None:
    content = bag.read_bytes()
    # The header is padded to 4096 bytes; a field is put before the others.
    (length,) = struct.unpack_from("<I", content, 13)
    field = b"encryptor=rosbag/AesCbcEncryptor"
    header = struct.pack("<I", len(field)) + field + content[17 : 17 + length]
    at = 17 + length
    (padding,) = struct.unpack_from("<I", content, at)
    padding -= len(field) + 4
    bag.write_bytes(
        content[:13]
        + struct.pack("<I", len(header))
        + header
        + struct.pack("<I", padding)
        + bytes(padding)
        + content[4096 + 13 :]
    )
    with pytest.raises(RecordingError, match="is encrypted"):
        read_one(bag)


@pytest.mark.parametrize("content", [b"", b"#ROSBAG V1.2\n" + bytes(100), b"not a bag"])
def test_other_versions_and_no_bag_at_all(bag: Path, content: bytes) -> None:
    bag.write_bytes(content)
    with pytest.raises(RecordingError, match="not a ROS 1 bag of version 2"):
        read_one(bag)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_truncation_is_refused(tmp_path: Path, compression: str) -> None:
    bag = make_rosbag1(tmp_path / "run.bag", compression)
    content = bag.read_bytes()
    for size in (*range(0, 4096, 311), *range(4096, len(content), 3)):
        bag.write_bytes(content[:size])
        with pytest.raises(RecordingError) as caught:
            read_one(bag)
        assert "rosbag" in str(caught.value.hint)


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_flipped_bits_leak_no_exception(tmp_path: Path, compression: str) -> None:
    bag = make_rosbag1(tmp_path / "run.bag", compression)
    refused = 0
    for content in (bag.read_bytes(), without_index(bag.read_bytes())):
        for at in (*range(100), *range(4096, len(content), 2)):
            flipped = bytearray(content)
            flipped[at] ^= 1 << at % 8
            bag.write_bytes(flipped)
            refused += outcome(bag) is None
    assert refused > 200


@pytest.mark.parametrize(("times", "message"), [(2, "twice"), (1000, "again and again")])
def test_an_index_that_names_a_chunk_more_than_once(
    tmp_path: Path, times: int, message: str
) -> None:
    bag = make_rosbag1(tmp_path / "run.bag", messages=300)
    content = bag.read_bytes()
    # The last record is the chunk info: header length, header, 16, two connections' counts.
    start = content.rindex(b"chunk_pos=")
    while content[start : start + 4] != struct.pack("<I", len(content) - start - 4 - 4 - 16):
        start -= 1
    repeated = bytearray(content[:start] + content[start:] * times)
    struct.pack_into("<I", repeated, content.index(b"chunk_count=") + len("chunk_count="), times)
    bag.write_bytes(repeated)
    with pytest.raises(RecordingError, match=message):
        read_one(bag)


def test_bytes_behind_the_index_are_refused(bag: Path) -> None:
    bag.write_bytes(bag.read_bytes() + b"\0")
    assert outcome(bag) is None
