"""The topic contract: what every robot says and hears, whichever simulator moves it.

It is one file of the fleet, ``launch/config/topics.yaml``, which explains itself. Nothing
here knows ROS; `quipu_sim.publishing` makes publishers of it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

ROBOT: Final = "{robot}"
"""Where the robot's name comes in a frame's name."""

# From ros_ws/src/quipu_sim/quipu_sim/ to the top of the checkout.
CHECKED_OUT: Final = Path(__file__).parents[4] / "launch" / "config" / "topics.yaml"
"""Where the contract lies when this package is used from a checkout."""

_KEYS = {"name", "type", "direction", "qos", "rate", "of", "frame", "child_frame", "transforms"}


class ContractError(ValueError):
    """A topic contract that cannot be read, or cannot be kept."""


class Direction(enum.Enum):
    """Who publishes."""

    OUT = "out"
    IN = "in"


class Scope(enum.Enum):
    """What a topic belongs to."""

    BODY = "body"
    TASK = "task"
    WORLD = "world"


class Reliability(enum.Enum):
    """Whether what got lost is sent again."""

    RELIABLE = "reliable"
    BEST_EFFORT = "best_effort"


class Durability(enum.Enum):
    """Whether late subscribers get what was sent before."""

    VOLATILE = "volatile"
    TRANSIENT_LOCAL = "transient_local"


@dataclass(frozen=True, slots=True)
class Quality:
    """A quality of service; ``depth`` messages are kept."""

    reliability: Reliability
    durability: Durability
    depth: int


@dataclass(frozen=True, slots=True)
class ContractTopic:
    """A topic as all simulators have it; ``rate`` in Hz, 0 for once."""

    name: str
    type: str
    direction: Direction
    quality: Quality
    rate: float
    of: Scope
    frame: str | None
    child_frame: str | None
    transforms: tuple[tuple[str, str], ...]

    def full_name(self, robot: str) -> str:
        """The topic's name from the root, for one robot."""
        return self.name if self.of is Scope.WORLD else f"/{robot}/{self.name}"


@dataclass(frozen=True, slots=True)
class Contract:
    """All topics by name."""

    topics: Mapping[str, ContractTopic]

    def __getitem__(self, name: str) -> ContractTopic:
        try:
            return self.topics[name]
        except KeyError:
            raise ContractError(f"the topic contract has no {name}") from None


def read_contract(path: Path | None = None) -> Contract:
    """Read the contract at ``path``, or that of the checkout this package lies in.

    Raises `ContractError` when it is missing or malformed.
    """
    path = path or CHECKED_OUT
    try:
        document = YAML(typ="safe", pure=True).load(path)
    except OSError as error:
        raise ContractError(f"no topic contract: {error}") from error
    except YAMLError as error:
        raise ContractError(f"{path} is not YAML: {error}") from error
    try:
        return _contract(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ContractError(f"{path}: {type(error).__name__}: {error}") from error


def _contract(document: Any) -> Contract:
    qualities = {name: _quality(given) for name, given in document["qos"].items()}
    topics: dict[str, ContractTopic] = {}
    for given in document["topics"]:
        topic = _topic(given, qualities)
        if topic.name in topics:
            raise ValueError(f"{topic.name} stands there twice")
        topics[topic.name] = topic
    return Contract(topics)


def _quality(given: Mapping[str, Any]) -> Quality:
    if given["history"] != "keep_last":
        raise ValueError("history must be keep_last")
    return Quality(
        Reliability(given["reliability"]), Durability(given["durability"]), int(given["depth"])
    )


def _topic(given: Mapping[str, Any], qualities: Mapping[str, Quality]) -> ContractTopic:
    name = str(given["name"])
    unknown = given.keys() - _KEYS
    if unknown:
        raise ValueError(f"{name}: unknown {', '.join(sorted(unknown))}")
    scope = Scope(given["of"])
    if name.startswith("/") is not (scope is Scope.WORLD):
        raise ValueError(f"{name}: a topic from the root is one of the world, and no other is")
    rate = float(given["rate"])
    if not 0 <= rate <= 1000:
        raise ValueError(f"{name}: {rate} Hz")
    return ContractTopic(
        name=name,
        type=str(given["type"]),
        direction=Direction(given["direction"]),
        quality=qualities[given["qos"]],
        rate=rate,
        of=scope,
        frame=given.get("frame"),
        child_frame=given.get("child_frame"),
        transforms=tuple((parent, child) for parent, child in given.get("transforms", ())),
    )
