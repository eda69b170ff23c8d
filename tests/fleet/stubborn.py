"""A process for supervisors to keep: it does as its arguments say, and notes what it gets.

``python stubborn.py NOTES [--ignore SIGINT,SIGTERM] [--exit CODE] [--child]``
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("notes", type=Path)
    parser.add_argument("--ignore", default="")
    parser.add_argument("--exit", type=int)
    parser.add_argument("--child", action="store_true")
    given = parser.parse_args()

    def note(text: str) -> None:
        with given.notes.open("a") as notes:
            notes.write(f"{text}\n")

    def got(number: int, _frame: object) -> None:
        name = signal.Signals(number).name
        note(f"{name} {os.getpid()}")
        if name not in given.ignore:
            sys.exit(0)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, got)
    if given.child:
        child = subprocess.Popen([sys.executable, __file__, str(given.notes)])
        note(f"child {child.pid}")
    sys.stdout.write("hello\n")
    sys.stdout.flush()
    note(f"start {os.getpid()}")
    if given.exit is not None:
        sys.exit(given.exit)
    time.sleep(120)


if __name__ == "__main__":
    main()
