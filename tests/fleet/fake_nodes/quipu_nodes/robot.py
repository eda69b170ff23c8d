"""A robot without ROS: reads the parameters it is given, owns its home, commits and signs.

It commits an entry about five times a second, and ends by the signals that a robot ends by.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from pathlib import Path

from ruamel.yaml import YAML

from ledger.experience.ingest import ingest_all
from ledger.experience.readers import read_recording
from ledger.memory.control_server import owned_home


def main() -> None:
    arguments = sys.argv[1:]
    namespace = arguments[arguments.index("-r") + 1].removeprefix("__ns:=")
    file = Path(arguments[arguments.index("--params-file") + 1])
    parameters = YAML(typ="safe").load(file)[f"{namespace}/memory"]["ros__parameters"]
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with owned_home(Path(parameters["home"])) as owner, tempfile.TemporaryDirectory() as folder:
        number = 0
        while not over.wait(0.2):
            number += 1
            thought = Path(folder) / f"thought-{number}"
            thought.write_text(f"{namespace} {number}")
            with owner.writer() as home:
                list(ingest_all(home.experiences, read_recording(thought, force_opaque=True)))
            owner.checkpoint()


if __name__ == "__main__":
    main()
