"""ROS 1 bags, format 2.0 (http://wiki.ros.org/Bags/Format/2.0), indexed or not.

    "#ROSBAG V2.0\\n" || bag header || (chunk || index data...)... || connections || chunk infos
    record = header length (u32) || header || data length (u32) || data
    header = (field length (u32) || name "=" value)...

An indexed bag is not read in full: the connections and chunk infos at its end
give topics, counts and times, and each chunk is looked up by its position. A bag
without index (``index_pos`` 0, as a recorder leaves it that was not closed) is
read chunk by chunk. The `rosbags` package is not used for this: it loads every
message's index entry and reads no bag without index.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import BinaryIO

from ledger.errors import RecordingError
from ledger.experience.readers.byte_source import (
    ByteSource,
    DamageError,
    Window,
    damaged,
    decompressed,
)
from ledger.experience.readers.input_files import open_input, recording_file
from ledger.experience.readers.recording import Recording
from ledger.experience.readers.topic_counts import StorageContents, count_topics, sorted_tags

MAGIC = b"#ROSBAG V"
VERSION_2 = b"#ROSBAG V2.0\n"
MEDIA_TYPE = "application/x-rosbag"
HINT = "repair it with `rosbag reindex`, or keep the bytes as they are with --opaque"


class Op(IntEnum):
    """The ``op`` field of a record header."""

    MESSAGE = 0x02
    BAG_HEADER = 0x03
    INDEX_DATA = 0x04
    CHUNK = 0x05
    CHUNK_INFO = 0x06
    CONNECTION = 0x07


class _Header:
    """The fields of one record header."""

    def __init__(self, data: bytes, at: int) -> None:
        self.at = at
        self._fields: dict[bytes, bytes] = {}
        position = 0
        while position < len(data):
            size = int.from_bytes(data[position : position + 4], "little")
            name, equals, value = data[position + 4 : position + 4 + size].partition(b"=")
            position += 4 + size
            if position > len(data) or not equals:
                raise DamageError(f"the record header at byte {at} is broken")
            self._fields[name] = value

    def raw(self, name: str, size: int | None = None) -> bytes:
        """A field's bytes, ``size`` of them."""
        value = self._fields.get(name.encode())
        if value is None or (size is not None and len(value) != size):
            raise DamageError(f"the record at byte {self.at} has no valid field {name!r}")
        return value

    def number(self, name: str, size: int) -> int:
        """A little-endian unsigned integer."""
        return int.from_bytes(self.raw(name, size), "little")

    def time_ns(self, name: str) -> int:
        """A time: seconds and nanoseconds, u32 each."""
        seconds, nanoseconds = struct.unpack("<II", self.raw(name, 8))
        return int(seconds) * 10**9 + int(nanoseconds)

    def text(self, name: str, default: str | None = None) -> str:
        """A field of text."""
        if default is not None and name.encode() not in self._fields:
            return default
        try:
            return self.raw(name).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DamageError(f"the record at byte {self.at} holds broken text") from error


@dataclass(slots=True)
class _Tally:
    """Connections by id (topic, type), and the messages counted of each."""

    connections: dict[int, tuple[str, str]] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    times: list[int] = field(default_factory=list)

    def add_connection(self, header: _Header, data: bytes) -> None:
        number = header.number("conn", 4)
        inner = _Header(data, header.at)
        connection = (header.text("topic"), inner.text("type"))
        if self.connections.setdefault(number, connection) != connection:
            raise DamageError(f"connection {number} is defined twice")

    def add_messages(self, connection: int, count: int) -> None:
        self.counts[connection] = self.counts.get(connection, 0) + count

    def add_times(self, start_ns: int, end_ns: int) -> None:
        if start_ns > end_ns:
            raise DamageError("a chunk ends before it starts")
        self.times = [min([start_ns, *self.times]), max([end_ns, *self.times])]

    def contents(self, tags: dict[str, str]) -> StorageContents:
        unknown = set(self.counts) - set(self.connections)
        if unknown:
            raise DamageError(f"messages belong to connection {min(unknown)}, which is not defined")
        start, end = self.times or (0, 0)
        counts = ((*self.connections[n], self.counts.get(n, 0)) for n in self.connections)
        return StorageContents(count_topics(counts), start, end, tags)


def read_rosbag1(path: Path) -> Recording:
    """The recording in a ROS 1 bag.

    Raises `RecordingError` when it is encrypted, cut off or damaged.
    """
    with open_input(path) as stream:
        try:
            contents = _read(path, stream)
        except DamageError as error:
            raise damaged(path, error, HINT) from error
    return Recording(
        root=path.parent,
        name=path.name,
        media_type=MEDIA_TYPE,
        files=(recording_file(path.parent, path.name),),
        topics=contents.topics,
        start_ns=contents.start_ns,
        end_ns=contents.end_ns,
        message_count=contents.message_count,
        tags=sorted_tags({**contents.tags, "format": "rosbag1"}),
    )


