"""Which processes a fleet is, with which command, parameters and environment.

Pure: the same for `quipu fleet up`, which starts them itself, and for the launch files
of ``quipu_bringup``, which leave that to ``ros2 launch``.

One process a robot, so one DDS participant a robot: beyond about thirty on one machine
some would silently miss others.
"""

from __future__ import annotations

import enum
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.fleet.model import (
    MAX_PARTICIPANTS,
    Exchange,
    Fleet,
    Parameters,
    Robot,
    RobotNode,
    SettlementKind,
    Simulator,
    TopicRange,
)

ROBOT_MODULE: Final = "quipu_nodes.robot"
SIMULATOR_MODULE: Final = "quipu_sim.node"
SIMULATOR_NAME: Final = "simulator"
SETTLEMENT_MODULE: Final = "quipu_nodes.settlement"
SETTLEMENT_NAME: Final = "settlement"
MARKET_MODULE: Final = "quipu_nodes.market"
MARKET_NAME: Final = "market"
GATEWAY_NODE: Final = "/gateway"
PURCHASES: Final = 8
"""DDS participants that a gateway may have at a time, beside its process's own."""

# With `topics: own`: the robot's namespace, and the transforms that place it.
_TRANSFORMS: Final = ("/tf", "/tf_static")


class Restart(enum.Enum):
    """Whether a process that ended is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on-failure"


class Rank(enum.IntEnum):
    """The order in which processes are ended: the later rank waits for the earlier."""

    ROBOT = 0
    MARKET = 1
    SETTLEMENT = 2
    SIMULATOR = 3


@dataclass(frozen=True, slots=True)
class Process:
    """A process of the fleet. ``environment`` is over and above what it inherits."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    modules: tuple[str, ...]
    restart: Restart = Restart.ALWAYS
    rank: Rank = Rank.ROBOT
    participants: int = 1
    """DDS participants that it makes, at most."""


@dataclass(frozen=True, slots=True)
class FleetPlan:
    """All that has to run, and the parameter files that must be written before."""

    processes: tuple[Process, ...]
    files: Mapping[Path, str] = field(default_factory=dict)

    @property
    def participants(self) -> int:
        """DDS participants that the processes make."""
        return sum(process.participants for process in self.processes)

    @property
    def crowded(self) -> str | None:
        """What to warn of, if so many participants may miss each other."""
        if self.participants <= MAX_PARTICIPANTS:
            return None
        return (
            f"{self.participants} ROS participants on one machine: beyond {MAX_PARTICIPANTS} "
            "some may silently miss others; split the fleet over machines or domains"
        )


def plan_fleet(
    fleet: Fleet,
    *,
    only: Sequence[str] | None = None,
    simulator: Simulator | None = None,
    python: str = sys.executable,
) -> FleetPlan:
    """Plan the robots of ``fleet`` (or ``only`` those named), its simulator and its chain.

    ``simulator`` replaces the one of the file. Gazebo is no process of the plan: its
    own launch file starts it.
    """
    simulator = simulator or fleet.simulator
    robots = [robot for robot in fleet.robots if only is None or robot.name in only]
    processes = []
    files: dict[Path, str] = {}
    if simulator is Simulator.MUJOCO:
        path = fleet.paths.parameters(SIMULATOR_NAME)
        files[path] = parameter_file({"/**": _simulation(fleet)})
        processes.append(
            Process(
                name=SIMULATOR_NAME,
                command=(python, "-m", SIMULATOR_MODULE, "--ros-args", "--params-file", str(path)),
                environment=_environment(fleet, fleet.domain_id),
                log=fleet.paths.log(SIMULATOR_NAME),
                modules=("rclpy", SIMULATOR_MODULE.partition(".")[0]),
                restart=Restart.ON_FAILURE,
                rank=Rank.SIMULATOR,
            )
        )
    if fleet.settlement.has_process:
        path = fleet.paths.parameters(SETTLEMENT_NAME)
        files[path] = parameter_file({"/**": _settlement(fleet)})
        processes.append(
            Process(
                name=SETTLEMENT_NAME,
                command=(python, "-m", SETTLEMENT_MODULE, "--ros-args", "--params-file", str(path)),
                environment=_environment(fleet, fleet.domain_id),
                log=fleet.paths.log(SETTLEMENT_NAME),
                modules=("rclpy", SETTLEMENT_MODULE.partition(".")[0]),
                rank=Rank.SETTLEMENT,
            )
        )
    if fleet.exchange is not None and fleet.exchange.has_process:
        path = fleet.paths.parameters(MARKET_NAME)
        files[path] = parameter_file(market_parameters(fleet, fleet.exchange))
        processes.append(_market_process(fleet, fleet.exchange, path, python))
    for robot in robots:
        path = fleet.paths.parameters(robot.name)
        files[path] = parameter_file(robot_parameters(fleet, robot))
        processes.append(_robot_process(fleet, robot, path, python))
    return FleetPlan(tuple(processes), files)


def robot_parameters(fleet: Fleet, robot: Robot) -> dict[str, Parameters]:
    """The parameters of a robot's nodes, by the node's full name."""
    derived: dict[RobotNode, Parameters] = {
        RobotNode.RECORDER: {"home": str(robot.home), **_recorded(robot)},
        RobotNode.MEMORY: {
            "home": str(robot.home),
            "origin": robot.origin,
            "policy": str(fleet.paths.policy),
            **_anchored(fleet),
        },
        RobotNode.WITNESS: {"policy": str(fleet.paths.policy)},
    }
    if robot.member is not None:
        derived[RobotNode.EXCHANGE] = {
            **_chain(fleet),
            "gateway": GATEWAY_NODE,
            "member": str(robot.member.file),
            "purchases": str(fleet.paths.purchases(robot.name)),
        }
    within = robot.namespace.rstrip("/")
    return {
        f"{within}/{node.value}": {**own, **robot.parameters.get(node, {})}
        for node, own in derived.items()
    }


