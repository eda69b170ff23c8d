"""Writes an MCAP file by appending only: chunks with their indexes, metadata, and the end.

    magic || Header || (Metadata | Chunk || MessageIndex*)* || DataEnd || summary || Footer || magic

A chunk is gathered in memory and written whole. A write that fails loses the messages
of that chunk and nothing else: schemas and channels first used in it are written again
with the next, and what the index says is true of the file before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final, TypeAlias

from ledger.recording.mcap_index import FileIndex
from ledger.recording.mcap_records import (
    MAGIC,
    MESSAGE,
    MESSAGE_FIELDS_SIZE,
    SEQUENCE_MASK,
    Channel,
    ChunkIndex,
    MetadataIndex,
    Opcode,
    Schema,
    chunk_prefix,
    header,
    message_index,
    metadata,
)

CHUNK_SIZE: Final = 786_432
"""Bytes of uncompressed records after which a chunk is ended; what rosbag2 uses."""

_LONG: Final = 16_384
"""Pieces from this length on are written from where they are; shorter ones are joined first."""

Write: TypeAlias = Callable[[Sequence[bytes]], None]
"""Appends buffers to the file, all of them or (raising `OSError`) none."""


class Compression(Enum):
    """How chunks are compressed; the values are MCAP's names."""

    NONE = ""
    LZ4 = "lz4"
    ZSTD = "zstd"


class ChunkLostError(Exception):
    """A chunk could not be written: messages are lost, for ``reason``.

    ``counts`` says how many by channel, ``size`` how many bytes of them.
    """

    def __init__(self, counts: Mapping[int, int], size: int, reason: OSError) -> None:
        super().__init__(str(reason))
        self.counts = counts
        self.size = size
        self.reason = reason


def compress(data: bytes, compression: Compression) -> bytes:
    """Compress the records of a chunk."""
    if compression is Compression.ZSTD:
        import zstandard

        return zstandard.compress(data, 1)
    if compression is Compression.LZ4:
        import lz4.frame  # type: ignore[import-untyped]

        packed: bytes = lz4.frame.compress(data)
        return packed
    return data


