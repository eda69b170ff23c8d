"""A robot's memory in one process: ``python -m quipu_nodes.robot --ros-args -r __ns:=/r1 ...``.

Recorder, memory and witness share one context, so one DDS participant, and one
executor; what they record they commit without leaving the process.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rclpy.lifecycle import LifecycleNode

from quipu_nodes.memory_access import MemorySink
from quipu_nodes.memory_node import MemoryNode
from quipu_nodes.process import run
from quipu_nodes.recorder_node import RecorderNode
from quipu_nodes.witness_node import WitnessNode


def nodes() -> Sequence[LifecycleNode]:
    """The three nodes, in the order in which they start; they end the other way round."""
    memory = MemoryNode()
    return memory, WitnessNode(memory.access), RecorderNode(MemorySink(memory.access))


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    return run(nodes, arguments)


if __name__ == "__main__":
    sys.exit(main())
