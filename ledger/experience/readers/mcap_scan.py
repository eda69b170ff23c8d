"""Counting an MCAP file by reading every record, for files without a useful summary.

Checked on the way: the CRC of each chunk, of the data section and of the summary,
where the writer has stored one, and that Footer and Statistics agree with what
was read. Works on a stream that cannot seek, such as one being decompressed.
"""

from __future__ import annotations

import zlib

from ledger.experience.readers import mcap_records as records
from ledger.experience.readers.byte_source import (
    TAKE_LIMIT,
    ByteSource,
    DamageError,
    Window,
    decompressed,
)
from ledger.experience.readers.mcap_records import MAGIC, MESSAGE_HEAD, PREFIX, Opcode, Tally
from ledger.experience.readers.topic_counts import StorageContents

# The largest chunk that is decompressed, as in the mcap package.
CHUNK_LIMIT = 4 << 30
# Chunks up to this size are held in memory as a whole, which is several times faster.
BLOCK_LIMIT = 16 << 20


def scan(source: ByteSource) -> StorageContents:
    """Read every record from the first magic to the last. The source must keep a CRC.

    Raises `DamageError`.
    """
    tally = Tally()
    if source.take(len(MAGIC)) != MAGIC:
        raise DamageError("its first bytes are not MCAP's")
    tally.add_header(records.take_record(source, Opcode.HEADER))
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
            if length < MESSAGE_HEAD.size:
                raise DamageError(f"the message before byte {source.offset} has no header")
            head = source.take(MESSAGE_HEAD.size)
            channel, _, log_time, _ = MESSAGE_HEAD.unpack(head)
            tally.add_message(channel, log_time)
            source.skip(length - MESSAGE_HEAD.size)
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
    if size <= BLOCK_LIMIT:
        _scan_block(inner.take(size), tally)
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


def _scan_block(block: bytes, tally: Tally) -> None:
    """The same as `_scan_message` for all records of a chunk that is in memory."""
    position = 0
    while position < len(block):
        if len(block) - position < PREFIX.size:
            raise DamageError("a chunk ends inside a record")
        opcode, length = PREFIX.unpack_from(block, position)
        position += PREFIX.size
        if opcode == 0 or length > len(block) - position:
            raise DamageError("a record of a chunk is longer than the chunk")
        if opcode == Opcode.MESSAGE:
            if length < MESSAGE_HEAD.size:
                raise DamageError("a message in a chunk has no header")
            channel, _, log_time, _ = MESSAGE_HEAD.unpack_from(block, position)
            tally.add_message(channel, log_time)
        elif opcode == Opcode.SCHEMA:
            tally.add_schema(block[position : position + length])
        elif opcode == Opcode.CHANNEL:
            tally.add_channel(block[position : position + length])
        position += length


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
