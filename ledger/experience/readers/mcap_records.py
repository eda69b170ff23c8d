"""The MCAP records that counting needs (https://mcap.dev/spec), parsed strictly.

    record = opcode (1 byte) || length (u64le) || body (length bytes)

Written out here, because a recording may be damaged or hostile: the `mcap`
package reads short without noticing, allocates what a record declares, and lets
`struct.error` through. Bytes behind the known fields of a record are ignored, as
the specification asks ("Records may be extended by adding new fields").
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import IntEnum

from ledger.experience.readers.byte_source import ByteSource, DamageError, Fields
from ledger.experience.readers.topic_counts import StorageContents, count_topics

MAGIC = b"\x89MCAP0\r\n"
PREFIX = struct.Struct("<BQ")
# summary_start, summary_offset_start, summary_crc
FOOTER_BODY = struct.Struct("<QQI")
FOOTER_SIZE = PREFIX.size + FOOTER_BODY.size
DATA_END_SIZE = PREFIX.size + 4
# channel id, sequence, log time, publish time
MESSAGE_HEAD = struct.Struct("<HIQQ")


class Opcode(IntEnum):
    """The first byte of a record."""

    HEADER = 0x01
    FOOTER = 0x02
    SCHEMA = 0x03
    CHANNEL = 0x04
    MESSAGE = 0x05
    CHUNK = 0x06
    MESSAGE_INDEX = 0x07
    CHUNK_INDEX = 0x08
    ATTACHMENT = 0x09
    ATTACHMENT_INDEX = 0x0A
    STATISTICS = 0x0B
    METADATA = 0x0C
    METADATA_INDEX = 0x0D
    SUMMARY_OFFSET = 0x0E
    DATA_END = 0x0F


@dataclass(frozen=True, slots=True)
class Statistics:
    """The Statistics record: what the writer counted. Times in ns."""

    message_count: int
    chunk_count: int
    start_ns: int
    end_ns: int
    channel_counts: dict[int, int]


@dataclass(frozen=True, slots=True)
class ChunkIndex:
    """Where a Chunk record lies in the file; ``length`` includes its opcode and length."""

    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class MetadataIndex:
    """Where a Metadata record lies in the file; ``length`` includes its opcode and length."""

    offset: int
    length: int
    name: str


@dataclass(slots=True)
class Tally:
    """What has been seen on the way through a file."""

    profile: str = ""
    ros_distro: str = ""
    schemas: dict[int, str] = field(default_factory=dict)
    channels: dict[int, tuple[int, str]] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int = 0

    def add_header(self, body: bytes) -> None:
        """Header: profile, library."""
        self.profile = Fields(body, "Header").text()

    def add_schema(self, body: bytes) -> None:
        """Schema: id, name, encoding, data. Id 0 is reserved for "no schema"."""
        fields = Fields(body, "Schema")
        number, name = fields.u16(), fields.text()
        fields.text()
        fields.take(fields.u32())
        if number == 0 or self.schemas.setdefault(number, name) != name:
            raise DamageError(f"schema {number} is defined twice or not allowed")

    def add_channel(self, body: bytes) -> None:
        """Channel: id, schema id, topic, message encoding, metadata."""
        fields = Fields(body, "Channel")
        number, channel = fields.u16(), (fields.u16(), fields.text())
        fields.text()
        fields.text_map()
        if self.channels.setdefault(number, channel) != channel:
            raise DamageError(f"channel {number} is defined twice")

    def add_message(self, channel: int, log_time_ns: int) -> None:
        """One message of a channel that has been defined before."""
        if channel not in self.channels:
            raise DamageError(f"a message belongs to channel {channel}, which is not defined")
        if not self.counts:
            self.start_ns = self.end_ns = log_time_ns
        self.counts[channel] = self.counts.get(channel, 0) + 1
        if log_time_ns < self.start_ns:
            self.start_ns = log_time_ns
        if log_time_ns > self.end_ns:
            self.end_ns = log_time_ns

    def contents(self) -> StorageContents:
        """The sum, with a topic's type taken from its schema ("" for none)."""
        counts = []
        for number, (schema, topic) in self.channels.items():
            if schema and schema not in self.schemas:
                raise DamageError(f"channel {number} names schema {schema}, which is not defined")
            counts.append((topic, self.schemas.get(schema, ""), self.counts.get(number, 0)))
        tags = {"storage": "mcap", "profile": self.profile, "ros_distro": self.ros_distro}
        return StorageContents(count_topics(counts), self.start_ns, self.end_ns, tags)


def read_prefix(source: ByteSource) -> tuple[int, int]:
    """Opcode and body length of the next record."""
    opcode, length = PREFIX.unpack(source.take(PREFIX.size))
    if opcode == 0:
        raise DamageError(f"byte {source.offset - PREFIX.size} starts no record")
    return opcode, length


def take_record(source: ByteSource, expected: Opcode) -> bytes:
    """The body of the next record, which must be of the ``expected`` kind."""
    found, length = read_prefix(source)
    if found != expected:
        raise DamageError(
            f"there is no {expected.name} record at byte {source.offset - PREFIX.size}"
        )
    return source.take(length)


def parse_footer(body: bytes) -> tuple[int, int, int]:
    """Footer: summary start, summary offset start, summary CRC."""
    if len(body) != FOOTER_BODY.size:
        raise DamageError("the Footer record has the wrong length")
    start, offset_start, crc = FOOTER_BODY.unpack(body)
    return start, offset_start, crc


def parse_statistics(body: bytes) -> Statistics:
    """Statistics, field by field in the specification's order."""
    fields = Fields(body, "Statistics")
    message_count = fields.u64()
    fields.u16()  # schemas
    fields.u32()  # channels
    fields.u32()  # attachments
    fields.u32()  # metadata
    chunk_count = fields.u32()
    start_ns, end_ns = fields.u64(), fields.u64()
    counts = dict(fields.pairs("<HQ"))
    return Statistics(message_count, chunk_count, start_ns, end_ns, counts)


def parse_chunk_index(body: bytes) -> ChunkIndex:
    """The first four fields of a Chunk Index; the rest is for seeking by time."""
    fields = Fields(body, "Chunk Index")
    fields.u64()  # message start time
    fields.u64()  # message end time
    return ChunkIndex(fields.u64(), fields.u64())


def parse_metadata_index(body: bytes) -> MetadataIndex:
    """Metadata Index: offset, length, name."""
    fields = Fields(body, "Metadata Index")
    return MetadataIndex(fields.u64(), fields.u64(), fields.text())


def distro_of_metadata(body: bytes) -> str:
    """The ROS distribution in a ``rosbag2`` Metadata record, or "".

    rosbag2 stores its metadata.yaml there as text under ``serialized_metadata``.
    """
    fields = Fields(body, "Metadata")
    if fields.text() != "rosbag2":
        return ""
    entries = fields.text_map()
    for line in entries.get("serialized_metadata", "").splitlines():
        key, _, value = line.partition(":")
        if key == "ros_distro":
            return value.strip().strip("\"'")
    return ""
