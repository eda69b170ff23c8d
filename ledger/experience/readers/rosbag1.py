"""ROS 1 bags, format 2.0 (http://wiki.ros.org/Bags/Format/2.0), by their index.

    "#ROSBAG V2.0\\n" || bag header || (chunk || index data...)... || connections || chunk infos

The `rosbags` package reads the index from a `StrictStream`: connections and chunk
infos at the end give topics, counts and times; every chunk and its index data is
looked up and its messages are counted again. Messages themselves are not read: that
is for the content root. A bag without index, as a recorder leaves it that was not
closed, has to be re-indexed first.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import BinaryIO, cast

from rosbags.rosbag1 import Reader, ReaderError

from ledger.errors import RecordingError
from ledger.experience.readers.byte_source import DamageError, StrictStream, reading
from ledger.experience.readers.input_files import open_input, reason
from ledger.experience.readers.recording import Recording
from ledger.experience.readers.topic_counts import StorageContents, count_topics, file_recording

VERSION_2 = b"#ROSBAG V2.0\n"
MEDIA_TYPE = "application/x-rosbag"
HINT = "repair it with `rosbag reindex`, or keep the bytes as they are with --opaque"


class _OpenedFile:
    """What `Reader` needs of a path: to exist, and to be opened as our stream."""

    def __init__(self, stream: StrictStream) -> None:
        self._stream = stream

    def exists(self) -> bool:
        return True

    def open(self, _mode: str) -> StrictStream:
        return self._stream


def read_rosbag1(path: Path) -> Recording:
    """The recording in a ROS 1 bag.

    Raises `RecordingError` when it is not indexed, encrypted, cut off or damaged.
    """
    with open_input(path) as file, reading(path, HINT):
        contents = _read(path, file)
    return file_recording(path, MEDIA_TYPE, "rosbag1", contents)


def _read(path: Path, file: BinaryIO) -> StorageContents:
    if file.read(len(VERSION_2)) != VERSION_2:
        raise RecordingError(
            f"{path} is not a ROS 1 bag of version 2.0",
            hint="migrate older bags with `rosbag fix`, or keep the bytes with --opaque",
        )
    file.seek(0)
    size = os.fstat(file.fileno()).st_size
    stream = StrictStream(file, size)
    try:
        with Reader(cast(Path, _OpenedFile(stream))) as reader:
            if not reader.chunk_infos:
                # The library stops behind the fields of the bag header: only padding may follow.
                stream.seek(int.from_bytes(stream.read(4), "little"), os.SEEK_CUR)
            if stream.furthest != size:
                raise DamageError(f"something follows its index at byte {stream.furthest}")
            return _count(reader)
    except ReaderError as error:
        if "encryption" in str(error):
            raise RecordingError(
                f"{path} is encrypted", hint="decrypt it first, or keep the bytes with --opaque"
            ) from error
        raise RecordingError(f"{path} cannot be counted: {reason(error)}", hint=HINT) from error


def _count(reader: Reader) -> StorageContents:
    claimed: Counter[int] = Counter()
    for chunk in reader.chunk_infos:
        claimed.update(chunk.connection_counts)
    indexed = Counter({each.id: each.msgcount for each in reader.connections})
    if claimed != indexed:
        raise DamageError("its index and the index of its chunks disagree")
    if (len(indexed), len(reader.chunks)) != (len(reader.connections), len(reader.chunk_infos)):
        raise DamageError("its index names a connection or a chunk twice")
    # ROS 1 spells types without "/msg/", which the library puts in.
    topics = count_topics(
        (each.topic, each.msgtype.replace("/msg/", "/", 1), each.msgcount)
        for each in reader.connections
    )
    if not claimed.total():
        return StorageContents(topics, 0, 0, {})
    # The library gives the end as the first nanosecond after the last message.
    return StorageContents(topics, reader.start_time, reader.end_time - 1, {})
