"""A process that serves a chain, to be killed: ``python -m`` this, with the home's path."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.chain.engines.server import serve_chain
from tests.ledger.chain.engines.engine_world import QUICK

ROOT = Path(__file__).resolve().parents[4]


@contextmanager
def engine_process(root: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Serve the chain at ``root`` from a process of its own; clients can connect at once."""
    command = [sys.executable, "-m", __name__, str(root)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            if process.stdout is None or process.stdout.readline() != b"serving\n":
                raise RuntimeError("the engine did not start")
            yield process
        finally:
            process.kill()


def main() -> None:
    with serve_chain(Path(sys.argv[1]), QUICK):
        sys.stdout.write("serving\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
