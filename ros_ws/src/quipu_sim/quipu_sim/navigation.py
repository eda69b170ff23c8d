"""A small reactive controller: towards the goal, along the nearest heading that is free.

A simple relative of the vector field histogram (Borenstein and Koren, 1991): a heading is
free where nothing stands in a corridor as wide as the robot, up to a look-ahead; of the
free headings the one nearest to the goal wins.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from quipu_sim.pose import Pose, wrap_angle
from quipu_sim.sensors import BEAM_ANGLES, Floats

CRUISE: Final = 0.9  # m/s
TURN_GAIN: Final = 3.0  # 1/s
TURN_MAX: Final = 2.2  # rad/s

_HALF_CORRIDOR = 0.36  # m
_LOOK_AHEAD = 1.5  # m
_BRAKE_AT = 0.35  # m ahead: slowest here
_FREE = 1e3  # m, when nothing stands in the corridor

# Beams are looked at three at a time, by the nearest of them; headings are tried every
# sixth beam.
_GROUP = 3
_TRIES: Final[Floats] = BEAM_ANGLES[:: 2 * _GROUP]
_STRAIGHT: Final = len(_TRIES) // 2
_GROUPS: Final[Floats] = BEAM_ANGLES.reshape(-1, _GROUP).mean(axis=1)
# [group, try]: the angle between a group of beams and each tried heading
_OFFSETS: Final[Floats] = _GROUPS[:, np.newaxis] - _TRIES[np.newaxis, :]
_AHEAD: Final[Floats] = np.cos(_OFFSETS)
# [group, try]: up to which range something in that group stands in the corridor
_IN_THE_WAY: Final[Floats] = np.where(
    _AHEAD > 0, _HALF_CORRIDOR / np.maximum(1e-9, np.abs(np.sin(_OFFSETS))), 0.0
)
_TURNS: Final[Floats] = 0.15 * np.abs(_TRIES)


@dataclass(frozen=True, slots=True)
class Drive:
    """A command: m/s ahead and rad/s to the left."""

    linear: float
    angular: float


def steer(pose: Pose, goal: tuple[float, float], ranges: Floats) -> Drive:
    """Choose the next command from the believed ``pose``, the ``goal`` and one scan."""
    distance = math.dist((pose.x, pose.y), goal)
    bearing = wrap_angle(math.atan2(goal[1] - pose.y, goal[0] - pose.x) - pose.yaw)
    clear = clearances(ranges)
    needed = min(_LOOK_AHEAD, distance)
    detour = np.abs((_TRIES - bearing + math.pi) % (2 * math.pi) - math.pi)
    # A heading that is not free costs the more the sooner it ends; turning costs a little.
    cost = detour + _TURNS + 4.0 * np.maximum(0.0, needed - clear)
    heading = float(_TRIES[cost.argmin()])
    straight = float(clear[_STRAIGHT])
    if straight > needed and abs(bearing) < 0.3:
        heading = bearing
    angular = max(-TURN_MAX, min(TURN_MAX, TURN_GAIN * heading))
    room = straight - _BRAKE_AT
    linear = CRUISE * max(0.0, math.cos(heading)) * max(0.0, min(1.0, room, distance + 0.3))
    return Drive(linear, angular)


def clearances(ranges: Floats) -> Floats:
    """How far a corridor as wide as the robot stays free, for each tried heading, in metres.

    What is beyond the look-ahead does not count.
    """
    nearest = ranges.reshape(-1, _GROUP).min(axis=1)
    near = (nearest < _LOOK_AHEAD + _HALF_CORRIDOR).nonzero()[0]
    if not len(near):
        return np.full(len(_TRIES), _FREE)
    there = nearest[near, np.newaxis]
    blocking = there < _IN_THE_WAY[near]
    clear: Floats = np.where(blocking, there * _AHEAD[near], _FREE).min(axis=0)
    return clear
