"""MCAP files: topics, counts and times of a ``.mcap``, without reading more than is needed.

    magic || Header || data section || DataEnd || summary || summary offsets || Footer || magic

The `mcap` package parses the records (https://mcap.dev/spec) from a `StrictStream`.
A file with a summary is not read in full: both ends are checked, the summary's
CRC and structure too, each indexed chunk is looked up in the data section, and the
Statistics record gives the counts. Without a summary, or with one that leaves a
count open, every record is read, and with it the CRC of each chunk and of the data
section. Messages in the data section of a file with a good summary are therefore
*not* checked here: that is for the content root.
"""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mcap import records
from mcap.data_stream import RecordBuilder
from mcap.exceptions import McapError
from mcap.opcode import Opcode
from mcap.reader import FOOTER_SIZE
from mcap.stream_reader import StreamReader
from mcap.writer import MCAP0_MAGIC as MAGIC

from ledger.errors import RecordingError
from ledger.experience.readers.byte_source import (
    PARSER_ERRORS,
    PIECE,
    READ_LIMIT,
    DamageError,
    StrictStream,
    decompressed,
    reading,
)
from ledger.experience.readers.input_files import open_input
from ledger.experience.readers.recording import Recording
from ledger.experience.readers.topic_counts import StorageContents, count_topics, file_recording

MEDIA_TYPE = "application/vnd.mcap"
HINT = "recover what is there with `mcap recover`, or keep the bytes as they are with --opaque"
# The largest chunk that is decompressed; recorders write chunks of about a megabyte.
CHUNK_LIMIT = READ_LIMIT
# Opcode and length of a record; a DataEnd holds a CRC of four bytes.
PREFIX = struct.Struct("<BQ")
DATA_END_SIZE = PREFIX.size + 4


def read_mcap_file(path: Path) -> Recording:
    """The recording in a bare ``.mcap`` file.

    Raises `RecordingError` when the file is no MCAP, cut off or damaged.
    """
    return file_recording(path, MEDIA_TYPE, "mcap", read_mcap(path))


def read_mcap(path: Path) -> StorageContents:
    """Topics, counts and times of an MCAP file, by its summary where that is enough.

    Raises `RecordingError`.
    """
    with open_input(path) as file, reading(path, HINT, McapError):
        stream = StrictStream(file, os.fstat(file.fileno()).st_size)
        contents = _read_summary(stream, _check_ends(path, stream))
        if contents is None:
            stream.seek(0)
            contents = _scan(stream)
    return contents


def scan_mcap(path: Path, compression: str) -> StorageContents:
    """Topics, counts and times of an MCAP file that is compressed as a whole.

    Raises `RecordingError`.
    """
    with open_input(path) as file, reading(path, HINT, McapError):
        return _scan(StrictStream(decompressed(file, compression)))


