"""The simulator's parameters: names, meanings, ranges, and what they amount to."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor

from quipu_sim.control import Driver
from quipu_sim.simulation import Setting

_LONGEST: Final = 1e9  # s


class _Kind(enum.Enum):
    """Where a parameter's range is kept."""

    PLAIN = enum.auto()
    INTEGER = enum.auto()
    FLOATING = enum.auto()


@dataclass(frozen=True, slots=True)
class _Declared:
    default: Any
    meaning: str
    kind: _Kind = _Kind.PLAIN
    least: float = 0.0
    most: float = 0.0


_DECLARED: Final = {
    "robots": _Declared(["robot"], "Names of the robots, each the namespace of its topics."),
    "seed": _Declared(
        1, "From which arena, starts, goals and noise come.", _Kind.INTEGER, 0, 2**31 - 1
    ),
    "obstacles": _Declared(True, "Put obstacles into the arena; without them it is an empty hall."),
    "paced": _Declared(True, "Keep to the time of the wall, instead of as fast as possible."),
    "driver": _Declared("goal", "Who drives: 'goal', built in, or 'none': whoever sends cmd_vel."),
    "task": _Declared(True, "Give each robot goals, and publish the steps of its attempts."),
    "episodes": _Declared(False, "Have attempts recorded as episodes by each robot's recorder."),
    "attempts": _Declared(1, "So many attempts are one episode.", _Kind.INTEGER, 1, 1000),
    "duration_s": _Declared(
        0.0, "End after so many simulated seconds; 0: never.", _Kind.FLOATING, 0.0, _LONGEST
    ),
    "clock_limit_hz": _Declared(
        100.0, "Most messages a second of the wall on /clock.", _Kind.FLOATING, 1.0, 1000.0
    ),
    "wait_for_readers": _Declared(
        0,
        "Begin when each topic of the robots has so many subscribers, and, with episodes, each"
        " robot its recorder.",
        _Kind.INTEGER,
        0,
        100,
    ),
    "contract": _Declared("", "The topic contract; empty: the one that is installed with us."),
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """The simulator's parameters as they were at its start."""

    setting: Setting
    paced: bool
    episodes: bool
    attempts: int
    duration_s: float
    clock_limit_hz: float
    wait_for_readers: int
    contract: Path | None


def declare(node: Any) -> Parameters:
    """Declare all parameters and read them.

    Raises `ValueError` for values that make no sense, and rclpy's exceptions for those of
    another type or out of range.
    """
    values = {
        name: node.declare_parameter(name, declared.default, _descriptor(declared)).value
        for name, declared in _DECLARED.items()
    }
    robots = tuple(name.strip("/") for name in values["robots"])
    if not robots or not all(robots):
        raise ValueError("robots: name one robot or more")
    drivers = [driver.value for driver in Driver]
    if values["driver"] not in drivers:
        raise ValueError(f"driver: {values['driver']!r} is not one of {', '.join(drivers)}")
    setting = Setting(
        robots=robots,
        seed=values["seed"],
        driver=Driver(values["driver"]),
        task=values["task"],
        obstacles=values["obstacles"],
    )
    if values["episodes"] and not setting.task:
        raise ValueError("episodes: without a task there are no attempts to record")
    return Parameters(
        setting=setting,
        paced=values["paced"],
        episodes=values["episodes"],
        attempts=values["attempts"],
        duration_s=values["duration_s"],
        clock_limit_hz=values["clock_limit_hz"],
        wait_for_readers=values["wait_for_readers"],
        contract=Path(values["contract"]) if values["contract"] else None,
    )


def _descriptor(declared: _Declared) -> Any:
    descriptor = ParameterDescriptor(description=declared.meaning, read_only=True)
    if declared.kind is _Kind.INTEGER:
        bounds = IntegerRange(from_value=int(declared.least), to_value=int(declared.most), step=0)
        descriptor.integer_range = [bounds]
    elif declared.kind is _Kind.FLOATING:
        bounds = FloatingPointRange(from_value=declared.least, to_value=declared.most, step=0.0)
        descriptor.floating_point_range = [bounds]
    return descriptor
