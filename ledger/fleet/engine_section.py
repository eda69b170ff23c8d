"""Reads what settles a fleet's transactions: the section ``engine:`` of its file.

::

    engine: embedded                # short for {settlement: embedded}

    engine:
      settlement: embedded          # embedded, ros, none, or the path of an engine's socket
      fleet: courtyard              # what the fleet is called on the chain [FLEET]
      trust: chain.trust            # with ros or a socket: that chain's id and keys
      register: true                # the fleet and its robots are registered from here
                                    # [true; with ros false]
      authority: wallets/authority  # the wallet that speaks for the fleet [in DIRECTORY]
      parameters: {block_period_s: 0.2}   # of the settlement node

Paths are relative to the folder of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ledger.fleet.document import Node
from ledger.fleet.model import NO_SETTLEMENT, FleetPaths, Settlement, SettlementKind
from ledger.fleet.node_parameters import flat_parameters

_KEYS: Final = ("settlement", "fleet", "trust", "register", "authority", "parameters")
_WORDS: Final = {
    kind.value: kind for kind in (SettlementKind.NONE, SettlementKind.EMBEDDED, SettlementKind.ROS)
}
_SET_BY_PLAN: Final = {"home", "socket"}
MAX_FLEET_NAME: Final = 64
"""Bytes of UTF-8 that a chain takes for a fleet's name."""


def read_settlement(node: Node | None, fleet: str, paths: FleetPaths, base: Path) -> Settlement:
    """The section, with every default filled in. Raises `MalformedError`, naming the line."""
    if node is None:
        return NO_SETTLEMENT
    keys = {"settlement": node} if isinstance(node.value, str) else node.mapping(*_KEYS)
    if "settlement" not in keys:
        raise node.fault("has no key 'settlement'", hint="say embedded, ros, none or a path")
    kind, socket = _kind(keys["settlement"], base)
    if kind is SettlementKind.NONE:
        return NO_SETTLEMENT
    name_node = keys.get("fleet", node)
    name = keys["fleet"].text() if "fleet" in keys else fleet
    if len(name.encode()) > MAX_FLEET_NAME:
        raise name_node.fault(
            f"{name!r} is too long for a fleet on a chain",
            hint=f"give engine.fleet, of at most {MAX_FLEET_NAME} bytes",
        )
    register = kind is not SettlementKind.ROS
    if "register" in keys:
        register = keys["register"].truth()
        if register and kind is SettlementKind.ROS:
            raise keys["register"].fault(
                "cannot be: robots are not registered over ROS",
                hint="register them where the engine runs: quipu chain fleet register",
            )
    parameters = flat_parameters(keys["parameters"]) if "parameters" in keys else {}
    if taken := _SET_BY_PLAN.intersection(parameters):
        raise keys["parameters"].fault(
            f"sets {min(taken)!r}, which follows from engine.settlement", hint="leave it out"
        )
    return Settlement(
        kind,
        name,
        _trust(keys, kind, node, paths, base),
        socket,
        register,
        keys["authority"].path(base) if "authority" in keys else paths.authority,
        parameters,
    )


def _kind(node: Node, base: Path) -> tuple[SettlementKind, Path]:
    word = node.text()
    if word in _WORDS:
        return _WORDS[word], Path()
    if "/" not in word:
        raise node.fault(
            f"must be one of {', '.join(sorted(_WORDS))}, or the path of a socket, not {word!r}",
            hint="a path has a slash: ./chain.sock",
        )
    return SettlementKind.SOCKET, node.path(base)


def _trust(
    keys: Mapping[str, Node], kind: SettlementKind, node: Node, paths: FleetPaths, base: Path
) -> Path:
    if kind is SettlementKind.EMBEDDED:
        if "trust" in keys:
            raise keys["trust"].fault("is of no use: the chain is the fleet's own")
        return paths.chain_trust
    if "trust" not in keys:
        raise node.fault(
            "has no key 'trust'", hint="its operator hands out the chain's id and keys in a file"
        )
    return keys["trust"].path(base)
