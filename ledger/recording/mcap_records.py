"""MCAP records as bytes (https://mcap.dev/spec), each ``u8 opcode || u64 length || content``.

Integers are little-endian. ``str`` is u32 length || UTF-8; a map or an array is
u32 length in bytes || its items. Only what a recorder writes is here: it writes
every message once, and does no more work for one than to pack its 31 bytes of
prefix.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

MAGIC: Final = b"\x89MCAP0\r\n"

PREFIX: Final = struct.Struct("<BQ")
"""Opcode and length of the content."""

MESSAGE: Final = struct.Struct("<BQHIQQ")
"""Prefix, channel id, sequence, log time, publish time; the message follows."""

MESSAGE_FIELDS_SIZE: Final = MESSAGE.size - PREFIX.size

SEQUENCE_MASK: Final = 0xFFFF_FFFF
MAX_CHANNELS: Final = 0xFFFF
"""Channel ids are u16, and 0 is left out as the libraries do."""


class Opcode(IntEnum):
    """What a record is."""

    HEADER = 0x01
    FOOTER = 0x02
    SCHEMA = 0x03
    CHANNEL = 0x04
    MESSAGE = 0x05
    CHUNK = 0x06
    MESSAGE_INDEX = 0x07
    CHUNK_INDEX = 0x08
    STATISTICS = 0x0B
    METADATA = 0x0C
    METADATA_INDEX = 0x0D
    SUMMARY_OFFSET = 0x0E
    DATA_END = 0x0F


@dataclass(frozen=True, slots=True)
class Schema:
    """How messages of a type are laid out; ``id`` is not 0."""

    id: int
    name: str
    encoding: str
    data: bytes = field(repr=False)

    def to_bytes(self) -> bytes:
        """The record."""
        # u16 id || str name || str encoding || u32 length || data
        content = [self.id.to_bytes(2, "little"), text(self.name), text(self.encoding)]
        return record(Opcode.SCHEMA, *content, len(self.data).to_bytes(4, "little"), self.data)


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic of one type, as one channel of a file."""

    id: int
    schema_id: int
    topic: str
    message_encoding: str
    metadata: Mapping[str, str]

    def to_bytes(self) -> bytes:
        """The record."""
        # u16 id || u16 schema id || str topic || str message encoding || map metadata
        return record(
            Opcode.CHANNEL,
            struct.pack("<HH", self.id, self.schema_id),
            text(self.topic),
            text(self.message_encoding),
            text_map(self.metadata),
        )


@dataclass(frozen=True, slots=True)
class ChunkIndex:
    """Where a chunk and its message indexes are. Times in ns, sizes in bytes."""

    start_ns: int
    end_ns: int
    offset: int
    length: int
    message_index_offsets: Mapping[int, int]
    message_index_length: int
    compression: str
    compressed_size: int
    uncompressed_size: int

    def to_bytes(self) -> bytes:
        """The record."""
        # u64 start || u64 end || u64 offset || u64 length || map u16 -> u64 || u64 length of
        # the message indexes || str compression || u64 compressed || u64 uncompressed
        offsets = b"".join(struct.pack("<HQ", *item) for item in self.message_index_offsets.items())
        return record(
            Opcode.CHUNK_INDEX,
            struct.pack(
                "<QQQQI", self.start_ns, self.end_ns, self.offset, self.length, len(offsets)
            ),
            offsets,
            self.message_index_length.to_bytes(8, "little"),
            text(self.compression),
            struct.pack("<QQ", self.compressed_size, self.uncompressed_size),
        )


@dataclass(frozen=True, slots=True)
class MetadataIndex:
    """Where a metadata record is."""

    offset: int
    length: int
    name: str

    def to_bytes(self) -> bytes:
        """The record."""
        # u64 offset || u64 length || str name
        return record(
            Opcode.METADATA_INDEX, struct.pack("<QQ", self.offset, self.length), text(self.name)
        )


def record(opcode: Opcode, *content: bytes) -> bytes:
    """A record of some content."""
    joined = b"".join(content)
    return PREFIX.pack(opcode, len(joined)) + joined


def text(value: str) -> bytes:
    """``str``."""
    data = value.encode()
    return len(data).to_bytes(4, "little") + data


def text_map(values: Mapping[str, str]) -> bytes:
    """A map of ``str`` to ``str``."""
    data = b"".join(text(key) + text(value) for key, value in values.items())
    return len(data).to_bytes(4, "little") + data


def header(profile: str, library: str) -> bytes:
    """The first record of a file."""
    return record(Opcode.HEADER, text(profile), text(library))


def metadata(name: str, values: Mapping[str, str]) -> bytes:
    """A metadata record."""
    return record(Opcode.METADATA, text(name), text_map(values))


def chunk_prefix(
    start_ns: int, end_ns: int, uncompressed_size: int, compression: str, size: int
) -> bytes:
    """A chunk record up to its ``size`` bytes of (compressed) records, which follow.

    Its CRC is 0, "not available": SHA-256 covers every byte of the file.
    """
    # u64 start || u64 end || u64 uncompressed size || u32 crc || str compression || u64 size
    name = text(compression)
    return PREFIX.pack(Opcode.CHUNK, 36 + len(name) + size) + b"".join(
        (
            struct.pack("<QQQI", start_ns, end_ns, uncompressed_size, 0),
            name,
            size.to_bytes(8, "little"),
        )
    )


def message_index(channel_id: int, entries: Sequence[int]) -> bytes:
    """Where a chunk's messages of one channel are: log time, offset, log time, offset, ..."""
    # u16 channel || u32 length || (u64 log time || u64 offset in the uncompressed records) ...
    count = len(entries)
    return PREFIX.pack(Opcode.MESSAGE_INDEX, 6 + 8 * count) + struct.pack(
        f"<HI{count}Q", channel_id, 8 * count, *entries
    )


def data_end() -> bytes:
    """The end of the data section; its CRC is 0, "not available"."""
    return record(Opcode.DATA_END, bytes(4))


def summary_offset(group: Opcode, start: int, length: int) -> bytes:
    """Where the summary has its records of one kind."""
    return record(Opcode.SUMMARY_OFFSET, struct.pack("<BQQ", group, start, length))


def footer(summary_start: int, summary_offset_start: int, summary_crc: int) -> bytes:
    """The last record; ``summary_crc`` covers the summary and this up to the CRC itself."""
    return record(
        Opcode.FOOTER, struct.pack("<QQI", summary_start, summary_offset_start, summary_crc)
    )
