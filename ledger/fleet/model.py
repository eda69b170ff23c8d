"""What a fleet is: its robots, what they record, who witnesses whom, who simulates them."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ledger.note import VerifierKey

MAX_PARTICIPANTS: Final = 30
"""DDS participants on one machine beyond which some silently miss others (measured)."""

RESERVED_NAMES: Final = frozenset({"simulator", "supervisor", "settlement", "market"})
"""What no robot may be called: the pid files of others are."""

ParameterValue = bool | int | float | str | tuple[bool | int | float | str, ...]
Parameters = Mapping[str, ParameterValue]
"""Values of one node's parameters by dotted name."""


class Simulator(enum.Enum):
    """Who moves the robots."""

    MUJOCO = "mujoco"
    GAZEBO = "gazebo"
    NONE = "none"


class SettlementKind(enum.Enum):
    """What settles the fleet's transactions."""

    NONE = "none"
    EMBEDDED = "embedded"
    """A chain in the fleet's folder, whose engine is one of the fleet's processes."""
    ROS = "ros"
    """A settlement node of others, on the robots' DDS domain."""
    SOCKET = "socket"
    """An engine of others on this machine; one of the fleet's processes is its gateway."""


class Discovery(enum.Enum):
    """How far ROS looks for others (``ROS_AUTOMATIC_DISCOVERY_RANGE``)."""

    OFF = "off"
    LOCALHOST = "localhost"
    SUBNET = "subnet"
    SYSTEM_DEFAULT = "system_default"


class RobotNode(enum.Enum):
    """The nodes of one robot, by the name each has in the robot's namespace."""

    RECORDER = "recorder"
    MEMORY = "memory"
    WITNESS = "witness"
    EXCHANGE = "exchange"
    """Only of robots that buy."""


class TopicRange(enum.Enum):
    """What a recorder takes when topics are not listed."""

    OWN = "own"
    """Everything in the robot's namespace, and the transforms."""
    ALL = "all"
    """Everything that can be heard."""


Topics = tuple[str, ...] | TopicRange
"""Topic names, relative ones in the robot's namespace, or a range."""


@dataclass(frozen=True, slots=True)
class Member:
    """What a robot buys with: its credential's file, and what the credential is to say."""

    file: Path
    level: int
    role: str
    issued: bool
    """Whether it is made here; else somebody else has."""


@dataclass(frozen=True, slots=True)
class Robot:
    """A robot whose process runs on this machine."""

    name: str
    namespace: str
    home: Path
    origin: str
    topics: Topics
    parameters: Mapping[RobotNode, Parameters]
    domain_id: int | None = None
    prefix: tuple[str, ...] = ()
    member: Member | None = None
    """None for a robot that buys nothing."""

    def resolved_topics(self) -> tuple[str, ...]:
        """The listed topics, each from the root."""
        if isinstance(self.topics, TopicRange):
            return ()
        within = self.namespace.rstrip("/")
        return tuple(t if t.startswith("/") else f"{within}/{t}" for t in self.topics)


@dataclass(frozen=True, slots=True)
class Peer:
    """A log or a witness elsewhere, of which only the keys are known here."""

    name: str
    log: VerifierKey | None
    witness: VerifierKey | None
    url: str | None


@dataclass(frozen=True, slots=True)
class Settlement:
    """The chain that the fleet's robots anchor on.

    ``fleet`` is what the fleet is called there; ``register``, whether it and its robots are
    registered from here, by the wallet ``authority``.
    """

    kind: SettlementKind = SettlementKind.NONE
    fleet: str = ""
    trust: Path = Path()
    socket: Path = Path()
    register: bool = False
    authority: Path = Path()
    parameters: Parameters = field(default_factory=dict)

    @property
    def has_process(self) -> bool:
        """Whether one of the fleet's processes is a settlement node."""
        return self.kind in (SettlementKind.EMBEDDED, SettlementKind.SOCKET)


NO_SETTLEMENT: Final = Settlement()


@dataclass(frozen=True, slots=True)
class Spending:
    """The most that each robot may spend, in an asset's smallest units; None: no limit."""

    total: int | None = None
    purchase: int | None = None
    """On one purchase."""
    purposes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """How the fleet trades with others: what its market's process does, and for whom."""

    domain_id: int | None
    """ROS_DOMAIN_ID on which fleets trade; None: the robots'."""
    sell: bool
    buy: bool
    wallet: Path
    """The account that offers, and is paid."""
    issue: bool
    """Whether credentials of the robots are made here, in the folder ``issuer``."""
    issuer: Path
    level: int
    role: str
    spending: Spending | None = None
    parameters: Mapping[str, Parameters] = field(default_factory=dict)
    """By node, of the market's process."""

    @property
    def has_process(self) -> bool:
        """Whether one of the fleet's processes is storefront, gateway or both."""
        return self.sell or self.buy


