"""What the memory and the witness node may be told: every parameter, its meaning, its range.

All are read when a node is configured, and read-only: whoever can reach a node over DDS
must not be able to point its memory elsewhere, or to have recordings pruned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterUninitializedException
from rclpy.node import Node
from rclpy.parameter import Parameter

_DAY_S: Final = 86_400.0
_MOST_BYTES: Final = 1 << 50


@dataclass(frozen=True, slots=True)
class Declared:
    """A parameter: default (a type for an empty list), meaning, and lowest and highest value."""

    default: Any
    meaning: str
    low: float | None = None
    high: float | None = None

    @property
    def descriptor(self) -> ParameterDescriptor:
        """What ROS is told of it."""
        descriptor = ParameterDescriptor(description=self.meaning, read_only=True)
        if self.low is not None and self.high is not None:
            if isinstance(self.default, float):
                span = FloatingPointRange(from_value=float(self.low), to_value=float(self.high))
                descriptor.floating_point_range = [span]
            else:
                whole = IntegerRange(from_value=int(self.low), to_value=int(self.high))
                descriptor.integer_range = [whole]
        return descriptor


_TEXTS: Final = Parameter.Type.STRING_ARRAY

COMMON: Final[Mapping[str, Declared]] = {
    "autostart": Declared(True, "configure and activate at the start; else a manager does"),
}

MEMORY: Final[Mapping[str, Declared]] = {
    "home": Declared("", "folder of the robot's memory"),
    "create_home": Declared(False, "make the home, with a new key, where there is none"),
    "origin": Declared("", "name of the log, which the home must have; empty: any"),
    "open_timeout_s": Declared(
        10.0, "how long to wait for a command that writes the home, in s", 0.0, 3600.0
    ),
    "checkpoint_period_s": Declared(
        5.0, "how often the log is signed while it grows, in s", 0.05, _DAY_S
    ),
    "policy": Declared("", "file (C2SP tlog-policy) of the logs and witnesses of the fleet"),
    "ask_witnesses": Declared(
        _TEXTS, "witnesses to ask by a service, each NAME=NODE: name in the policy, full node name"
    ),
    "follow": Declared(_TEXTS, "folders of bags that another recorder writes, to commit as well"),
    "retention.keep_for_s": Declared(
        0.0, "recordings older than this may go, in s; 0: none", 0.0, 36_525 * _DAY_S
    ),
    "retention.keep_at_most_bytes": Declared(
        0, "beyond this in all the oldest recordings may go, in bytes; 0: none", 0, _MOST_BYTES
    ),
    "retention.larger_than_bytes": Declared(
        0, "recordings larger than this may go, in bytes; 0: none", 0, _MOST_BYTES
    ),
    "retention.prune_unoffloaded": Declared(
        False, "also those without a verified copy elsewhere, which are then gone for good"
    ),
    "retention.period_s": Declared(
        300.0, "how often recordings are offloaded and let go, in s", 1.0, _DAY_S
    ),
    "offload.directory": Declared("", "folder that gets a verified copy of every recording"),
    "anchor.trust": Declared(
        "", "file that names a settlement chain and its keys; empty: nothing is anchored"
    ),
    "anchor.socket": Declared("", "socket of the chain's engine, on this machine"),
    "anchor.node": Declared("", "full name of a settlement node, where there is no such socket"),
    "anchor.period_s": Declared(
        60.0, "how often the newest checkpoint is anchored, in s", 0.5, 30 * _DAY_S
    ),
    "anchor.report_forks": Declared(
        True, "also bring the chain the forks that the witness has found"
    ),
}

WITNESS: Final[Mapping[str, Declared]] = {
    "policy": Declared("", "file (C2SP tlog-policy) of the logs to witness"),
    "home": Declared("", "the robot's memory, for a witness in a process of its own"),
    "state": Declared("", "folder for what it has seen, for a witness in a process of its own"),
    "name": Declared("", "name of a new witness key; empty: the log's name and /witness"),
}


SETTLEMENT: Final[Mapping[str, Declared]] = {
    "home": Declared("", "folder of the chain, whose engine this process is then"),
    "socket": Declared("", "socket of an engine in another process, to be its gateway instead"),
    "block_period_s": Declared(
        0.2, "blocks begin at least this far apart, in s; not for a gateway", 0.0, 3600.0
    ),
    "empty_block_period_s": Declared(
        10.0,
        "a block is made though nobody asks, in s, since channels expire by height; 0: never",
        0.0,
        _DAY_S,
    ),
}


class ParameterError(ValueError):
    """A parameter that cannot be used; the message names it."""


def declare(node: Node, parameters: Mapping[str, Declared]) -> None:
    """Declare ``parameters`` on a node. Raises what rclpy raises for values out of range."""
    for name, declared in parameters.items():
        if not node.has_parameter(name):
            node.declare_parameter(name, declared.default, declared.descriptor)


def text(node: Node, name: str) -> str:
    """A text."""
    return str(node.get_parameter(name).value)


def texts(node: Node, name: str) -> tuple[str, ...]:
    """A list of texts, without empty ones: ROS has no empty list in a file."""
    try:
        given = node.get_parameter(name).value
    except ParameterUninitializedException:
        return ()
    return tuple(each for each in given if each)


def number(node: Node, name: str) -> float:
    """A number."""
    return float(node.get_parameter(name).value)


def whole(node: Node, name: str) -> int:
    """A whole number."""
    return int(node.get_parameter(name).value)


def truth(node: Node, name: str) -> bool:
    """A yes or no."""
    return bool(node.get_parameter(name).value)


def domain(node: Node, name: str) -> int | None:
    """A ROS_DOMAIN_ID, or None for a negative number: that of the process."""
    given = whole(node, name)
    return given if given >= 0 else None


def path(node: Node, name: str) -> Path | None:
    """A path, or None for an empty text. Raises `ParameterError`."""
    given = text(node, name)
    if not given:
        return None
    try:
        return Path(given).expanduser().absolute()
    except RuntimeError as error:  # ~somebody whom nobody knows
        raise ParameterError(f"parameter {name}: {error}") from None


def paths(node: Node, name: str) -> tuple[Path, ...]:
    """A list of paths."""
    return tuple(Path(each).expanduser().absolute() for each in texts(node, name))


def required_path(node: Node, name: str) -> Path:
    """A path. Raises `ParameterError` if none is given."""
    given = path(node, name)
    if given is None:
        raise ParameterError(f"parameter {name} names no path")
    return given