def _read(path: Path, stream: BinaryIO) -> StorageContents:
    magic = stream.read(len(VERSION_2))
    if magic != VERSION_2:
        raise RecordingError(
            f"{path} is not a ROS 1 bag of version 2.0",
            hint="migrate older bags with `rosbag fix`, or keep the bytes with --opaque",
        )
    size = os.fstat(stream.fileno()).st_size
    source = ByteSource(stream, offset=len(VERSION_2))
    header = _take_header(source, Op.BAG_HEADER)
    if header.text("encryptor", ""):
        raise RecordingError(
            f"{path} is encrypted", hint="decrypt it first, or keep the bytes with --opaque"
        )
    source.skip(_data_length(source))
    index_at = header.number("index_pos", 8)
    if index_at == 0:
        return _scan(source, size)
    if not source.offset <= index_at <= size:
        raise DamageError(f"its index at byte {index_at} lies outside its {size} bytes")
    stream.seek(index_at)
    index = ByteSource(stream, offset=index_at)
    connections, chunks = header.number("conn_count", 4), header.number("chunk_count", 4)
    return _read_index(stream, index, connections, chunks)


def _read_index(
    stream: BinaryIO, source: ByteSource, connections: int, chunks: int
) -> StorageContents:
    tally = _Tally()
    index_at = source.offset
    for _ in range(connections):
        header = _take_header(source, Op.CONNECTION)
        tally.add_connection(header, source.take(_data_length(source)))
    positions = []
    for _ in range(chunks):
        header = _take_header(source, Op.CHUNK_INFO)
        if header.number("ver", 4) != 1:
            raise DamageError(f"the chunk info at byte {header.at} is of an unknown version")
        data = source.take(_data_length(source))
        if len(data) != 8 * header.number("count", 4):
            raise DamageError(f"the chunk info at byte {header.at} has the wrong length")
        for connection, count in struct.iter_unpack("<II", data):
            tally.add_messages(connection, count)
        if data:
            tally.add_times(header.time_ns("start_time"), header.time_ns("end_time"))
        positions.append(header.number("chunk_pos", 8))
    if not source.at_end():
        raise DamageError(f"something follows its index at byte {source.offset}")
    for position in positions:
        if position >= index_at:
            raise DamageError(f"a chunk at byte {position} lies behind the index")
        stream.seek(position)
        chunk = ByteSource(stream, offset=position)
        _take_header(chunk, Op.CHUNK)
        if chunk.offset + _data_length(chunk) > index_at:
            raise DamageError(f"the chunk at byte {position} reaches into the index")
    return tally.contents({})


def _scan(source: ByteSource, size: int) -> StorageContents:
    tally = _Tally()
    while source.offset < size:
        header = _take_header(source, None)
        length = _data_length(source)
        if source.offset + length > size:
            raise DamageError(f"it is cut off: its last complete record ends at byte {header.at}")
        match header.number("op", 1):
            case Op.CHUNK:
                _scan_chunk(source, header, length, tally)
            case Op.CONNECTION:
                tally.add_connection(header, source.take(length))
            case Op.INDEX_DATA | Op.CHUNK_INFO:
                source.skip(length)
            case other:
                raise DamageError(f"the record at byte {header.at} has an unknown op {other}")
    return tally.contents({"index": "missing"})


def _scan_chunk(source: ByteSource, header: _Header, length: int, tally: _Tally) -> None:
    size = header.number("size", 4)
    window = Window(source, length)
    inner = ByteSource(decompressed(window, header.text("compression")))
    while inner.offset < size:
        record = _take_header(inner, None)
        match record.number("op", 1):
            case Op.MESSAGE:
                time_ns = record.time_ns("time")
                tally.add_messages(record.number("conn", 4), 1)
                tally.add_times(time_ns, time_ns)
                inner.skip(_data_length(inner))
            case Op.CONNECTION:
                tally.add_connection(record, inner.take(_data_length(inner)))
            case other:
                raise DamageError(f"the chunk at byte {header.at} holds an unknown op {other}")
    if inner.offset != size or not inner.at_end() or window.remaining:
        raise DamageError(f"the chunk at byte {header.at} is longer than it says")


def _take_header(source: ByteSource, expected: Op | None) -> _Header:
    at = source.offset
    header = _Header(source.take(int.from_bytes(source.take(4), "little")), at)
    if expected is not None and header.number("op", 1) != expected:
        raise DamageError(f"there is no {expected.name} record at byte {at}")
    return header


def _data_length(source: ByteSource) -> int:
    return int.from_bytes(source.take(4), "little")
