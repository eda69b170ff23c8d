"""Reads how a fleet trades with others: the section ``exchange:`` of its file.

::

    exchange: true                  # short for {}

    exchange:
      domain_id: 60                 # ROS_DOMAIN_ID on which fleets trade [the robots']
      sell: true                    # a storefront for what is offered of the robots [true]
      buy: true                     # a gateway, and robots that buy through it [true]
      wallet: wallets/authority     # the account that offers, and is paid [engine.authority]
      issue: true                   # the robots' credentials are made here [engine.register]
      issuer: issuer                # the folder that makes them [DIRECTORY/issuer]
      level: 1                      # what a robot's credential says, unless the robot says
      role: robot                   # otherwise [1, robot]; with certifications: robot+ce
      spend: {total: 5000, purchase: 500}   # each robot, in smallest units [no limit]
      parameters:                   # of the nodes of the market's process
        gateway: {market: {idle_s: 60.0}}

A robot's own ``exchange:`` is false for one that buys nothing, or::

      exchange: {level: 3, role: courier, member: keys/r1.member}

with a ``member`` file where somebody else has made the credential. Paths are relative to the
folder of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ledger.chain.role import Role
from ledger.errors import MalformedError
from ledger.fleet.document import Node
from ledger.fleet.model import (
    Exchange,
    FleetPaths,
    Member,
    Parameters,
    Settlement,
    SettlementKind,
    Spending,
)
from ledger.fleet.node_parameters import flat_parameters

STOREFRONT: Final = "storefront"
GATEWAY: Final = "gateway"

_KEYS: Final = (
    "domain_id",
    "sell",
    "buy",
    "wallet",
    "issue",
    "issuer",
    "level",
    "role",
    "spend",
    "parameters",
)
_MAX_DOMAIN: Final = 232
_MAX_LEVEL: Final = 2**32 - 1
_MAX_ROLE: Final = 63
_MAX_AMOUNT: Final = 2**64 - 1
_SET_BY_PLAN: Final = frozenset(
    {"chain.trust", "chain.socket", "market.domain_id", "fleet", "authority", "paid", "wallets"}
    | {"homes", "sales"}
)


def read_exchange(
    node: Node | None, settlement: Settlement, paths: FleetPaths, base: Path
) -> Exchange | None:
    """The section, with every default filled in. Raises `MalformedError`, naming the line."""
    if node is None or node.value is False:
        return None
    keys = {} if node.value is True else node.mapping(*_KEYS)
    if settlement.kind is SettlementKind.NONE:
        raise node.fault("needs a chain to trade on", hint="say engine: embedded, or a socket")
    if settlement.kind is SettlementKind.ROS:
        raise node.fault(
            "needs the socket of the chain's engine on this machine",
            hint="name it with engine.settlement; over ROS robots anchor, and no more",
        )
    issue = keys["issue"].truth() if "issue" in keys else settlement.register
    if issue and not settlement.register:
        raise keys["issue"].fault(
            "cannot be: whoever registers the fleet says whose credentials count",
            hint="leave it out, and give each robot its member file",
        )
    return Exchange(
        domain_id=keys["domain_id"].whole(0, _MAX_DOMAIN) if "domain_id" in keys else None,
        sell=_truth(keys, "sell"),
        buy=_truth(keys, "buy"),
        wallet=keys["wallet"].path(base) if "wallet" in keys else settlement.authority,
        issue=issue,
        issuer=keys["issuer"].path(base) if "issuer" in keys else paths.issuer,
        level=keys["level"].whole(0, _MAX_LEVEL) if "level" in keys else 1,
        role=_role(keys["role"]) if "role" in keys else "robot",
        spending=_spending(keys["spend"]) if "spend" in keys else None,
        parameters=_parameters(keys["parameters"]) if "parameters" in keys else {},
    )


def read_member(
    node: Node | None, exchange: Exchange | None, name: str, paths: FleetPaths, base: Path
) -> Member | None:
    """What a robot buys with; None for one that buys nothing. Raises `MalformedError`."""
    if node is not None and exchange is None and node.value is not False:
        raise node.fault("is of no use: the fleet has no exchange", hint="say exchange: true")
    if exchange is None or not exchange.buy or (node is not None and node.value is False):
        return None
    keys: Mapping[str, Node] = {}
    if node is not None and node.value is not True:
        keys = node.mapping("level", "role", "member")
    given = "member" in keys
    if given and ("level" in keys or "role" in keys):
        raise keys["member"].fault("says level and role itself", hint="leave those out")
    if not given and not exchange.issue:
        where = node or Node(paths.root, 1, f"robot {name}", None)
        raise where.fault(
            "has no credential: none are made here", hint=f"give {name} exchange: {{member: FILE}}"
        )
    return Member(
        file=keys["member"].path(base) if given else paths.member(name),
        level=keys["level"].whole(0, _MAX_LEVEL) if "level" in keys else exchange.level,
        role=_role(keys["role"]) if "role" in keys else exchange.role,
        issued=not given,
    )


def _truth(keys: Mapping[str, Node], key: str) -> bool:
    return keys[key].truth() if key in keys else True


def _role(node: Node) -> str:
    role = node.text()
    if len(role.encode("utf-8")) > _MAX_ROLE:
        raise node.fault(f"is too long: {_MAX_ROLE} bytes at most")
    try:
        Role.parse(role)
    except MalformedError as error:
        raise node.fault(f"is no role: {error.message}", hint="say courier+iso-13482") from error
    return role


def _spending(node: Node) -> Spending:
    keys = node.mapping("total", "purchase", "purposes")
    purposes = keys["purposes"].mapping() if "purposes" in keys else {}
    return Spending(
        total=keys["total"].whole(0, _MAX_AMOUNT) if "total" in keys else None,
        purchase=keys["purchase"].whole(0, _MAX_AMOUNT) if "purchase" in keys else None,
        purposes={name: each.whole(0, _MAX_AMOUNT) for name, each in purposes.items()},
    )


def _parameters(node: Node) -> dict[str, Parameters]:
    found: dict[str, Parameters] = {}
    for name, child in node.mapping(STOREFRONT, GATEWAY).items():
        flat = flat_parameters(child)
        if taken := _SET_BY_PLAN.intersection(flat):
            raise child.fault(
                f"sets {min(taken)!r}, which follows from the rest of the file",
                hint="see engine and exchange",
            )
        found[name] = flat
    return found
