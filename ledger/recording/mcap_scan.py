"""What is whole in an MCAP file of ours whose writer may have died: read from its start.

Top-level records are taken one by one. The first that is cut off, or is none, ends what
is whole; so do the DataEnd record and everything after it, which are written again. A
chunk is looked into: what the summary would have said of it is found in its messages.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from ledger.errors import RecordingError
from ledger.recording.mcap_appender import Compression
from ledger.recording.mcap_index import FileIndex
from ledger.recording.mcap_records import (
    MAGIC,
    PREFIX,
    Channel,
    ChunkIndex,
    MetadataIndex,
    Opcode,
    Schema,
    message_index,
)
from ledger.storage.os_errors import storage_errors

_CHUNK_FIELDS: Final = struct.Struct("<QQQI")
_LARGEST_CHUNK: Final = 1 << 31

_Content = memoryview


class _CutOffError(Exception):
    """Bytes that are not what a whole record has."""


@dataclass(slots=True)
class ScannedFile:
    """The whole records of a file: ``end`` bytes of it, and what they hold.

    ``missing`` are message indexes that its last chunk should be followed by and is not.
    """

    index: FileIndex = field(default_factory=FileIndex)
    end: int = 0
    missing: bytes = b""
    metadata: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)


def scan_segment(path: Path) -> ScannedFile:
    """Read a segment up to its last whole record; nothing is changed.

    ``end`` is 0 for a file without a whole header. Raises StorageError, and
    `RecordingError` for a file that is no MCAP at all.
    """
    with storage_errors(path), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        magic = file.read(len(MAGIC))
        if magic != MAGIC[: len(magic)]:
            raise RecordingError(f"{path} is no MCAP file", hint="it was not written by a recorder")
        return _Scan(file, size).run()


class _Scan:
    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._size = size
        self._found = ScannedFile()
        # The message indexes that the last chunk should have, by channel, in their order.
        self._expected: dict[int, bytes] = {}

    def run(self) -> ScannedFile:
        found = self._found
        offset = len(MAGIC)
        try:
            while (record := self._next(offset)) is not None:
                opcode, content = record
                length = PREFIX.size + len(content)
                if (opcode == Opcode.HEADER) is not (offset == len(MAGIC)):
                    break
                if not self._take(opcode, content, offset, length):
                    break
                offset += length
                found.end = offset
        except (_CutOffError, struct.error, UnicodeDecodeError, IndexError):
            pass
        found.missing = self._missing()
        return found

    def _next(self, offset: int) -> tuple[int, _Content] | None:
        self._file.seek(offset)
        prefix = self._file.read(PREFIX.size)
        if len(prefix) < PREFIX.size:
            return None
        opcode, length = PREFIX.unpack(prefix)
        if not opcode or length > self._size - offset - PREFIX.size:
            return None
        content = self._file.read(length)
        return (opcode, memoryview(content)) if len(content) == length else None

    def _take(self, opcode: int, content: _Content, offset: int, length: int) -> bool:
        """Note what a record says; whether it belongs to what is kept."""
        if opcode == Opcode.CHUNK:
            self._complete_message_indexes()
            self._take_chunk(content, offset, length)
        elif opcode == Opcode.MESSAGE_INDEX:
            return self._take_message_index(content, offset, length)
        elif opcode == Opcode.METADATA:
            self._complete_message_indexes()
            name, rest = _text(content)
            values, _ = _text_map(rest)
            self._found.index.metadata.append(MetadataIndex(offset, length, name))
            self._found.metadata.append((name, values))
        else:
            return opcode == Opcode.HEADER
        return True

    def _take_chunk(self, content: _Content, offset: int, length: int) -> None:
        start_ns, end_ns, uncompressed_size, _ = _CHUNK_FIELDS.unpack_from(content)
        compression, rest = _text(content[_CHUNK_FIELDS.size :])
        size = int.from_bytes(rest[:8], "little")
        packed = rest[8:]
        if len(packed) != size or uncompressed_size > _LARGEST_CHUNK:
            raise _CutOffError
        tally = _ChunkTally(self._found.index)
        tally.read(_decompressed(packed, compression, uncompressed_size))
        tally.keep()
        self._found.index.chunks.append(
            ChunkIndex(
                start_ns=start_ns,
                end_ns=end_ns,
                offset=offset,
                length=length,
                message_index_offsets={},
                message_index_length=0,
                compression=compression,
                compressed_size=size,
                uncompressed_size=uncompressed_size,
            )
        )
        self._expected = {
            channel: message_index(channel, entries) for channel, entries in tally.entries.items()
        }

    def _take_message_index(self, content: _Content, offset: int, length: int) -> bool:
        channel = int.from_bytes(content[:2], "little")
        expected = self._expected.get(channel)
        if expected is None or expected[PREFIX.size :] != content:
            return False
        del self._expected[channel]
        self._place_index(channel, offset, length)
        return True

    def _place_index(self, channel: int, offset: int, length: int) -> None:
        chunks = self._found.index.chunks
        last = chunks[-1]
        chunks[-1] = ChunkIndex(
            start_ns=last.start_ns,
            end_ns=last.end_ns,
            offset=last.offset,
            length=last.length,
            message_index_offsets={**last.message_index_offsets, channel: offset},
            message_index_length=last.message_index_length + length,
            compression=last.compression,
            compressed_size=last.compressed_size,
            uncompressed_size=last.uncompressed_size,
        )

    def _complete_message_indexes(self) -> None:
        if self._expected:
            raise _CutOffError

    def _missing(self) -> bytes:
        joined = b""
        for channel, index in self._expected.items():
            self._place_index(channel, self._found.end + len(joined), len(index))
            joined += index
        return joined


class _ChunkTally:
    """Reads one chunk's records; keeps what it found only when all of them were whole."""

    def __init__(self, index: FileIndex) -> None:
        self._index = index
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self.entries: dict[int, list[int]] = {}

    def read(self, records: _Content) -> None:
        for opcode, start, content in _records(records):
            if opcode == Opcode.MESSAGE:
                channel, _, log_ns = struct.unpack_from("<HIQ", content)
                if channel not in self._channels and channel not in self._index.channels:
                    raise _CutOffError
                self.entries.setdefault(channel, []).extend((log_ns, start))
            elif opcode == Opcode.SCHEMA:
                self._take_schema(content)
            elif opcode == Opcode.CHANNEL:
                self._take_channel(content)

    def keep(self) -> None:
        self._index.schemas.update(self._schemas)
        self._index.channels.update(self._channels)
        for channel, entries in self.entries.items():
            counts = self._index.counts
            counts[channel] = counts.get(channel, 0) + len(entries) // 2

    def _take_schema(self, content: _Content) -> None:
        name, rest = _text(content[2:])
        encoding, rest = _text(rest)
        number = int.from_bytes(content[:2], "little")
        self._schemas[number] = Schema(number, name, encoding, bytes(rest[4:]))

    def _take_channel(self, content: _Content) -> None:
        number, schema = struct.unpack_from("<HH", content)
        topic, rest = _text(content[4:])
        encoding, rest = _text(rest)
        metadata, _ = _text_map(rest)
        self._channels[number] = Channel(number, schema, topic, encoding, metadata)


