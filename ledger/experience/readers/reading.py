"""The one way in: look at an input and hand it to the reader it needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ledger.experience.readers import sqlite_file
from ledger.experience.readers.input_files import open_input, resolve_input, unreadable
from ledger.experience.readers.lerobot import read_lerobot
from ledger.experience.readers.lerobot_info import is_lerobot
from ledger.experience.readers.opaque import read_opaque
from ledger.experience.readers.recording import Recording
from ledger.experience.readers.rosbag2 import is_rosbag2, read_rosbag2

MCAP_MAGIC = b"\x89MCAP0\r\n"
ROSBAG1_MAGIC = b"#ROSBAG V"
BAG_SUFFIXES = frozenset({".mcap", ".bag"})
SQLITE_SUFFIXES = frozenset({".db3", ".db", ".sqlite", ".sqlite3"})


def read_recording(path: str | Path, force_opaque: bool = False) -> Iterator[Recording]:
    """The recordings at ``path``, each of which becomes one log entry.

    Recognised by their content: rosbag2 and LeRobot directories, MCAP, ROS 1 bags
    and rosbag2's SQLite files. A folder of nothing but ``.mcap`` and ``.bag`` files
    holds a recording each. A file whose suffix says ``.mcap`` or ``.bag`` must be
    one. Everything else, and everything with ``force_opaque``, is one opaque
    recording. Content recordings come before those that point into them.

    Raises `RecordingError` when the input is missing, empty, unreadable, cut off,
    damaged, still being written, or contradicts itself.
    """
    resolved = resolve_input(Path(path))
    try:
        if force_opaque:
            return iter((read_opaque(resolved),))
        if resolved.is_dir():
            return _read_directory(resolved)
        return iter((_read_file(resolved),))
    except OSError as error:
        raise unreadable(resolved, error) from error


def _read_directory(path: Path) -> Iterator[Recording]:
    if is_rosbag2(path):
        return iter(read_rosbag2(path))
    if is_lerobot(path):
        return read_lerobot(path)
    recording = read_opaque(path)
    if all(file.path.suffix in BAG_SUFFIXES for file in recording.files):
        # A folder of bags, as they are kept on disks everywhere: an entry a bag.
        bags = [replace(_read_file(file.path), name=file.name) for file in recording.files]
        return iter(bags)
    for file in recording.files:
        # A recorder that died leaves a database with its log, and no metadata.yaml.
        if file.path.suffix in SQLITE_SUFFIXES:
            sqlite_file.check_settled(file.path)
    return iter((recording,))


def _read_file(path: Path) -> Recording:
    opaque = read_opaque(path)
    with open_input(path) as stream:
        head = stream.read(16)
    # The format libraries take time to import and are not always needed.
    if head.startswith(MCAP_MAGIC) or path.suffix == ".mcap":
        from ledger.experience.readers.mcap_file import read_mcap_file

        return read_mcap_file(path)
    if head.startswith(ROSBAG1_MAGIC) or path.suffix == ".bag":
        from ledger.experience.readers.rosbag1 import read_rosbag1

        return read_rosbag1(path)
    if head.startswith(sqlite_file.MAGIC):
        sqlite_file.check_settled(path)
        return (sqlite_file.read_sqlite_file(path) if path.suffix == ".db3" else None) or opaque
    return opaque
