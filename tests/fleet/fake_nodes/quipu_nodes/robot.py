"""A robot without ROS: reads the parameters it is given, owns its home, commits and signs.

It commits an entry about five times a second, anchors its log on a chain if it is told of
one, and ends by the signals that a robot ends by.
"""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from ledger.experience.ingest import ingest_all
from ledger.experience.readers import read_recording
from ledger.memory.control_server import owned_home
from ledger.memory.owner import MemoryOwner


@contextmanager
def anchored(owner: MemoryOwner, parameters: Mapping[str, str]) -> Iterator[None]:
    if "anchor.socket" not in parameters:
        yield
        return
    from ledger.chain.engines.client import ChainClient
    from ledger.chain.light.trust_file import read_trust
    from ledger.memory.anchoring.anchorer import Anchorer
    from ledger.memory.anchoring.periodic import PeriodicAnchoring

    trust, socket = read_trust(Path(parameters["anchor.trust"])), Path(parameters["anchor.socket"])
    anchorer = Anchorer(owner, trust)
    with closing(PeriodicAnchoring(owner, anchorer, lambda: ChainClient(socket), 0.5)):
        yield


def main() -> None:
    arguments = sys.argv[1:]
    namespace = arguments[arguments.index("-r") + 1].removeprefix("__ns:=")
    file = Path(arguments[arguments.index("--params-file") + 1])
    parameters = YAML(typ="safe").load(file)[f"{namespace}/memory"]["ros__parameters"]
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with (
        owned_home(Path(parameters["home"])) as owner,
        tempfile.TemporaryDirectory() as folder,
        anchored(owner, parameters),
    ):
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