def market_parameters(fleet: Fleet, exchange: Exchange) -> dict[str, Parameters]:
    """The parameters of storefront and gateway, by the node's full name."""
    domain = -1 if exchange.domain_id is None else exchange.domain_id
    both: Parameters = {**_chain(fleet), "market.domain_id": domain}
    nodes: dict[str, Parameters] = {}
    if exchange.sell:
        nodes["/storefront"] = {
            **both,
            "fleet": fleet.settlement.fleet,
            "wallets": (str(exchange.wallet),),
            "homes": tuple(str(robot.home) for robot in fleet.robots),
            "sales": str(fleet.paths.sales),
            **exchange.parameters.get("storefront", {}),
        }
    if exchange.buy:
        nodes[GATEWAY_NODE] = {
            **both,
            "fleet": fleet.settlement.fleet,
            "authority": str(fleet.settlement.authority),
            "paid": str(fleet.paths.paid),
            "market.purchases": PURCHASES,
            **exchange.parameters.get("gateway", {}),
        }
    return nodes


def parameter_file(nodes: Mapping[str, Parameters]) -> str:
    """A ROS parameter file. JSON is YAML, and quotes what must stay a string."""
    lines = []
    for node, parameters in nodes.items():
        lines.append(f"{json.dumps(node)}:\n  ros__parameters:")
        for name, value in parameters.items():
            lines.append(f"    {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}")
        if not parameters:
            lines[-1] += " {}"
    return "\n".join(lines) + "\n"


def _recorded(robot: Robot) -> Parameters:
    match robot.topics:
        case TopicRange.ALL:
            return {"all_topics": True}
        case TopicRange.OWN:
            own = f"^{robot.namespace.rstrip('/')}/"
            return {"topics": _TRANSFORMS, "topics_regex": (own,)}
    return {"topics": robot.resolved_topics()}


def _settlement(fleet: Fleet) -> Parameters:
    chosen = fleet.settlement
    if chosen.kind is SettlementKind.EMBEDDED:
        return {"home": str(fleet.paths.chain), **chosen.parameters}
    return {"socket": str(chosen.socket), **chosen.parameters}


def _anchored(fleet: Fleet) -> Parameters:
    """On which chain a robot anchors: over the socket where it is on this machine."""
    chosen = fleet.settlement
    match chosen.kind:
        case SettlementKind.NONE:
            return {}
        case SettlementKind.EMBEDDED:
            way = {"anchor.socket": str(fleet.paths.chain_socket)}
        case SettlementKind.SOCKET:
            way = {"anchor.socket": str(chosen.socket)}
        case SettlementKind.ROS:
            way = {"anchor.node": f"/{SETTLEMENT_NAME}"}
    return {"anchor.trust": str(chosen.trust), **way}


def _chain(fleet: Fleet) -> Parameters:
    """The way to the chain that the fleet trades on."""
    chosen = fleet.settlement
    own = chosen.kind is SettlementKind.EMBEDDED
    socket = fleet.paths.chain_socket if own else chosen.socket
    return {"chain.trust": str(chosen.trust), "chain.socket": str(socket)}


def _simulation(fleet: Fleet) -> Parameters:
    namespaces = tuple(robot.namespace.strip("/") for robot in fleet.robots)
    return {"robots": namespaces, **fleet.simulation}


def _market_process(fleet: Fleet, exchange: Exchange, parameters: Path, python: str) -> Process:
    does = [word for word, wanted in (("sell", exchange.sell), ("buy", exchange.buy)) if wanted]
    return Process(
        name=MARKET_NAME,
        command=(
            *(python, "-m", MARKET_MODULE, *does),
            *("--ros-args", "--params-file", str(parameters)),
        ),
        environment=_environment(fleet, fleet.domain_id),
        log=fleet.paths.log(MARKET_NAME),
        modules=("rclpy", MARKET_MODULE.partition(".")[0]),
        rank=Rank.MARKET,
        participants=1 + exchange.sell + exchange.buy * PURCHASES,
    )


def _robot_process(fleet: Fleet, robot: Robot, parameters: Path, python: str) -> Process:
    domain = fleet.domain_id if robot.domain_id is None else robot.domain_id
    buys = ("buy",) if robot.member is not None else ()
    return Process(
        name=robot.name,
        command=(
            *robot.prefix,
            *(python, "-m", ROBOT_MODULE, *buys, "--ros-args"),
            *("-r", f"__ns:={robot.namespace}", "--params-file", str(parameters)),
        ),
        environment=_environment(fleet, domain),
        log=fleet.paths.log(robot.name),
        modules=("rclpy", ROBOT_MODULE.partition(".")[0]),
    )


def _environment(fleet: Fleet, domain: int | None) -> dict[str, str]:
    environment = {"PYTHONUNBUFFERED": "1"}
    if domain is not None:
        environment["ROS_DOMAIN_ID"] = str(domain)
    if fleet.discovery is not None:
        environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] = fleet.discovery.value.upper()
    return environment
