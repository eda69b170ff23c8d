"""Segments that their recorder could not seal: cut to what is whole, ended, sealed.

1. The file is read up to its last whole record (`ledger.recording.mcap_scan`).
2. It is hashed again from its start and held against every progress mark in the log. A
   file that is not what was committed is not touched and not sealed: `VerificationError`.
3. What follows the last whole record is cut off, the end of an MCAP file is written in
   its place, and ``metadata.yaml``.
4. It is sealed, with the tag ``recovered``.

Every step can be cut short itself; the next try begins again from what is there. A
segment in which nothing was recorded is abandoned.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from ledger.durable_file import sync_folder
from ledger.errors import RecordingError, VerificationError
from ledger.experience.growing import InterruptedRecord
from ledger.experience.growing_content import GrowingContent, regrow
from ledger.experience.ingest import HiddenValue, IngestReceipt
from ledger.memory.sink import RecordSink
from ledger.recording import about as segment_about
from ledger.recording import bag_metadata
from ledger.recording.about import SegmentAbout, SegmentKind
from ledger.recording.episode_marks import forget_marks, kept_marks
from ledger.recording.hidden_values import hide
from ledger.recording.mcap_records import MetadataIndex, metadata
from ledger.recording.mcap_scan import ScannedFile, scan_segment
from ledger.recording.segment import segment_recording, write_all, write_metadata
from ledger.storage.os_errors import storage_errors


@dataclass(frozen=True, slots=True)
class Recovered:
    """A segment that was sealed after all; ``cut_bytes`` at its end were no whole record."""

    receipt: IngestReceipt
    messages: int
    cut_bytes: int


@dataclass(frozen=True, slots=True)
class GivenUp:
    """A record in which nothing was recorded, abandoned."""

    record_id: bytes


def recover_segment(sink: RecordSink, interrupted: InterruptedRecord) -> Recovered | GivenUp:
    """Seal an interrupted segment as far as it got, or abandon it if that is nowhere.

    Raises `VerificationError` when it is not what was committed: it is kept as it is.
    `RecordingError` for a folder that no recorder left; StorageError; what ``sink`` raises.
    """
    record = interrupted.record
    path = _segment_file(record.folder)
    scanned = scan_segment(path) if path else ScannedFile()
    committed = max((mark.length for mark in interrupted.marks), default=0)
    if path is None or not scanned.index.message_count:
        if committed:
            raise VerificationError(
                f"of record {record.record_id.hex()} {committed} bytes were committed,"
                " and no message of them is left",
                hint=f"look for what happened to {record.folder}",
            )
        sink.abandon(record.record_id, "nothing was recorded")
        forget_marks(record.folder)
        return GivenUp(record.record_id)
    if scanned.end < committed:
        raise VerificationError(
            f"{path} is whole up to byte {scanned.end}; {committed} were committed",
            hint="the file was changed or damaged; keep it, and look at it",
        )
    return _seal(sink, interrupted, path, scanned)


def _segment_file(folder: Path) -> Path | None:
    with storage_errors(folder):
        found = sorted(folder.glob("*_0.mcap")) if folder.is_dir() else []
    if len(found) > 1:
        raise RecordingError(f"{folder} holds {len(found)} segments, one was expected")
    return found[0] if found else None


def _seal(
    sink: RecordSink, interrupted: InterruptedRecord, path: Path, scanned: ScannedFile
) -> Recovered:
    record, index = interrupted.record, scanned.index
    about, repeated, distro = _about(path, scanned)
    with storage_errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            size = os.fstat(descriptor).st_size

            def read_at(offset: int, view: memoryview) -> int:
                return os.preadv(descriptor, [view], offset)

            content = regrow(record.salt_key, read_at, interrupted.marks, scanned.end)
            _end_file(descriptor, content, scanned, path.name, distro)
            os.fdatasync(descriptor)
        finally:
            os.close(descriptor)
        mcap_size = content.length
        document = bag_metadata.bag_document(index, path.name, distro)
        write_metadata(record.folder, document)
        content.update(document)
        sync_folder(record.folder)
    tags = about.entry_tags(distro, repeated=repeated, lost=0, recovered=True)
    recording = segment_recording(path, mcap_size, len(document), about, index, tags)
    receipt = sink.seal(
        record.record_id,
        recording,
        content.finish(),
        _hidden(about, record.folder, recording.start_ns, recording.end_ns),
    )
    forget_marks(record.folder)
    return Recovered(receipt, index.message_count, size - scanned.end)


def _end_file(
    descriptor: int, content: GrowingContent, scanned: ScannedFile, name: str, distro: str
) -> None:
    index = scanned.index
    end = [scanned.missing] if scanned.missing else []
    offset = scanned.end + len(scanned.missing)
    if sum(each.name == bag_metadata.METADATA_NAME for each in index.metadata) < 2:
        information = bag_metadata.bag_information(index, name, distro)
        closing = metadata(bag_metadata.METADATA_NAME, {"serialized_metadata": information})
        index.metadata.append(MetadataIndex(offset, len(closing), bag_metadata.METADATA_NAME))
        end.append(closing)
        offset += len(closing)
    end.append(index.closing(offset))
    os.ftruncate(descriptor, scanned.end)
    os.lseek(descriptor, scanned.end, os.SEEK_SET)
    write_all(descriptor, end)
    for piece in end:
        content.update(piece)


def _about(path: Path, scanned: ScannedFile) -> tuple[SegmentAbout, int, str]:
    """What the file says of itself, how many messages are repeats, and the ROS distribution."""
    name = path.name.removesuffix("_0.mcap")
    about, repeated, distro = SegmentAbout(name, 0, SegmentKind.CONTINUOUS), 0, ""
    for kind, values in scanned.metadata:
        if kind == segment_about.METADATA_NAME:
            about, repeated = SegmentAbout.from_metadata(values, name)
        elif kind == bag_metadata.METADATA_NAME:
            for line in values.get("serialized_metadata", "").splitlines():
                key, _, value = line.partition(": ")
                if key == "ros_distro":
                    distro = value
    return about, repeated, distro


def _hidden(
    about: SegmentAbout, folder: Path, start_ns: int, end_ns: int
) -> tuple[HiddenValue, ...]:
    if about.kind is not SegmentKind.EPISODE:
        return ()
    return hide(kept_marks(folder), start_ns, end_ns)
