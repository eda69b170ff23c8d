"""rosbag2 directories: one recording a storage file.

File names, storage plugin and version come from ``metadata.yaml``, never from a
pattern. Topics, counts and times come from the storage files themselves and are
compared with ``metadata.yaml``.

A bag of one file is one recording: ``metadata.yaml``, whatever else lies in the
folder, then the storage file. A split bag is one recording a storage file, named
``BAG/FILE``, with the tags ``bag`` (its name), ``segment`` (from 0) and
``segments``; the first of them carries ``metadata.yaml`` and whatever else lies in
the folder. All names are relative to the bag, so that putting the segments of one
bag back into one folder gives the openable bag.

Compared with metadata.yaml are: each topic's count over the whole bag, and the
count and start of each file where they are listed (version 5 and later) or where
there is only one. A duration may be shorter than the storage's, because rosbag2
does not correct it when an older message arrives late. The range of a split bag
of version 4 and before is not compared: bags of that age hold the range of one
of their files there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from ledger.errors import RecordingError
from ledger.experience.readers.bag_metadata import (
    FILE_NAME,
    REINDEX_HINT,
    ROOT_KEY,
    BagMetadata,
    ClaimedRange,
    read_bag_metadata,
)
from ledger.experience.readers.byte_source import PIECE, DamageError, damaged, decompressed
from ledger.experience.readers.input_files import list_files, open_input, unreadable
from ledger.experience.readers.recording import Recording, RecordingFile
from ledger.experience.readers.sqlite_file import check_settled, read_sqlite
from ledger.experience.readers.topic_counts import StorageContents, sorted_tags

MEDIA_TYPE = "application/x-rosbag2"
STORAGE_SUFFIXES = {"mcap": ".mcap", "sqlite3": ".db3"}
DATABASE_COMPANIONS = ("-wal", "-shm", "-journal")


def is_rosbag2(path: Path) -> bool:
    """Whether ``path`` is a folder with rosbag2's metadata.yaml in it.

    Other formats have a file of that name too, so rosbag2's key must be in it, or
    a storage file beside it (then a damaged metadata.yaml is reported as such).
    """
    metadata = path / FILE_NAME
    if not metadata.is_file():
        return False
    with open_input(metadata) as stream:
        if ROOT_KEY.encode() in stream.read(1 << 16):
            return True
    return any(file.suffix in STORAGE_SUFFIXES.values() for file in path.iterdir())


def read_rosbag2(bag: Path) -> tuple[Recording, ...]:
    """The recordings of a rosbag2 directory, in the order of its files.

    Raises `RecordingError`.
    """
    metadata = read_bag_metadata(bag)
    _check_supported(bag, metadata)
    present = {file.name: file for file in list_files(bag)}
    segments = [_find(bag, name, metadata, present) for name in metadata.files]
    carried = _carried(bag, metadata, present, {segment.name for segment in segments})
    contents = [_read_storage(segment.path, metadata) for segment in segments]
    _check_counts(bag, metadata, contents)
    if not segments:
        return (_recording(bag, metadata, bag.name, carried, _EMPTY, {}),)
    recordings = []
    for number, (segment, content) in enumerate(zip(segments, contents, strict=True)):
        name, files, tags = bag.name, (*carried, segment), {}
        if len(segments) > 1:
            name = f"{bag.name}/{segment.name}"
            files = files if number == 0 else (segment,)
            tags = {"bag": bag.name, "segment": str(number), "segments": str(len(segments))}
        recordings.append(_recording(bag, metadata, name, files, content, tags))
    return tuple(recordings)


_EMPTY = StorageContents(topics=(), start_ns=0, end_ns=0, tags={})


def _recording(
    bag: Path,
    metadata: BagMetadata,
    name: str,
    files: tuple[RecordingFile, ...],
    contents: StorageContents,
    tags: dict[str, str],
) -> Recording:
    compression = ""
    if metadata.compression_mode:
        compression = f"{metadata.compression_mode}/{metadata.compression_format}"
    all_tags = {
        **contents.tags,
        "format": "rosbag2",
        "storage": metadata.storage,
        "rosbag2_version": str(metadata.version),
        "ros_distro": metadata.ros_distro or contents.tags.get("ros_distro", ""),
        "compression": compression,
        **tags,
    }
    return Recording(
        root=bag,
        name=name,
        media_type=MEDIA_TYPE,
        files=files,
        topics=contents.topics,
        start_ns=contents.start_ns,
        end_ns=contents.end_ns,
        message_count=contents.message_count,
        tags=sorted_tags(all_tags),
    )


def _check_supported(bag: Path, metadata: BagMetadata) -> None:
    if metadata.storage not in STORAGE_SUFFIXES:
        raise RecordingError(
            f"{bag} uses the storage plugin {metadata.storage!r}, which has no reader here",
            hint="convert it with `ros2 bag convert`, or keep the bytes with --opaque",
        )
    mode = metadata.compression_mode
    if mode and (mode not in ("file", "message") or metadata.compression_format != "zstd"):
        raise RecordingError(
            f"{bag} is compressed as {mode}/{metadata.compression_format}, which has no reader",
            hint="convert it with `ros2 bag convert`, or keep the bytes with --opaque",
        )


def _find(
    bag: Path, name: str, metadata: BagMetadata, present: dict[str, RecordingFile]
) -> RecordingFile:
    """The file that metadata.yaml means: early compressed bags are listed without suffix."""
    if name in present:
        return present[name]
    suffixed = f"{name}.{metadata.compression_format}"
    if metadata.compression_mode == "file" and suffixed in present:
        return present[suffixed]
    raise RecordingError(f"{bag / name} is missing, though {FILE_NAME} lists it", hint=REINDEX_HINT)


def _carried(
    bag: Path, metadata: BagMetadata, present: dict[str, RecordingFile], segments: set[str]
) -> tuple[RecordingFile, ...]:
    """metadata.yaml first, then what else lies in the folder; no unlisted storage file."""
    others = []
    suffix = STORAGE_SUFFIXES[metadata.storage]
    packed = f".{metadata.compression_format}"
    for name, file in present.items():
        if name == FILE_NAME or name in segments or name.endswith(DATABASE_COMPANIONS):
            continue
        if metadata.compression_mode == "file" and name + packed in segments:
            continue  # what `ros2 bag play` has unpacked beside the compressed original
        if PurePosixPath(name.removesuffix(packed)).suffix == suffix:
            raise RecordingError(f"{bag / name} is not listed in {FILE_NAME}", hint=REINDEX_HINT)
        others.append(file)
    return (present[FILE_NAME], *others)


def _read_storage(path: Path, metadata: BagMetadata) -> StorageContents:
    """Topics, counts and times of one storage file, unpacked if it is compressed as a whole."""
    packed = metadata.compression_mode == "file"
    if metadata.storage == "mcap":
        from ledger.experience.readers.mcap_file import read_mcap, scan_mcap

        return scan_mcap(path, metadata.compression_format) if packed else read_mcap(path)
    contents = None
    if packed:
        with _unpacked(path, metadata.compression_format) as database:
            contents = read_sqlite(database)
    else:
        contents = read_sqlite(path)
    if contents is None:
        raise RecordingError(f"{path} has no rosbag2 tables in it", hint=REINDEX_HINT)
    return contents


@contextmanager
def _unpacked(path: Path, compression: str) -> Iterator[Path]:
    """The decompressed database, in a temporary file: SQLite cannot read a stream."""
    check_settled(path)
    try:
        with tempfile.TemporaryDirectory(prefix="quipu-") as folder:
            target = Path(folder, "unpacked.db3")
            limit = shutil.disk_usage(folder).free // 2
            with open_input(path) as stream, target.open("wb") as output:
                plain = decompressed(stream, compression)
                while piece := plain.read(PIECE):
                    if output.tell() > limit:
                        raise RecordingError(
                            f"{path} needs more than {limit} bytes to unpack",
                            hint="set TMPDIR to a larger disk, or keep the bytes with --opaque",
                        )
                    output.write(piece)
            yield target
    except DamageError as error:
        raise damaged(path, error, "keep the bytes with --opaque") from error
    except OSError as error:
        raise unreadable(path, error) from error


def _check_counts(bag: Path, metadata: BagMetadata, contents: list[StorageContents]) -> None:
    """Compare what the storage files hold with what metadata.yaml claims."""
    found: Counter[tuple[str, str]] = Counter()
    for content in contents:
        for topic in content.topics:
            found[topic.name, topic.type] += topic.count
    for key in sorted(found.keys() | metadata.topic_counts.keys()):
        claimed = metadata.topic_counts.get(key, 0)
        if found[key] != claimed:
            raise _mismatch(bag, f"{claimed} messages of {key[0]} ({key[1]})", str(found[key]))
    if found.total() != metadata.whole.message_count:
        raise _mismatch(bag, f"{metadata.whole.message_count} messages", str(found.total()))
    ranges = metadata.ranges
    if len(contents) == 1 and ranges == (None,):
        ranges = (metadata.whole,)
    for name, claim, content in zip(metadata.files, ranges, contents, strict=True):
        if claim is not None:
            _check_file(bag / name, claim, content)


def _check_file(path: Path, claim: ClaimedRange, content: StorageContents) -> None:
    if claim.message_count != content.message_count:
        raise _mismatch(path, f"{claim.message_count} messages", str(content.message_count))
    if content.message_count == 0:
        return
    if claim.start_ns != content.start_ns:
        raise _mismatch(path, f"a start at {claim.start_ns} ns", f"{content.start_ns} ns")
    duration = content.end_ns - content.start_ns
    if claim.duration_ns > duration:
        raise _mismatch(path, f"a duration of {claim.duration_ns} ns", f"{duration} ns")


def _mismatch(path: Path, claimed: str, found: str) -> RecordingError:
    return RecordingError(
        f"{FILE_NAME} claims {claimed} in {path}, the storage holds {found}", hint=REINDEX_HINT
    )
