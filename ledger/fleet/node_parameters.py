"""Parameters of a ROS node as a fleet file says them: nested or dotted, the same."""

from __future__ import annotations

from collections.abc import Iterator

from ledger.fleet.document import Node
from ledger.fleet.model import Parameters, ParameterValue


def flat_parameters(node: Node) -> Parameters:
    """Parameters by dotted name: ``{a: {b: 1}}`` and ``{a.b: 1}`` say the same."""
    found: dict[str, ParameterValue] = {}
    for name, value in _flattened(node, ""):
        if name in found:
            raise value.fault(f"sets {name!r} twice")
        found[name] = value.scalars() if value.is_list else value.scalar()
    return found


def _flattened(node: Node, prefix: str) -> Iterator[tuple[str, Node]]:
    for key, child in node.mapping().items():
        if child.is_mapping:
            yield from _flattened(child, f"{prefix}{key}.")
        else:
            yield prefix + key, child
