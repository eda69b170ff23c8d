"""A witness node in a process of its own: ``python -m quipu_nodes.witness --ros-args ...``."""

from __future__ import annotations

import sys

from quipu_nodes.process import run
from quipu_nodes.witness_node import WitnessNode


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    return run(lambda: [WitnessNode()], arguments)


if __name__ == "__main__":
    sys.exit(main())
