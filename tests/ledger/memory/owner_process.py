"""A process that owns a home until its standard input ends: ``python -m ... HOME``.

It prints ``ready``, and then what its listeners are told, one event a line.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def wait_for(condition: Callable[[], object], what: str = "") -> None:
    until = time.monotonic() + 60
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(what or "it did not come to pass")
        time.sleep(0.005)


@contextmanager
def owner_process(
    root: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """The process, ready; it is ended in good order unless it is dead by then."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.memory.owner_process", str(root)],
        cwd=REPOSITORY,
        env={**os.environ, **(environment or {}), "PYTHONPATH": str(REPOSITORY)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            if process.stdout.readline() != "ready\n":
                raise RuntimeError(f"no owner of {root}")
            yield process
            process.stdin.close()
            if process.poll() is None:
                assert process.wait(60) == 0
        finally:
            process.kill()


def main() -> None:
    from ledger.memory.control_server import owned_home
    from ledger.memory.status import CheckpointStored, MemoryEvent

    def say(line: str) -> None:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    def tell(event: MemoryEvent) -> None:
        say("checkpoint" if isinstance(event, CheckpointStored) else event.state.name)

    with owned_home(Path(sys.argv[1])) as owner:
        owner.subscribe(tell)
        say("ready")
        sys.stdin.read()


if __name__ == "__main__":
    main()