def _records(records: _Content) -> Iterator[tuple[int, int, _Content]]:
    """Opcode, offset and content of the records in a chunk."""
    offset = 0
    while offset < len(records):
        opcode, length = PREFIX.unpack_from(records, offset)
        end = offset + PREFIX.size + length
        if not opcode or end > len(records):
            raise _CutOffError
        yield opcode, offset, records[offset + PREFIX.size : end]
        offset = end


def _decompressed(packed: _Content, compression: str, size: int) -> _Content:
    try:
        if compression == Compression.ZSTD.value:
            import zstandard

            plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
        elif compression == Compression.LZ4.value:
            import lz4.frame  # type: ignore[import-untyped]

            plain = lz4.frame.decompress(packed)
        else:
            return packed
    except Exception as error:
        raise _CutOffError from error
    if len(plain) != size:
        raise _CutOffError
    return memoryview(plain)


def _text(content: _Content) -> tuple[str, _Content]:
    """A ``str`` and what follows it."""
    size = int.from_bytes(content[:4], "little")
    if len(content) < 4 + size:
        raise _CutOffError
    return str(content[4 : 4 + size], "utf-8"), content[4 + size :]


def _text_map(content: _Content) -> tuple[dict[str, str], _Content]:
    """A map of ``str`` to ``str`` and what follows it."""
    size = int.from_bytes(content[:4], "little")
    if len(content) < 4 + size:
        raise _CutOffError
    inside, values = content[4 : 4 + size], {}
    while inside:
        key, inside = _text(inside)
        values[key], inside = _text(inside)
    return values, content[4 + size :]
