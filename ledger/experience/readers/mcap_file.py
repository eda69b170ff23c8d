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
import zlib
from pathlib import Path
from typing import BinaryIO

from ledger.errors import RecordingError
from ledger.experience.readers import mcap_records as records
from ledger.experience.readers.byte_source import (
    TAKE_LIMIT,
    ByteSource,
    DamageError,
    Window,
    damaged,
    decompressed,
)
from ledger.experience.readers.input_files import open_input, recording_file
from ledger.experience.readers.mcap_records import MAGIC, PREFIX, Opcode, Tally
from ledger.experience.readers.recording import Recording
from ledger.experience.readers.topic_counts import StorageContents, sorted_tags

MEDIA_TYPE = "application/vnd.mcap"
HINT = "recover what is there with `mcap recover`, or keep the bytes as they are with --opaque"
# The largest chunk that is decompressed, as in the mcap package.
CHUNK_LIMIT = 4 << 30


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
                contents = _scan(ByteSource(stream, with_crc=True))
        except DamageError as error:
            raise damaged(path, error, HINT) from error
    return contents


def scan_mcap(path: Path, compression: str) -> StorageContents:
    """Topics, counts and times of an MCAP file that is compressed as a whole.

    Raises `RecordingError`.
    """
    with open_input(path) as stream:
        try:
            return _scan(ByteSource(decompressed(stream, compression), with_crc=True))
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
    tally.add_header(_take_record(source, Opcode.HEADER))
    if source.offset + records.DATA_END_SIZE > start:
        raise DamageError("its Footer points into its Header")

    stream.seek(start - records.DATA_END_SIZE)
    source = ByteSource(stream, offset=start - records.DATA_END_SIZE)
    _take_record(source, Opcode.DATA_END)
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
        return records.distro_of_metadata(_take_record(source, Opcode.METADATA))
    return ""


def _take_record(source: ByteSource, expected: Opcode) -> bytes:
    found, length = records.read_prefix(source)
    if found != expected:
        raise DamageError(
            f"there is no {expected.name} record at byte {source.offset - PREFIX.size}"
        )
    return source.take(length)


def _scan(source: ByteSource) -> StorageContents:
    """Read every record from the first magic to the last."""
    tally = Tally()
    if source.take(len(MAGIC)) != MAGIC:
        raise DamageError("its first bytes are not MCAP's")
    tally.add_header(_take_record(source, Opcode.HEADER))
    _scan_data(source, tally)
    summary_start = source.offset
    statistics = _scan_summary(source, tally, summary_start)
    if source.take(len(MAGIC)) != MAGIC or not source.at_end():
        raise DamageError(f"it does not end with its end mark at byte {source.offset}")
    contents = tally.contents()
    if statistics is not None and statistics.message_count != contents.message_count:
        raise DamageError(
            f"its summary counts {statistics.message_count} messages, "
            f"its data section {contents.message_count}"
        )
    return contents


def _scan_data(source: ByteSource, tally: Tally) -> None:
    while True:
        crc = source.crc
        opcode, length = records.read_prefix(source)
        match opcode:
            case Opcode.CHUNK:
                _scan_chunk(source, length, tally)
            case Opcode.METADATA:
                tally.ros_distro = (
                    records.distro_of_metadata(source.take(length)) or tally.ros_distro
                )
            case Opcode.DATA_END:
                # data_section_crc covers the file from its first byte to this record.
                data_crc = int.from_bytes(source.take(length)[:4], "little")
                if length < 4 or (data_crc and data_crc != crc):
                    raise DamageError("the CRC of its data section does not match")
                return
            case Opcode.FOOTER | Opcode.HEADER | Opcode.STATISTICS:
                raise DamageError(f"a {Opcode(opcode).name} record lies in its data section")
            case _:
                _scan_message(source, opcode, length, tally)


def _scan_message(source: ByteSource, opcode: int, length: int, tally: Tally) -> None:
    """The records that may lie both in a chunk and outside one; others are passed over."""
    match opcode:
        case Opcode.MESSAGE:
            if length < records.MESSAGE_HEAD.size:
                raise DamageError(f"the message before byte {source.offset} has no header")
            head = source.take(records.MESSAGE_HEAD.size)
            channel, _, log_time, _ = records.MESSAGE_HEAD.unpack(head)
            tally.add_message(channel, log_time)
            source.skip(length - records.MESSAGE_HEAD.size)
        case Opcode.SCHEMA:
            tally.add_schema(source.take(length))
        case Opcode.CHANNEL:
            tally.add_channel(source.take(length))
        case _:
            source.skip(length)


def _scan_chunk(source: ByteSource, length: int, tally: Tally) -> None:
    # message start, end (u64); uncompressed size (u64); uncompressed CRC (u32);
    # compression (u32 length + text); records (u64 length + bytes)
    at = source.offset - PREFIX.size
    head = source.take(32)
    size = int.from_bytes(head[16:24], "little")
    crc = int.from_bytes(head[24:28], "little")
    name = source.take(min(int.from_bytes(head[28:32], "little"), TAKE_LIMIT))
    stored = int.from_bytes(source.take(8), "little")
    if size > CHUNK_LIMIT or 40 + len(name) + stored > length:
        raise DamageError(f"the chunk at byte {at} claims more bytes than it can hold")
    window = Window(source, stored)
    inner = ByteSource(decompressed(window, name.decode("utf-8", "replace")), with_crc=crc != 0)
    while inner.offset < size:
        opcode, inner_length = records.read_prefix(inner)
        if inner.offset + inner_length > size:
            raise DamageError(f"a record of the chunk at byte {at} is longer than the chunk")
        _scan_message(inner, opcode, inner_length, tally)
    if not inner.at_end() or window.remaining:
        raise DamageError(f"the chunk at byte {at} is longer than it says")
    if crc and crc != inner.crc:
        raise DamageError(f"the CRC of the chunk at byte {at} does not match")
    source.skip(length - 40 - len(name) - stored)


def _scan_summary(
    source: ByteSource, tally: Tally, summary_start: int
) -> records.Statistics | None:
    """The summary's Statistics and channels, its CRC and start compared with the Footer.

    libmcap names channels there that no chunk defines, because they have no message.
    """
    source.crc = zlib.crc32(b"")
    statistics = None
    while True:
        opcode, length = records.read_prefix(source)
        at = source.offset - PREFIX.size
        if opcode == Opcode.STATISTICS:
            statistics = records.parse_statistics(source.take(length))
        elif opcode == Opcode.FOOTER:
            fields = source.take(16) if length == records.FOOTER_BODY.size else b""
            crc = source.crc
            start, _, wanted = records.parse_footer(fields + source.take(4))
            if start != summary_start and (start != 0 or at != summary_start):
                raise DamageError("its Footer does not say where its summary starts")
            if wanted and wanted != crc:
                raise DamageError("the CRC of its summary does not match")
            return statistics
        elif opcode == Opcode.SCHEMA:
            tally.add_schema(source.take(length))
        elif opcode == Opcode.CHANNEL:
            tally.add_channel(source.take(length))
        else:
            source.skip(length)
