"""Any file or folder as it is: no topics, no times, all of its bytes.

This is how RLDS, HDF5, logs and everything without a reader of its own is kept,
and what ``--opaque`` asks for. Start and end are 0, because file times say when
a copy was made and not when the robot lived through it.
"""

from __future__ import annotations

from pathlib import Path

from ledger.errors import RecordingError
from ledger.experience.readers.input_files import list_files, recording_file
from ledger.experience.readers.recording import Recording, RecordingTag

OCTET_STREAM = "application/octet-stream"
MEDIA_TYPES = {
    ".avi": "video/x-msvideo",
    ".bag": "application/x-rosbag",
    ".csv": "text/csv",
    ".db3": "application/vnd.sqlite3",
    ".h5": "application/x-hdf5",
    ".hdf5": "application/x-hdf5",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".log": "text/plain",
    ".lz4": "application/x-lz4",
    ".mcap": "application/vnd.mcap",
    ".mkv": "video/matroska",
    ".mp4": "video/mp4",
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".parquet": "application/vnd.apache.parquet",
    ".pcap": "application/vnd.tcpdump.pcap",
    ".pcd": "application/x-pcd",
    ".png": "image/png",
    ".tar": "application/x-tar",
    ".tfrecord": "application/x-tfrecord",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".zip": "application/zip",
    ".zst": "application/zstd",
    ".zstd": "application/zstd",
}
# RLDS (TensorFlow Datasets) describes a folder of TFRecord shards with these two files.
RLDS_FILES = frozenset({"dataset_info.json", "features.json"})


def read_opaque(path: Path) -> Recording:
    """One recording of the file ``path``, or of every file under the folder ``path``.

    Raises `RecordingError` for an empty folder, a link, or anything that is not a
    regular file.
    """
    tags = (RecordingTag("format", "opaque"),)
    if not path.is_dir():
        return Recording(
            root=path.parent,
            name=path.name,
            media_type=media_type(path.name),
            files=(recording_file(path.parent, path.name),),
            tags=tags,
        )
    files = tuple(list_files(path))
    if not files:
        raise RecordingError(
            f"{path} holds no file", hint="give a recording, or a folder with one in it"
        )
    names = {Path(file.name).name for file in files}
    kinds = {media_type(file.name) for file in files}
    if names >= RLDS_FILES:
        kinds = {"application/x-rlds"}
    return Recording(
        root=path,
        name=path.name,
        media_type=kinds.pop() if len(kinds) == 1 else OCTET_STREAM,
        files=files,
        tags=tags,
    )


def media_type(name: str) -> str:
    """The media type that a file's suffix stands for.

    A TFRecord shard is recognised with its count behind the suffix
    (``droid-train.tfrecord-00000-of-00010``).
    """
    suffix = Path(name).suffix.lower()
    if suffix.startswith(".tfrecord"):
        suffix = ".tfrecord"
    return MEDIA_TYPES.get(suffix, OCTET_STREAM)