@dataclass(slots=True)
class _Tally:
    """What has been seen on the way through a file."""

    profile: str = ""
    ros_distro: str = ""
    schemas: dict[int, str] = field(default_factory=dict)
    channels: dict[int, tuple[int, str]] = field(default_factory=dict)
    counts: dict[int, int] = field(default_factory=dict)
    start_ns: int = 0
    end_ns: int = 0
    statistics: records.Statistics | None = None
    chunks: list[records.ChunkIndex] = field(default_factory=list)
    distro_at: int = 0

    def add_header(self, record: records.McapRecord | None) -> None:
        if not isinstance(record, records.Header):
            raise DamageError("it does not begin with a Header record")
        self.profile = record.profile

    def add(self, record: records.McapRecord) -> None:
        if isinstance(record, records.Message):
            if record.channel_id not in self.channels:
                raise DamageError(f"a message is of channel {record.channel_id}, not defined yet")
            if not self.counts:
                self.start_ns = self.end_ns = record.log_time
            self.counts[record.channel_id] = self.counts.get(record.channel_id, 0) + 1
            self.start_ns = min(self.start_ns, record.log_time)
            self.end_ns = max(self.end_ns, record.log_time)
        elif isinstance(record, records.Schema):
            # Id 0 is reserved for "no schema".
            if not record.id or self.schemas.setdefault(record.id, record.name) != record.name:
                raise DamageError(f"schema {record.id} is defined twice or not allowed")
        elif isinstance(record, records.Channel):
            channel = (record.schema_id, record.topic)
            if self.channels.setdefault(record.id, channel) != channel:
                raise DamageError(f"channel {record.id} is defined twice")
        elif isinstance(record, records.Statistics):
            self.statistics = record
        elif isinstance(record, records.ChunkIndex):
            self.chunks.append(record)
        elif isinstance(record, records.MetadataIndex) and record.name == "rosbag2":
            self.distro_at = record.offset  # The last one is written at close.
        elif isinstance(record, records.Metadata) and record.name == "rosbag2":
            # rosbag2 stores its metadata.yaml there as text.
            for line in record.metadata.get("serialized_metadata", "").splitlines():
                key, _, value = line.partition(":")
                if key == "ros_distro":
                    self.ros_distro = value.strip().strip("\"'")

    def contents(self) -> StorageContents:
        counts = []
        for number, (schema, topic) in self.channels.items():
            if schema and schema not in self.schemas:
                raise DamageError(f"channel {number} names schema {schema}, which is not defined")
            counts.append((topic, self.schemas.get(schema, ""), self.counts.get(number, 0)))
        tags = {"storage": "mcap", "profile": self.profile, "ros_distro": self.ros_distro}
        return StorageContents(count_topics(counts), self.start_ns, self.end_ns, tags)


def _records(stream: StrictStream, *, whole_file: bool = False) -> Iterator[records.McapRecord]:
    """The known records up to the Footer, chunks as they are. A whole file's CRC is checked."""
    return StreamReader(
        stream,
        skip_magic=not whole_file,
        emit_chunks=True,
        validate_crcs=whole_file,
        record_size_limit=None,
    ).records


def _record_at(stream: StrictStream, offset: int) -> records.McapRecord | None:
    stream.seek(offset)
    return next(_records(stream), None)


def _check_ends(path: Path, stream: StrictStream) -> records.Footer:
    """Magic at both ends and a Footer before the last one, else where the file breaks off."""
    if stream.size < len(MAGIC) or stream.read(len(MAGIC)) != MAGIC:
        raise RecordingError(
            f"{path} is not an MCAP file: its first bytes are not MCAP's",
            hint="ingest with --opaque to keep it as it is",
        )
    with suppress(DamageError, McapError, *PARSER_ERRORS):
        footer = _record_at(stream, stream.size - FOOTER_SIZE - len(MAGIC))
        if isinstance(footer, records.Footer) and stream.read(len(MAGIC)) == MAGIC:
            return footer
    end = stream.seek(len(MAGIC))
    with suppress(DamageError, McapError, *PARSER_ERRORS):
        for _ in _records(stream):
            end = stream.offset
    raise RecordingError(
        f"{path} is cut off: it has no end mark, and its last complete record ends at byte "
        f"{end} of {stream.size}",
        hint=f"if it is still being recorded, stop the recorder first; else {HINT}",
    )