class McapAppender:
    """An MCAP file being written through ``write``. One thread at a time."""

    def __init__(self, write: Write, compression: Compression = Compression.NONE) -> None:
        self.index: Final = FileIndex()
        self.offset = 0
        """Bytes written."""
        self._write = write
        self._compression = compression
        self._schemas: dict[int, Schema] = {}
        self._channels: dict[int, Channel] = {}
        self._next_sequence: dict[int, int] = {}
        self._forget_chunk()

    @property
    def waiting_bytes(self) -> int:
        """Bytes of records in the chunk that is not written yet."""
        return self._size

    def start(self, profile: str, library: str) -> None:
        """Write magic and header. Raises `OSError`."""
        self._append([MAGIC, header(profile, library)])

    def add_metadata(self, name: str, values: Mapping[str, str]) -> None:
        """Write a metadata record, after the chunk so far. Raises `OSError` too."""
        self.end_chunk()
        data = metadata(name, values)
        offset = self.offset
        self._append([data])
        self.index.metadata.append(MetadataIndex(offset, len(data), name))

    def add_schema(self, name: str, encoding: str, data: bytes) -> int:
        """Define a type; written when first used. Its id."""
        number = len(self._schemas) + 1
        self._schemas[number] = Schema(number, name, encoding, data)
        return number

    def add_channel(
        self, topic: str, message_encoding: str, schema_id: int, metadata: Mapping[str, str]
    ) -> int:
        """Define a channel of a type; written when first used. Its id."""
        number = len(self._channels) + 1
        self._channels[number] = Channel(number, schema_id, topic, message_encoding, metadata)
        self._next_sequence[number] = 0
        return number

    def append(self, channel: int, log_ns: int, publish_ns: int, data: bytes) -> None:
        """Add a message; a full chunk is written. Times in ns since the epoch.

        Raises `ChunkLostError`, as every method that writes a chunk; the file is then as it was.
        """
        size = len(data)
        sequence = self._next_sequence[channel]
        # First, because it raises for a stamp that no record can hold.
        prefix = MESSAGE.pack(
            Opcode.MESSAGE,
            MESSAGE_FIELDS_SIZE + size,
            channel,
            sequence & SEQUENCE_MASK,
            log_ns,
            publish_ns,
        )
        self._next_sequence[channel] = sequence + 1
        entries = self._entries.get(channel)
        if entries is None:
            entries = self._entries[channel] = []
        entries.append(log_ns)
        entries.append(self._size)
        pieces = self._pieces
        if not pieces:
            self._start_ns = self._end_ns = log_ns
        elif log_ns < self._start_ns:
            self._start_ns = log_ns
        elif log_ns > self._end_ns:
            self._end_ns = log_ns
        pieces.append(prefix)
        pieces.append(data)
        self._size += MESSAGE.size + size
        if size >= _LONG:
            self._any_long = True
        if self._size > CHUNK_SIZE:
            self.end_chunk()

    def end_chunk(self) -> None:
        """Write the messages gathered so far; nothing where there are none."""
        if not self._pieces:
            return
        try:
            self._write_chunk()
        except OSError as error:
            counts = {channel: len(entries) // 2 for channel, entries in self._entries.items()}
            size = self._size - MESSAGE.size * sum(counts.values())
            raise ChunkLostError(counts, size, error) from error
        finally:
            self._forget_chunk()

    def finish(self) -> None:
        """Write what is left, the summary and the end. Raises `OSError` too."""
        self.end_chunk()
        self._append([self.index.closing(self.offset)])

    def _write_chunk(self) -> None:
        definitions, schemas, channels = self._new_definitions()
        size = len(definitions) + self._size
        pieces = [definitions, *self._pieces] if definitions else self._pieces
        if self._compression is not Compression.NONE:
            packed = compress(b"".join(pieces), self._compression)
            pieces, packed_size = [packed], len(packed)
        else:
            packed_size = size
        prefix = chunk_prefix(
            self._start_ns, self._end_ns, size, self._compression.value, packed_size
        )
        length = len(prefix) + packed_size
        indexes, offsets = [], {}
        after = self.offset + length
        for channel, entries in self._entries.items():
            if definitions:
                entries[1::2] = [at + len(definitions) for at in entries[1::2]]
            offsets[channel] = after
            indexes.append(message_index(channel, entries))
            after += len(indexes[-1])
        chunk = ChunkIndex(
            start_ns=self._start_ns,
            end_ns=self._end_ns,
            offset=self.offset,
            length=length,
            message_index_offsets=offsets,
            message_index_length=after - self.offset - length,
            compression=self._compression.value,
            compressed_size=packed_size,
            uncompressed_size=size,
        )
        buffers = [prefix, *pieces, *indexes]
        self._append(list(_joined(buffers)) if self._any_long else [b"".join(buffers)])
        index = self.index
        index.chunks.append(chunk)
        index.schemas.update(schemas)
        index.channels.update(channels)
        for channel, entries in self._entries.items():
            index.counts[channel] = index.counts.get(channel, 0) + len(entries) // 2

    def _new_definitions(self) -> tuple[bytes, dict[int, Schema], dict[int, Channel]]:
        """Schemas and channels that this chunk is the first to use."""
        new = self._entries.keys() - self.index.channels.keys()
        if not new:
            return b"", {}, {}
        channels = {number: self._channels[number] for number in sorted(new)}
        schemas = {
            channel.schema_id: self._schemas[channel.schema_id]
            for channel in channels.values()
            if channel.schema_id and channel.schema_id not in self.index.schemas
        }
        records = [schema.to_bytes() for schema in schemas.values()]
        records += [channel.to_bytes() for channel in channels.values()]
        return b"".join(records), schemas, channels

    def _append(self, buffers: list[bytes]) -> None:
        self._write(buffers)
        self.offset += sum(map(len, buffers))

    def _forget_chunk(self) -> None:
        self._pieces: list[bytes] = []
        self._entries: dict[int, list[int]] = {}
        self._size = 0
        self._start_ns = self._end_ns = 0
        self._any_long = False


def _joined(pieces: Sequence[bytes]) -> Iterator[bytes]:
    """The same bytes with short neighbours joined, long pieces as they are."""
    run: list[bytes] = []
    for piece in pieces:
        if len(piece) < _LONG:
            run.append(piece)
            continue
        if run:
            yield b"".join(run)
            run = []
        yield piece
    if run:
        yield b"".join(run)
