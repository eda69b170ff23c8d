"""A fleet's ends to other fleets: ``python -m quipu_nodes.market sell buy --ros-args ...``.

With ``sell`` there is a storefront node, with ``buy`` a gateway; with neither word, both.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

# Before the middleware is loaded: strangers need not hear of machine, user and process.
os.environ.setdefault(
    "FASTRTPS_DEFAULT_PROFILES_FILE", str(Path(__file__).with_name("market_dds.xml"))
)

from rclpy.lifecycle import LifecycleNode

from quipu_nodes.process import run, words_of


def _storefront() -> LifecycleNode:
    from quipu_nodes.storefront_node import StorefrontNode  # each loads what the other needs not

    return StorefrontNode()


def _gateway() -> LifecycleNode:
    from quipu_nodes.gateway_node import GatewayNode

    return GatewayNode()


_NODES: Final[Mapping[str, Callable[[], LifecycleNode]]] = {"sell": _storefront, "buy": _gateway}


def nodes(words: Sequence[str] = ()) -> Sequence[LifecycleNode]:
    """The nodes that ``words`` ask for."""
    wanted = [word for word in _NODES if word in words] or list(_NODES)
    return [_NODES[word]() for word in wanted]


def main(arguments: list[str] | None = None) -> int:
    """Run until told to stop."""
    return run(lambda: nodes(words_of(arguments)), arguments)


if __name__ == "__main__":
    sys.exit(main())
