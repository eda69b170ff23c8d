"""Where something stands on the floor."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pose:
    """Metres and radians; yaw is counter-clockwise from x."""

    x: float
    y: float
    yaw: float


def wrap_angle(angle: float) -> float:
    """The same angle in [-pi, pi)."""
    return (angle + math.pi) % (2 * math.pi) - math.pi
