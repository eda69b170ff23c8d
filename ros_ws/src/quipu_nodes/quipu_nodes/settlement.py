"""A settlement node: ``python -m quipu_nodes.settlement --ros-args -p home:=CHAIN``."""

from __future__ import annotations

import sys

from quipu_nodes.process import run
from quipu_nodes.settlement_node import SettlementNode


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    return run(lambda: [SettlementNode()], arguments)


if __name__ == "__main__":
    sys.exit(main())
