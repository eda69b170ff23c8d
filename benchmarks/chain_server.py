"""Serves a chain's home until its standard input ends: the other process of a benchmark."""

from __future__ import annotations

import sys
from pathlib import Path

from ledger.chain.engines.server import serve_chain


def main() -> None:
    """Serve; a line is printed when clients can come."""
    with serve_chain(Path(sys.argv[1])):
        print("serving", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
