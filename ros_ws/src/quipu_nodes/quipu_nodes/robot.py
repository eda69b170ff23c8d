"""A robot's memory in one process: ``python -m quipu_nodes.robot --ros-args -r __ns:=/r1 ...``.

Recorder, memory and witness share one context, so one DDS participant, and one
executor; what they record they commit without leaving the process. With the word ``buy``
before ``--ros-args`` an exchange node joins them, and what it buys goes into the memory.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

from rclpy.lifecycle import LifecycleNode

from quipu_nodes.exchange_node import ExchangeNode
from quipu_nodes.memory_access import MemorySink
from quipu_nodes.memory_node import MemoryNode
from quipu_nodes.process import run, words_of
from quipu_nodes.recorder_node import RecorderNode
from quipu_nodes.witness_node import WitnessNode

BUY: Final = "buy"


def nodes(*, buys: bool = False) -> Sequence[LifecycleNode]:
    """The nodes, in the order in which they start; they end the other way round."""
    memory = MemoryNode()
    remembering = memory, WitnessNode(memory.access), RecorderNode(MemorySink(memory.access))
    return (*remembering, ExchangeNode(memory.access)) if buys else remembering


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    return run(lambda: nodes(buys=BUY in words_of(arguments)), arguments)


if __name__ == "__main__":
    sys.exit(main())
