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
def test_counts_with_and_without_index(tmp_path: Path, compression: str) -> None:
    bag = make_rosbag1(tmp_path / "run.bag", compression)
    with Reader(bag) as reader:
        assert reader.message_count == COUNT
    indexed = read_one(bag)
    assert counted(indexed) == EXPECTED
    assert [tag.key for tag in indexed.tags] == ["format"]
    bag.write_bytes(without_index(bag.read_bytes()))
    recording = read_one(bag)
    assert counted(recording) == EXPECTED
    assert [(tag.key, tag.value) for tag in recording.tags][1] == ("index", "missing")


def test_an_empty_bag_is_a_recording(tmp_path: Path) -> None:
    recording = read_one(make_rosbag1(tmp_path / "run.bag", messages=0))
    assert (recording.message_count, recording.start_ns, recording.end_ns) == (0, 0, 0)


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


def test_every_truncation_without_index_is_refused_or_shorter(bag: Path) -> None:
    content = without_index(bag.read_bytes())
    complete = 0
    for size in range(4096 + 13, len(content)):
        bag.write_bytes(content[:size])
        result = outcome(bag)
        # A cut between two records cannot be told from a bag that was not closed.
        complete += result is not None
        assert result is None or result[1] in (0, COUNT)
    assert complete <= 5


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


def test_bytes_behind_the_index_are_refused(bag: Path) -> None:
    bag.write_bytes(bag.read_bytes() + b"\0")
    assert outcome(bag) is None
