"""An exchange node alone: ``python -m quipu_nodes.exchange --ros-args -p member:=FILE ...``."""

from __future__ import annotations

import sys

from quipu_nodes.exchange_node import ExchangeNode
from quipu_nodes.process import run


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    return run(lambda: [ExchangeNode()], arguments)


if __name__ == "__main__":
    sys.exit(main())
