"""MCAP files: topics, counts and times of a ``.mcap``, without reading more than is needed.

    magic || Header || data section || DataEnd || summary || summary offsets || Footer || magic

A file with a summary is not read in full: both ends are checked, the summary's
CRC and structure too, the opcode and length of every indexed chunk is looked up
in the data section, and the Statistics record gives the counts. Without a
summary, or one that leaves a count open, every record is read, and with it the
CRC of each chunk and of the data section. Messages in the data section of a file
with a good summary are therefore *not* checked here: that is for the content root.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from ledger.errors import RecordingError
from ledger.experience.readers import mcap_records as records
from ledger.experience.readers.byte_source import (
    ByteSource,
    DamageError,
    damaged,
    decompressed,
)
from ledger.experience.readers.input_files import open_input, recording_file
from ledger.experience.readers.mcap_records import MAGIC, PREFIX, Opcode, Tally
from ledger.experience.readers.mcap_scan import scan
from ledger.experience.readers.recording import Recording
from ledger.experience.readers.topic_counts import StorageContents, sorted_tags

MEDIA_TYPE = "application/vnd.mcap"
HINT = "recover what is there with `mcap recover`, or keep the bytes as they are with --opaque"


def read_mcap_file(path: Path) -> Recording:
    """The recording in a bare ``.mcap`` file.

    Raises `RecordingError` when the file is no MCAP, cut off or damaged.
    """
    contents = read_mcap(path)
    return Recording(
        root=path.parent,
        name=path.name,
        media_type=MEDIA_TYPE,
        files=(recording_file(path.parent, path.name),),
        topics=contents.topics,
        start_ns=contents.start_ns,
        end_ns=contents.end_ns,
        message_count=contents.message_count,
        tags=sorted_tags({**contents.tags, "format": "mcap"}),
    )


def read_mcap(path: Path) -> StorageContents:
    """Topics, counts and times of an MCAP file, by its summary where that is enough.

    Raises `RecordingError`.
    """
    with open_input(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        try:
            _check_ends(path, stream, size)
            contents = _read_summary(stream, size)
            if contents is None:
                stream.seek(0)
                contents = scan(ByteSource(stream, with_crc=True))
        except DamageError as error:
            raise damaged(path, error, HINT) from error
    return contents


def scan_mcap(path: Path, compression: str) -> StorageContents:
    """Topics, counts and times of an MCAP file that is compressed as a whole.

    Raises `RecordingError`.
    """
    with open_input(path) as stream:
        try:
            return scan(ByteSource(decompressed(stream, compression), with_crc=True))
        except DamageError as error:
            raise damaged(path, error, HINT) from error


def _check_ends(path: Path, stream: BinaryIO, size: int) -> None:
    """Magic at both ends and a Footer before the last one, else where the file breaks off."""
    if stream.read(len(MAGIC)) != MAGIC:
        raise RecordingError(
            f"{path} is not an MCAP file: its first bytes are not MCAP's",
            hint="ingest with --opaque to keep it as it is",
        )
    tail = records.FOOTER_SIZE + len(MAGIC)
    stream.seek(max(size - tail, 0))
    data = stream.read(tail)
    prefix = PREFIX.pack(Opcode.FOOTER, records.FOOTER_BODY.size)
    if len(data) < tail or not data.startswith(prefix) or not data.endswith(MAGIC):
        end = _last_complete_record(stream, size)
        raise RecordingError(
            f"{path} is cut off: it has no end mark, and its last complete record ends at byte "
            f"{end} of {size}",
            hint=f"if it is still being recorded, stop the recorder first; else {HINT}",
        )


def _last_complete_record(stream: BinaryIO, size: int) -> int:
    """The offset behind the last record that lies in the file as a whole."""
    position = len(MAGIC)
    while position + PREFIX.size <= size:
        stream.seek(position)
        opcode, length = PREFIX.unpack(stream.read(PREFIX.size))
        end = position + PREFIX.size + length
        if opcode == 0 or end > size:
            break
        position = end
    return position


def _read_summary(stream: BinaryIO, size: int) -> StorageContents | None:
    """What the summary says, or None where it does not say enough."""
    footer_at = size - len(MAGIC) - records.FOOTER_SIZE
    stream.seek(footer_at + PREFIX.size)
    start, offset_start, crc = records.parse_footer(stream.read(records.FOOTER_BODY.size))
    if start == 0:
        return None
    end = offset_start or footer_at
    if not len(MAGIC) + records.DATA_END_SIZE <= start <= end <= footer_at:
        raise DamageError("its Footer points outside the file")

    tally = Tally()
    stream.seek(len(MAGIC))
    source = ByteSource(stream, offset=len(MAGIC))
    tally.add_header(records.take_record(source, Opcode.HEADER))
    if source.offset + records.DATA_END_SIZE > start:
        raise DamageError("its Footer points into its Header")

    stream.seek(start - records.DATA_END_SIZE)
    source = ByteSource(stream, offset=start - records.DATA_END_SIZE)
    records.take_record(source, Opcode.DATA_END)
    # summary_crc covers the summary, the summary offsets and the Footer up to the CRC itself.
    source = ByteSource(stream, offset=start, with_crc=True)
    statistics, chunks, metadata = _read_summary_records(source, tally, end)
    source.skip(footer_at - end)
    source.skip(records.FOOTER_SIZE - 4)
    if crc and crc != source.crc:
        raise DamageError("the CRC of its summary does not match")
    _check_chunks(stream, chunks, start)
    if statistics is None or set(statistics.channel_counts) - set(tally.channels):
        return None
    if sum(statistics.channel_counts.values()) != statistics.message_count:
        return None
    if chunks and len(chunks) != statistics.chunk_count:
        raise DamageError("its Statistics and its Chunk Indexes disagree")
    tally.ros_distro = _read_distro(stream, metadata, start)
    tally.counts = statistics.channel_counts
    if statistics.message_count:
        tally.start_ns, tally.end_ns = statistics.start_ns, statistics.end_ns
    if tally.start_ns > tally.end_ns:
        raise DamageError("its Statistics say that it ends before it starts")
    return tally.contents()


def _read_summary_records(
    source: ByteSource, tally: Tally, end: int
) -> tuple[records.Statistics | None, list[records.ChunkIndex], list[records.MetadataIndex]]:
    statistics = None
    chunks: list[records.ChunkIndex] = []
    metadata: list[records.MetadataIndex] = []
    while source.offset < end:
        opcode, length = records.read_prefix(source)
        if source.offset + length > end:
            raise DamageError("a record of its summary is longer than the summary")
        match opcode:
            case Opcode.SCHEMA:
                tally.add_schema(source.take(length))
            case Opcode.CHANNEL:
                tally.add_channel(source.take(length))
            case Opcode.STATISTICS:
                statistics = records.parse_statistics(source.take(length))
            case Opcode.CHUNK_INDEX:
                chunks.append(records.parse_chunk_index(source.take(length)))
            case Opcode.METADATA_INDEX:
                metadata.append(records.parse_metadata_index(source.take(length)))
            case _:
                source.skip(length)
    return statistics, chunks, metadata


def _check_chunks(stream: BinaryIO, chunks: list[records.ChunkIndex], end: int) -> None:
    """Each Chunk Index must point at a Chunk record of its length before ``end``."""
    for chunk in chunks:
        if chunk.offset < len(MAGIC) or chunk.offset + chunk.length > end:
            raise DamageError("a Chunk Index points outside the data section")
        stream.seek(chunk.offset)
        if stream.read(PREFIX.size) != PREFIX.pack(
            Opcode.CHUNK, max(chunk.length - PREFIX.size, 0)
        ):
            raise DamageError(f"there is no chunk at byte {chunk.offset}, where one is indexed")


def _read_distro(stream: BinaryIO, metadata: list[records.MetadataIndex], end: int) -> str:
    """The ROS distribution in the last ``rosbag2`` Metadata record (the one written at close)."""
    for index in reversed(metadata):
        if index.name != "rosbag2":
            continue
        if index.offset < len(MAGIC) or index.offset + index.length > end:
            raise DamageError("a Metadata Index points outside the data section")
        stream.seek(index.offset)
        source = ByteSource(stream, offset=index.offset)
        return records.distro_of_metadata(records.take_record(source, Opcode.METADATA))
    return ""
