"""Reads ``fleet.yaml``, the one file from which a fleet is made and started.

::

    fleet: example.com/courtyard    # logs are called FLEET/ROBOT
    directory: ~/courtyard          # homes, logs, pid files [~/.quipu/fleets/NAME]
    domain_id: 42                   # ROS_DOMAIN_ID [the environment's]
    discovery: localhost            # off, localhost, subnet, system_default [environment's]
    simulator: mujoco               # mujoco, gazebo, none [none]
    simulation: {seed: 7}           # parameters of the simulator's node
    engine: embedded                # what settles transactions (`engine_section`) [none]
    exchange: true                  # trade with other fleets (`exchange_section`) [false]
    topics: [odom, scan, /tf]       # what to record; or own, or all [own]
    quorum: majority                # of the other witnesses: majority, all, none, a number
    parameters:                     # of every robot's nodes
      recorder: {segment: {max_duration_s: 30.0}}
    peers:                          # logs and witnesses elsewhere
      - name: depot
        log: VKEY
        witness: VKEY
        url: http://127.0.0.1:8080  # where the witness answers, if not over ROS
    robots:
      - name: r1
        namespace: /r1              # [/NAME]
        home: homes/r1              # [DIRECTORY/homes/NAME]
        origin: example.com/r1      # the log's name [FLEET/NAME]
        domain_id: 43               # if not the fleet's
        topics: all                 # if not the fleet's
        prefix: [nice, -n, "5"]     # command to run the robot's process with
        exchange: {level: 3}        # what it buys as, or false (`exchange_section`)
        parameters: {}              # of this robot's nodes, over the fleet's

Paths are relative to the folder of the file; a robot's home to ``directory``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from ledger.errors import MalformedError
from ledger.fleet.document import Node, read_document
from ledger.fleet.engine_section import read_settlement
from ledger.fleet.exchange_section import read_exchange, read_member
from ledger.fleet.model import (
    RESERVED_NAMES,
    Discovery,
    Exchange,
    Fleet,
    FleetPaths,
    Parameters,
    Peer,
    Robot,
    RobotNode,
    Simulator,
    TopicRange,
    Topics,
)
from ledger.fleet.node_parameters import flat_parameters
from ledger.note import KeyKind, VerifierKey, check_name

MAX_ROBOTS: Final = 200
_MAX_DOMAIN: Final = 232  # the largest whose ports are below 65,536

# REP-0144 aside, what rmw accepts as a token of a name.
_TOKEN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_MAX_TOKEN: Final = 64
_MAX_NAMESPACE: Final = 200
_ROBOT_KEYS: Final = (
    *("name", "namespace", "home", "origin", "domain_id", "topics", "prefix"),
    *("exchange", "parameters"),
)

SET_BY_PLAN: Final = frozenset(
    {
        *("home", "origin", "create_home", "policy", "topics", "topics_regex", "all_topics"),
        *("anchor.trust", "anchor.socket", "anchor.node"),
        *("chain.trust", "chain.socket", "gateway", "member", "gaps", "purchases"),
    }
)
"""Parameters that follow from other keys of the file."""


def read_fleet(path: Path, directory: Path | None = None) -> Fleet:
    """Read a fleet file; ``directory`` replaces the one it names.

    Raises `NotFoundError` and `MalformedError`, which name file and line.
    """
    path = path.expanduser().absolute()
    top = read_document(path)
    keys = top.mapping(
        "fleet",
        "directory",
        "domain_id",
        "discovery",
        "simulator",
        "simulation",
        "engine",
        "exchange",
        "topics",
        "quorum",
        "parameters",
        "peers",
        "robots",
    )
    name = _key_name(_required(top, keys, "fleet"))
    folder = directory or _path(keys.get("directory"), path.parent)
    if folder is None:
        folder = Path("~/.quipu/fleets").expanduser() / name.replace("/", "_")
    folder = folder.expanduser().absolute()
    topics = _topics(keys["topics"]) if "topics" in keys else TopicRange.OWN
    settlement = read_settlement(keys.get("engine"), name, FleetPaths(folder), path.parent)
    exchange = read_exchange(keys.get("exchange"), settlement, FleetPaths(folder), path.parent)
    parameters = _node_parameters(keys.get("parameters"))
    robots = tuple(
        _robot(node, name, FleetPaths(folder), topics, parameters, exchange)
        for node in _required(top, keys, "robots").items()
    )
    if not 1 <= len(robots) <= MAX_ROBOTS:
        raise keys["robots"].fault(f"must name 1 to {MAX_ROBOTS} robots, not {len(robots)}")
    peers = tuple(_peer(node) for node in keys["peers"].items()) if "peers" in keys else ()
    _refuse_doubles(top, robots, peers)
    return Fleet(
        file=path,
        name=name,
        directory=folder,
        robots=robots,
        peers=peers,
        quorum=_quorum(keys.get("quorum"), robots, peers),
        simulator=_choice(keys, "simulator", Simulator) or Simulator.NONE,
        simulation=flat_parameters(keys["simulation"]) if "simulation" in keys else {},
        settlement=settlement,
        exchange=exchange,
        domain_id=_domain(keys),
        discovery=_choice(keys, "discovery", Discovery),
    )


def _required(top: Node, keys: Mapping[str, Node], key: str) -> Node:
    if key not in keys:
        raise top.fault(f"{top.name or 'the file'} has no key {key!r}", hint=f"add `{key}:`")
    return keys[key]


def _choice(keys: Mapping[str, Node], key: str, kind: type[Any]) -> Any:
    return keys[key].choice(kind) if key in keys else None


def _domain(keys: Mapping[str, Node]) -> int | None:
    return keys["domain_id"].whole(0, _MAX_DOMAIN) if "domain_id" in keys else None


def _path(node: Node | None, base: Path) -> Path | None:
    return None if node is None else node.path(base)


def _key_name(node: Node) -> str:
    name = node.text()
    try:
        check_name(name)
    except MalformedError as error:
        raise node.fault(f"{name!r} can name no log: {error.message}") from error
    if name.startswith("/") or name.endswith("/"):
        raise node.fault(f"{name!r} starts or ends with a slash")
    return name


def _token(node: Node) -> str:
    name = node.text()
    if not _TOKEN.fullmatch(name) or len(name) > _MAX_TOKEN:
        raise node.fault(
            f"{name!r} is no ROS name",
            hint=f"letters, digits and _, no digit first, at most {_MAX_TOKEN}",
        )
    return name


def _namespace(node: Node) -> str:
    name = node.text()
    tokens = name.removeprefix("/").split("/")
    legal = name.startswith("/") and all(_TOKEN.fullmatch(token) for token in tokens)
    if not legal or len(name) > _MAX_NAMESPACE:
        raise node.fault(f"{name!r} is no ROS namespace", hint="for example /r1 or /fleet/r1")
    return name


def _topics(node: Node) -> Topics:
    if isinstance(node.value, str):
        return node.choice(TopicRange)
    names = []
    for item in node.items():
        name = item.text()
        if not all(_TOKEN.fullmatch(token) for token in name.removeprefix("/").split("/")):
            raise item.fault(f"{name!r} is no ROS topic", hint="for example odom or /tf")
        names.append(name)
    if not names:
        raise node.fault("lists no topic", hint="list some, or say own or all")
    return tuple(names)


def _robot(
    node: Node,
    fleet: str,
    paths: FleetPaths,
    topics: Topics,
    parameters: Mapping[RobotNode, Parameters],
    exchange: Exchange | None,
) -> Robot:
    keys = node.mapping(*_ROBOT_KEYS)
    name = _token(_required(node, keys, "name"))
    if name in RESERVED_NAMES:
        raise keys["name"].fault(f"{name!r} is the name of another process of the fleet")
    own = _node_parameters(keys.get("parameters"))
    return Robot(
        name=name,
        namespace=_namespace(keys["namespace"]) if "namespace" in keys else f"/{name}",
        home=_path(keys.get("home"), paths.root) or paths.home(name),
        origin=_key_name(keys["origin"]) if "origin" in keys else f"{fleet}/{name}",
        topics=_topics(keys["topics"]) if "topics" in keys else topics,
        parameters={each: {**parameters.get(each, {}), **own.get(each, {})} for each in RobotNode},
        domain_id=_domain(keys),
        prefix=tuple(item.text() for item in keys["prefix"].items()) if "prefix" in keys else (),
        member=read_member(keys.get("exchange"), exchange, name, paths, node.file.parent),
    )


def _peer(node: Node) -> Peer:
    keys = node.mapping("name", "log", "witness", "url")
    name = _token(_required(node, keys, "name"))
    log = _vkey(keys.get("log"), KeyKind.ED25519, "a log's")
    witness = _vkey(keys.get("witness"), KeyKind.COSIGNATURE_V1, "a witness's")
    if log is None and witness is None:
        raise node.fault("has neither `log` nor `witness`", hint="give one of its verifier keys")
    url = keys["url"].text() if "url" in keys else None
    if url is not None:
        if witness is None:
            raise keys["url"].fault("is of no use without `witness`")
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc or " " in url:
            raise keys["url"].fault(f"{url!r} is no http address")
    return Peer(name, log, witness, url)


def _vkey(node: Node | None, kind: KeyKind, whose: str) -> VerifierKey | None:
    if node is None:
        return None
    try:
        vkey = VerifierKey.parse(node.text())
    except MalformedError as error:
        raise node.fault(f"is no verifier key: {error.message}") from error
    if vkey.kind is not kind:
        raise node.fault(f"is not {whose} verifier key")
    return vkey


def _node_parameters(node: Node | None) -> dict[RobotNode, Parameters]:
    if node is None:
        return {}
    found: dict[RobotNode, Parameters] = {}
    for key, child in node.mapping(*(each.value for each in RobotNode)).items():
        flat = flat_parameters(child)
        taken = SET_BY_PLAN.intersection(flat)
        if taken:
            raise child.fault(
                f"sets {min(taken)!r}, which follows from the rest of the file",
                hint="see home, origin, topics, quorum and engine",
            )
        found[RobotNode(key)] = flat
    return found


def _quorum(node: Node | None, robots: tuple[Robot, ...], peers: tuple[Peer, ...]) -> int:
    """How many cosignatures a checkpoint needs; no log has itself for a witness."""
    others = len(robots) - 1 + sum(peer.witness is not None for peer in peers)
    match node.value if node else "majority":
        case "majority":
            return others // 2 + 1 if others else 0
        case "all":
            return others
        case "none":
            return 0
        case str(word) if node:
            raise node.fault(f"must be majority, all, none or a number, not {word!r}")
    return node.whole(0, others) if node else 0


def _refuse_doubles(top: Node, robots: Iterable[Robot], peers: Iterable[Peer]) -> None:
    claims: list[tuple[str, str, str]] = []  # what, which, whose
    for robot in robots:
        claims += [
            ("name", robot.name, robot.name),
            ("namespace", robot.namespace, robot.name),
            ("home", str(robot.home), robot.name),
            ("origin", robot.origin, robot.name),
        ]
    for peer in peers:
        claims.append(("name", peer.name, peer.name))
        claims += [("origin", peer.log.name, peer.name)] if peer.log else []
        claims += [("witness", peer.witness.encode(), peer.name)] if peer.witness else []
    owners: dict[tuple[str, str], str] = {}
    for what, which, owner in claims:
        if (what, which) in owners:
            raise top.fault(
                f"{owners[what, which]} and {owner} have the same {what}: {which}",
                hint=f"give each a {what} of its own",
            )
        owners[what, which] = owner
