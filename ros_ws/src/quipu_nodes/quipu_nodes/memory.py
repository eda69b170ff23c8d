"""A memory node in a process of its own: ``python -m quipu_nodes.memory --ros-args ...``."""

from __future__ import annotations

import sys

from quipu_nodes.memory_node import MemoryNode
from quipu_nodes.process import run


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    return run(lambda: [MemoryNode()], arguments)


if __name__ == "__main__":
    sys.exit(main())
