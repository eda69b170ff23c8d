"""What the summary of an MCAP file says: kept while the file is written, or found in it again."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from ledger.recording.mcap_records import (
    MAGIC,
    Channel,
    ChunkIndex,
    MetadataIndex,
    Opcode,
    Schema,
    data_end,
    footer,
    record,
    summary_offset,
)


@dataclass(slots=True)
class FileIndex:
    """Schemas, channels, counts, times and places of all that a file holds so far."""

    schemas: dict[int, Schema] = field(default_factory=dict)
    channels: dict[int, Channel] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    """Messages by channel id; a channel without messages may be missing."""
    chunks: list[ChunkIndex] = field(default_factory=list)
    metadata: list[MetadataIndex] = field(default_factory=list)

    @property
    def message_count(self) -> int:
        """Messages in all channels."""
        return sum(self.counts.values())

    @property
    def start_ns(self) -> int:
        """The earliest log time; 0 without messages."""
        return min((chunk.start_ns for chunk in self.chunks), default=0)

    @property
    def end_ns(self) -> int:
        """The latest log time; 0 without messages."""
        return max((chunk.end_ns for chunk in self.chunks), default=0)

    def closing(self, offset: int) -> bytes:
        """Everything from the DataEnd record to the last magic, for a file of ``offset`` bytes."""
        end = data_end()
        start = offset + len(end)
        groups: list[tuple[Opcode, list[bytes]]] = [
            (Opcode.SCHEMA, [schema.to_bytes() for schema in self.schemas.values()]),
            (Opcode.CHANNEL, [channel.to_bytes() for channel in self.channels.values()]),
            (Opcode.STATISTICS, [self._statistics()]),
            (Opcode.CHUNK_INDEX, [chunk.to_bytes() for chunk in self.chunks]),
            (Opcode.METADATA_INDEX, [index.to_bytes() for index in self.metadata]),
        ]
        summary, offsets = b"", b""
        for opcode, records in groups:
            group = b"".join(records)
            if group:
                offsets += summary_offset(opcode, start + len(summary), len(group))
                summary += group
        offset_start = start + len(summary)
        covered = summary + offsets + footer(start, offset_start, 0)[:-4]
        return end + covered + struct.pack("<I", zlib.crc32(covered)) + MAGIC

    def _statistics(self) -> bytes:
        # u64 messages || u16 schemas || u32 channels || u32 attachments || u32 metadata
        # || u32 chunks || u64 start || u64 end || map u16 -> u64 counts
        counts = b"".join(struct.pack("<HQ", *item) for item in sorted(self.counts.items()))
        return record(
            Opcode.STATISTICS,
            struct.pack(
                "<QHIIIIQQI",
                self.message_count,
                len(self.schemas),
                len(self.channels),
                0,
                len(self.metadata),
                len(self.chunks),
                self.start_ns,
                self.end_ns,
                len(counts),
            ),
            counts,
        )
