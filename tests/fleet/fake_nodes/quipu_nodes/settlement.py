"""A settlement node without ROS: the chain's engine, and its socket."""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path

from ruamel.yaml import YAML

from ledger.chain.engines.server import serve_chain
from ledger.chain.engines.settings import EngineSettings


def main() -> None:
    file = Path(sys.argv[sys.argv.index("--params-file") + 1])
    parameters = YAML(typ="safe").load(file)["/**"]["ros__parameters"]
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    with serve_chain(Path(parameters["home"]), EngineSettings(block_period_s=0.05)):
        over.wait()


if __name__ == "__main__":
    main()
