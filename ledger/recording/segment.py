"""One segment while it is being written: a bag folder, and the hashes of its content.

    RECORD FOLDER/NAME_0.mcap      grows; the first file of the content
    RECORD FOLDER/metadata.yaml    written at the end; the second

Bytes are hashed as they are written, so that sealing reads nothing again. Hashing and
the file never part: what could not be written whole is cut off again and not hashed.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from ledger.durable_file import PRIVATE
from ledger.errors import StorageError
from ledger.experience.content_hashing import ContentDigest
from ledger.experience.growing import OpenRecord
from ledger.experience.growing_content import GrowingContent, ProgressMark
from ledger.experience.readers.recording import (
    Recording,
    RecordingFile,
    RecordingTag,
    RecordingTopic,
)
from ledger.recording import bag_metadata
from ledger.recording.about import METADATA_NAME, Repeated, SegmentAbout
from ledger.recording.channel import ChannelSpec
from ledger.recording.mcap_appender import ChunkLostError, Compression, McapAppender
from ledger.recording.mcap_index import FileIndex

MEDIA_TYPE: Final = "application/x-rosbag2"
PROFILE: Final = "ros2"
LIBRARY: Final = "quipu"

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

_PAGE: Final = 4096
_SEND_BYTES: Final = 2 << 20
"""Bytes written after which the disk is set to work."""

_MOST_BUFFERS: Final = 1024
"""IOV_MAX on Linux."""

Message: TypeAlias = tuple[int, int, int, bytes]
"""Channel number in the recorder, receive stamp, source stamp (ns since the epoch), bytes."""


class WriteFailedError(StorageError):
    """A part of a segment could not be written, so ``lost`` messages by channel are lost."""

    def __init__(self, path: Path, reason: OSError, lost: Mapping[int, int]) -> None:
        full = reason.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        super().__init__(
            f"{path} cannot be written: {(reason.strerror or str(reason)).lower()}",
            hint="make room on the disk" if full else "look at the disk",
        )
        self.full = full
        self.lost = lost


@dataclass(frozen=True, slots=True)
class Finished:
    """A segment whose files are complete, not yet synced."""

    recording: Recording
    digest: ContentDigest
    descriptor: int
    """The open MCAP file; for whoever syncs it to close."""


class SegmentWriter:
    """A segment being written. One thread at a time; see `file_descriptor` for syncing."""

    def __init__(
        self,
        record: OpenRecord,
        about: SegmentAbout,
        channels: Mapping[int, ChannelSpec],
        repeats: Sequence[Message] = (),
        *,
        start_ns: int,
        compression: Compression = Compression.NONE,
        ros_distro: str = "",
    ) -> None:
        """Create the file and repeat ``repeats`` in it, as if received at ``start_ns``.

        Raises `WriteFailedError`; the folder is then as it was.
        """
        self.record: Final = record
        self.about: Final = about
        self.path: Final = record.folder / f"{about.name}_0.mcap"
        self.lost = 0
        """Messages lost while this segment was open; its entry says so."""
        self._channels = channels
        self._ros_distro = ros_distro
        self._sent = 0
        self._numbers: dict[int, int] = {}
        self._schemas: dict[tuple[str, str, str], int] = {}
        self._content = GrowingContent(record.salt_key)
        self._appender = McapAppender(self._write, compression)
        try:
            self.file_descriptor: Final = os.open(self.path, _CREATE, PRIVATE)
        except OSError as error:
            raise WriteFailedError(self.path, error, {}) from error
        try:
            self.repeated: Final = self._begin(repeats, start_ns)
        except (OSError, ChunkLostError) as error:
            os.close(self.file_descriptor)
            with suppress(OSError):
                self.path.unlink(missing_ok=True)
            reason = error.reason if isinstance(error, ChunkLostError) else error
            raise WriteFailedError(self.path, reason, {}) from error
        self.messages = 0
        """Messages of its own, without repeats, lost ones left out."""
        self.message_bytes = 0

    @property
    def size(self) -> int:
        """Bytes of the file, with what waits to be written."""
        return self._appender.offset + self._appender.waiting_bytes

    def append(self, message: Message) -> None:
        """Add a message. Raises `WriteFailedError`, as every method that writes."""
        channel, received_ns, source_ns, data = message
        number = self._numbers.get(channel)
        if number is None:
            number = self._define(channel)
        try:
            self._appender.append(number, received_ns, source_ns or received_ns, data)
        except ChunkLostError as error:
            # Its own message is among the lost.
            self.messages += 1
            self.message_bytes += len(data)
            raise self._failure(error) from error
        self.messages += 1
        self.message_bytes += len(data)

    def cut(self) -> ProgressMark:
        """Write what waits; what the file holds then."""
        try:
            self._appender.end_chunk()
        except ChunkLostError as error:
            raise self._failure(error) from error
        return self._content.mark()

    def finish(self) -> Finished:
        """Write the end of the file and ``metadata.yaml``; no more can be added."""
        self.cut()
        try:
            return self._finish()
        except OSError as error:
            raise WriteFailedError(self.path, error, {}) from error

    def _finish(self) -> Finished:
        index, file = self._appender.index, self.path.name
        information = bag_metadata.bag_information(index, file, self._ros_distro)
        self._appender.add_metadata(
            bag_metadata.METADATA_NAME, {"serialized_metadata": information}
        )
        self._appender.finish()
        document = bag_metadata.bag_document(index, file, self._ros_distro)
        _send(self.file_descriptor, self._sent)
        write_metadata(self.record.folder, document)
        mcap_size = self._content.length
        self._content.update(document)
        recording = segment_recording(
            self.path,
            mcap_size,
            len(document),
            self.about,
            index,
            self.about.entry_tags(self._ros_distro, repeated=len(self.repeated), lost=self.lost),
        )
        return Finished(recording, self._content.finish(), self.file_descriptor)

    def close(self) -> None:
        """Let go of the file, which stays as it is."""
        os.close(self.file_descriptor)

    def _begin(self, repeats: Sequence[Message], start_ns: int) -> tuple[Repeated, ...]:
        appender = self._appender
        appender.start(PROFILE, LIBRARY)
        information = bag_metadata.bag_information(FileIndex(), self.path.name, self._ros_distro)
        appender.add_metadata(bag_metadata.METADATA_NAME, {"serialized_metadata": information})
        counts: dict[int, int] = {}
        repeated = []
        for channel, received_ns, _, _ in repeats:
            sequence = counts[channel] = counts.get(channel, -1) + 1
            repeated.append(Repeated(self._channels[channel].topic, sequence, received_ns))
        appender.add_metadata(METADATA_NAME, self.about.metadata(repeated))
        for channel, received_ns, source_ns, data in repeats:
            appender.append(self._define(channel), start_ns, source_ns or received_ns, data)
        appender.end_chunk()
        return tuple(repeated)

    def _failure(self, error: ChunkLostError) -> WriteFailedError:
        channels = {number: channel for channel, number in self._numbers.items()}
        lost = {channels[number]: count for number, count in error.counts.items()}
        self.messages -= sum(lost.values())
        self.message_bytes -= error.size
        return WriteFailedError(self.path, error.reason, lost)

    def _define(self, channel: int) -> int:
        number = self._numbers.get(channel)
        if number is None:
            spec = self._channels[channel]
            key = (spec.type, spec.definition_encoding, spec.definition)
            schema = self._schemas.get(key)
            if schema is None:
                schema = self._appender.add_schema(
                    spec.type, spec.definition_encoding, spec.definition.encode()
                )
                self._schemas[key] = schema
            number = self._numbers[channel] = self._appender.add_channel(
                spec.topic, spec.message_encoding, schema, spec.metadata()
            )
        return number

    def _write(self, buffers: Sequence[bytes]) -> None:
        start = self._content.length
        try:
            write_all(self.file_descriptor, buffers)
        except BaseException:
            with suppress(OSError):
                os.ftruncate(self.file_descriptor, start)
                os.lseek(self.file_descriptor, start, os.SEEK_SET)
            raise
        for buffer in buffers:
            self._content.update(buffer)
        self._send_to_disk()

    def _send_to_disk(self) -> None:
        """Have whole pages written out without waiting, so that a sync finds little left to do."""
        until = self._content.length // _PAGE * _PAGE
        if until - self._sent >= _SEND_BYTES:
            _send(self.file_descriptor, self._sent, until - self._sent)
            self._sent = until


def segment_recording(
    path: Path,
    mcap_size: int,
    metadata_size: int,
    about: SegmentAbout,
    index: FileIndex,
    tags: tuple[RecordingTag, ...],
) -> Recording:
    """What a finished segment's entry will say, but for its hashes."""
    counts: dict[tuple[str, str], int] = {}
    for number, count in index.counts.items():
        channel = index.channels[number]
        schema = index.schemas.get(channel.schema_id)
        key = (channel.topic, schema.name if schema else "")
        counts[key] = counts.get(key, 0) + count
    metadata = path.with_name(bag_metadata.FILE_NAME)
    return Recording(
        root=path.parent,
        name=about.name,
        media_type=MEDIA_TYPE,
        files=(
            RecordingFile(path.name, path, mcap_size),
            RecordingFile(metadata.name, metadata, metadata_size),
        ),
        topics=tuple(RecordingTopic(*key, counts[key]) for key in sorted(counts)),
        start_ns=index.start_ns,
        end_ns=index.end_ns,
        message_count=index.message_count,
        tags=tags,
    )


def write_metadata(folder: Path, document: bytes) -> None:
    """Write ``metadata.yaml``, not synced. Raises `OSError`."""
    path = folder / bag_metadata.FILE_NAME
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, PRIVATE)
    try:
        write_all(descriptor, [document])
        _send(descriptor)
    finally:
        os.close(descriptor)


def _send(descriptor: int, start: int = 0, size: int = 0) -> None:
    """Have the disk begin to write a part of a file; size 0: all that follows.

    POSIX_FADV_DONTNEED does that on Linux; pages stay in memory until they are on disk.
    Files begun together are then made durable by one commit of the file system.
    """
    with suppress(OSError):
        os.posix_fadvise(descriptor, start, size, os.POSIX_FADV_DONTNEED)


def write_all(descriptor: int, buffers: Sequence[bytes]) -> None:
    """Write every buffer, however often the system stops half-way. Raises `OSError`."""
    waiting: list[bytes | memoryview] = list(buffers)
    first = 0
    while first < len(waiting):
        written = os.writev(descriptor, waiting[first : first + _MOST_BUFFERS])
        while first < len(waiting) and written >= len(waiting[first]):
            written -= len(waiting[first])
            first += 1
        if written:
            waiting[first] = memoryview(waiting[first])[written:]
