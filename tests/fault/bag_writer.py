"""A recorder in a process of its own: ``python -m tests.fault.bag_writer FOLDER BAGS SEGMENTS``.

Writes split bags as `ros2 bag record` does, as fast as it is let, until it is done or
killed; SIGTERM ends it in good order after the file that it is at.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

from mcap.writer import CompressionType, Writer


def write_segment(path: Path, messages: int, pause_s: float) -> None:
    """One file of a bag."""
    with path.open("wb") as stream:
        writer = Writer(stream, chunk_size=30_000, compression=CompressionType.NONE)
        writer.start("ros2", "test")
        schema = writer.register_schema("std_msgs/msg/String", "ros2msg", b"string data")
        channel = writer.register_channel("/chatter", "cdr", schema)
        for number in range(messages):
            writer.add_message(channel, number, os.urandom(1_000), number)
            if number % 20 == 0:
                stream.flush()
                time.sleep(pause_s)
        writer.finish()


def main() -> None:
    """Write bags."""
    folder, bags, segments = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    enough = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: enough.set())
    for bag in range(bags):
        if enough.is_set():
            break
        place = folder / f"bag_{bag}"
        place.mkdir()
        for segment in range(segments):
            if enough.is_set():
                break
            write_segment(place / f"bag_{bag}_{segment}.mcap", 150, 0.01)
        (place / "metadata.yaml").write_text(f"rosbag2_bagfile_information: {bag}\n")


if __name__ == "__main__":
    main()