@dataclass(frozen=True, slots=True)
class Fleet:
    """What one fleet file says, with every path absolute and every default filled in."""

    file: Path
    name: str
    directory: Path
    robots: tuple[Robot, ...]
    peers: tuple[Peer, ...] = ()
    quorum: int = 0
    simulator: Simulator = Simulator.NONE
    simulation: Parameters = field(default_factory=dict)
    settlement: Settlement = NO_SETTLEMENT
    exchange: Exchange | None = None
    domain_id: int | None = None
    discovery: Discovery | None = None

    def robot(self, name: str) -> Robot | None:
        """The robot called ``name``."""
        return next((robot for robot in self.robots if robot.name == name), None)

    @property
    def paths(self) -> FleetPaths:
        """Where the fleet keeps what it makes."""
        return FleetPaths(self.directory)


@dataclass(frozen=True, slots=True)
class FleetPaths:
    """The folder of a fleet.

    ::

        DIRECTORY/homes/NAME           each robot's home, unless the file says otherwise
        DIRECTORY/policy               the fleet's policy (C2SP tlog-policy)
        DIRECTORY/chain/               the settlement chain's home, if the fleet has its own
        DIRECTORY/chain.trust          that chain's id and keys
        DIRECTORY/wallets/authority    the wallet that speaks for the fleet on a chain
        DIRECTORY/issuer/              what makes the robots' credentials
        DIRECTORY/members/NAME         a robot's credential, and NAME.gaps
        DIRECTORY/purchases/NAME/      what a robot buys, until it is in its home
        DIRECTORY/sales/               what the storefront must not forget
        DIRECTORY/paid/                which grants the pool has paid for
        DIRECTORY/parameters/NAME.yaml parameters of each process
        DIRECTORY/gazebo/              world and bridge, made for these robots
        DIRECTORY/logs/NAME.log        what each process printed
        DIRECTORY/run/                 pid files, the supervisor's lock and state
    """

    root: Path

    def home(self, robot: str) -> Path:
        """The default home of a robot."""
        return self.root / "homes" / robot

    @property
    def policy(self) -> Path:
        """The policy file."""
        return self.root / "policy"

    @property
    def chain(self) -> Path:
        """The home of the fleet's own settlement chain."""
        return self.root / "chain"

    @property
    def chain_socket(self) -> Path:
        """Where that chain's engine listens."""
        return self.chain / "chain.sock"

    @property
    def chain_trust(self) -> Path:
        """The id and keys of that chain, for its robots and everybody else."""
        return self.root / "chain.trust"

    @property
    def authority(self) -> Path:
        """The wallet that speaks for the fleet, unless the file names another."""
        return self.root / "wallets" / "authority"

    @property
    def issuer(self) -> Path:
        """What makes the robots' credentials, unless the file names another folder."""
        return self.root / "issuer"

    def member(self, robot: str) -> Path:
        """The credential of a robot, unless the file names another."""
        return self.root / "members" / robot

    def purchases(self, robot: str) -> Path:
        """What a robot buys."""
        return self.root / "purchases" / robot

    @property
    def sales(self) -> Path:
        """What the storefront must not forget."""
        return self.root / "sales"

    @property
    def paid(self) -> Path:
        """Which grants the pool has paid for."""
        return self.root / "paid"

    def parameters(self, process: str) -> Path:
        """The parameter file of a process."""
        return self.root / "parameters" / f"{process}.yaml"

    @property
    def gazebo(self) -> Path:
        """What Gazebo is started with."""
        return self.root / "gazebo"

    @property
    def logs(self) -> Path:
        """The folder of logs."""
        return self.root / "logs"

    def log(self, process: str) -> Path:
        """The log of a process."""
        return self.logs / f"{process}.log"

    @property
    def run(self) -> Path:
        """What is true only while the fleet runs."""
        return self.root / "run"

    def pid(self, process: str) -> Path:
        """The pid file of a process."""
        return self.run / f"{process}.pid"

    @property
    def lock(self) -> Path:
        """The supervisor's lock, held by ``flock``."""
        return self.run / "supervisor.lock"

    @property
    def state(self) -> Path:
        """What the supervisor last said about its processes."""
        return self.run / "state.json"