def _read_summary(stream: StrictStream, footer: records.Footer) -> StorageContents | None:
    """What the summary says, or None where it does not say enough."""
    start = footer.summary_start
    if start == 0:
        return None
    tally = _Tally()
    tally.add_header(_record_at(stream, len(MAGIC)))
    if not isinstance(_record_at(stream, start - DATA_END_SIZE), records.DataEnd):
        raise DamageError("its Footer does not say where its summary starts")
    # summary_crc covers the summary, the summary offsets and the Footer up to the CRC itself.
    stream.seek(start)
    covered = stream.read(stream.size - len(MAGIC) - 4 - start)
    if footer.summary_crc and zlib.crc32(covered) != footer.summary_crc:
        raise DamageError("the CRC of its summary does not match")
    stream.seek(start)
    for record in _records(stream):
        tally.add(record)
    if stream.offset != stream.size:
        raise DamageError(f"a Footer at byte {stream.offset} is not at its end")
    _check_chunks(stream, tally.chunks, start)

    statistics = tally.statistics
    if statistics is None:
        return None
    counts = statistics.channel_message_counts
    if counts.keys() - tally.channels.keys() or sum(counts.values()) != statistics.message_count:
        return None
    if tally.chunks and len(tally.chunks) != statistics.chunk_count:
        raise DamageError("its Statistics and its Chunk Indexes disagree")
    if tally.distro_at:
        record_at = _record_at(stream, tally.distro_at)
        if not isinstance(record_at, records.Metadata):
            raise DamageError(f"there is no metadata at byte {tally.distro_at}, as its index says")
        tally.add(record_at)
    tally.counts = counts
    if statistics.message_count:
        tally.start_ns = statistics.message_start_time
        tally.end_ns = statistics.message_end_time
    return tally.contents()


def _check_chunks(stream: StrictStream, chunks: list[records.ChunkIndex], end: int) -> None:
    """Each Chunk Index must point at a Chunk record of its length before ``end``.

    `StreamReader` would read all of the chunk.
    """
    for chunk in chunks:
        offset, length = chunk.chunk_start_offset, chunk.chunk_length
        stream.seek(offset)
        prefix = PREFIX.pack(Opcode.CHUNK, max(length - PREFIX.size, 0))
        if offset + length > end or stream.read(PREFIX.size) != prefix:
            raise DamageError(f"there is no chunk at byte {offset}, where one is indexed")


def _scan(stream: StrictStream) -> StorageContents:
    """Read every record from the first magic to the last, seeking nowhere."""
    tally = _Tally()
    found = _records(stream, whole_file=True)
    tally.add_header(next(found, None))
    complete = False
    for record in found:
        complete = complete or isinstance(record, records.DataEnd)
        if isinstance(record, records.Chunk):
            for inner in _chunk_records(record, f"the chunk before byte {stream.offset}"):
                tally.add(inner)
        else:
            tally.add(record)
    if not complete or not stream.at_end():
        raise DamageError(f"it does not end with its end marks at byte {stream.offset}")
    contents = tally.contents()
    if tally.statistics and tally.statistics.message_count != contents.message_count:
        raise DamageError(
            f"its summary counts {tally.statistics.message_count} messages, "
            f"its data section {contents.message_count}"
        )
    return contents


def _chunk_records(chunk: records.Chunk, name: str) -> Iterator[records.McapRecord]:
    """The records in a chunk, once its size and CRC have been checked.

    `StreamReader`, which stops at a Footer, reads them, because `breakup_chunk`
    decompresses without limit and takes a record that is cut off for a complete one.
    """
    plain = io.BytesIO()
    if chunk.uncompressed_size > CHUNK_LIMIT:
        raise DamageError(f"{name} claims to hold {chunk.uncompressed_size} bytes")
    source = decompressed(io.BytesIO(chunk.data), chunk.compression)
    while plain.tell() <= chunk.uncompressed_size and (piece := source.read(PIECE)):
        plain.write(piece)
    if plain.tell() != chunk.uncompressed_size:
        raise DamageError(f"{name} is not as long as it says")
    if chunk.uncompressed_crc and zlib.crc32(plain.getbuffer()) != chunk.uncompressed_crc:
        raise DamageError(f"the CRC of {name} does not match")
    end = RecordBuilder()
    records.Footer(0, 0, 0).write(end)
    plain.write(end.end() + MAGIC)  # type: ignore[no-untyped-call]
    size = plain.tell()
    plain.seek(0)
    stream = StrictStream(plain, size)
    yield from _records(stream)
    if stream.offset != size:
        raise DamageError(f"{name} has a Footer in it")
