"""Draws where robots drove, from above: ``python -m quipu_sim.picture OUT.svg --robots 8``.

The picture needs no ROS: it runs the same simulation as the node does.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from quipu_sim.arena import Arena, Obstacle, Shape
from quipu_sim.contract import read_contract
from quipu_sim.simulation import Setting, Simulation

SAMPLES: Final = 10  # positions a simulated second

_PIXELS = 50  # of a metre
_MARGIN = 0.5  # m around the walls
_JUMP = 0.5  # m between two positions: it was put elsewhere

_STYLE = """
    .paper { fill: #faf6ef; }
    .wall { fill: none; stroke: #8a5a2b; stroke-width: 6; stroke-linejoin: round; }
    .obstacle { fill: #d9cbb3; stroke: #8a5a2b; stroke-width: 2; }
    .track { fill: none; stroke-width: 4; stroke-linecap: round; stroke-linejoin: round; }
    .robot { stroke: #faf6ef; stroke-width: 3; }
"""
_DARK = """
      .paper { fill: #211c18; }
      .obstacle { fill: #4a3f34; stroke: #c79a63; }
      .wall { stroke: #c79a63; }
      .robot { stroke: #211c18; }
"""


@dataclass(slots=True)
class Track:
    """One robot's way, in pieces: a new one begins wherever it was put down."""

    pieces: list[list[tuple[float, float]]] = field(default_factory=list)

    def add(self, point: tuple[float, float]) -> None:
        """Go on to ``point``."""
        if not self.pieces or math.dist(self.pieces[-1][-1], point) > _JUMP:
            self.pieces.append([])
        self.pieces[-1].append(point)


def drive(setting: Setting, seconds: float) -> tuple[Arena, list[Track]]:
    """Simulate, and keep where everybody was."""
    simulation = Simulation(setting, read_contract(), lambda channel, data: None)
    tracks = [Track() for _ in setting.robots]
    pause = 1_000_000_000 // SAMPLES
    while simulation.time_ns < seconds * 1e9:
        simulation.tick()
        if simulation.time_ns % pause < simulation.period_ns:
            for track, point in zip(tracks, simulation.positions(), strict=True):
                track.add(point)
    return simulation.arena, tracks


def draw(arena: Arena, tracks: Sequence[Track], title: str) -> str:
    """The picture as SVG."""
    width = round((arena.length + 2 * _MARGIN) * _PIXELS)
    height = round((arena.width + 2 * _MARGIN) * _PIXELS)
    left, top = _pixels(arena, (-0.5 * arena.length, 0.5 * arena.width))
    walls = (
        f'<rect class="wall" x="{left}" y="{top}" width="{round(arena.length * _PIXELS)}"'
        f' height="{round(arena.width * _PIXELS)}" rx="6"/>'
    )
    hues = [round(360 * number / len(tracks)) for number in range(len(tracks))]
    colours = "".join(_colour(number, hue, 42) for number, hue in enumerate(hues))
    dark = "".join(_colour(number, hue, 66) for number, hue in enumerate(hues))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        ' aria-labelledby="title">'
    )
    style = (
        f"<style>{_STYLE}    {colours}\n    @media (prefers-color-scheme: dark) {{{_DARK}"
        f"      {dark}\n    }}</style>"
    )
    parts = [
        head,
        f'<title id="title">{title}</title>',
        style,
        f'<rect class="paper" width="{width}" height="{height}" rx="14"/>',
        walls,
        *(_obstacle(arena, obstacle) for obstacle in arena.obstacles),
        *(_track(arena, number, track) for number, track in enumerate(tracks)),
        *(_robot(arena, number, track) for number, track in enumerate(tracks)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _colour(number: int, hue: int, lightness: int) -> str:
    colour = f"hsl({hue} 60% {lightness}%)"
    return f".t{number} {{ stroke: {colour}; }} .r{number} {{ fill: {colour}; }} "


def _obstacle(arena: Arena, obstacle: Obstacle) -> str:
    x, y = _pixels(arena, (obstacle.x, obstacle.y))
    radius = obstacle.radius * _PIXELS
    if obstacle.shape is Shape.CYLINDER:
        return f'<circle class="obstacle" cx="{x}" cy="{y}" r="{radius:.1f}"/>'
    side = radius * math.sqrt(2)
    turn = -math.degrees(obstacle.yaw)  # y is downwards in a picture
    return (
        f'<rect class="obstacle" x="{x - 0.5 * side:.1f}" y="{y - 0.5 * side:.1f}"'
        f' width="{side:.1f}" height="{side:.1f}" transform="rotate({turn:.1f} {x} {y})"/>'
    )


def _track(arena: Arena, number: int, track: Track) -> str:
    moves = []
    for piece in track.pieces:
        points = [_pixels(arena, point) for point in piece]
        moves.append("M" + " L".join(f"{x} {y}" for x, y in points))
    return f'<path class="track t{number}" d="{" ".join(moves)}"/>'


def _robot(arena: Arena, number: int, track: Track) -> str:
    x, y = _pixels(arena, track.pieces[-1][-1])
    return f'<circle class="robot r{number}" cx="{x}" cy="{y}" r="{0.18 * _PIXELS:.0f}"/>'


def _pixels(arena: Arena, point: tuple[float, float]) -> tuple[int, int]:
    x, y = point
    return (
        round((x + 0.5 * arena.length + _MARGIN) * _PIXELS),
        round((0.5 * arena.width - y + _MARGIN) * _PIXELS),
    )


def main(arguments: list[str] | None = None) -> None:
    """The command: simulate and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m quipu_sim.picture", description=__doc__)
    parser.add_argument("out", type=Path, help="the SVG file to write")
    parser.add_argument("--robots", type=int, default=8, help="how many (8)")
    parser.add_argument("--seed", type=int, default=7, help="which arena (7)")
    parser.add_argument("--seconds", type=float, default=30.0, help="simulated seconds (30)")
    given = parser.parse_args(arguments)
    if given.robots < 1 or given.seconds <= 0:
        parser.error("one robot or more, for some time")
    setting = Setting(tuple(f"r{number}" for number in range(1, given.robots + 1)), given.seed)
    arena, tracks = drive(setting, given.seconds)
    title = f"{given.seconds:g} seconds of {given.robots} simulated robots, from above"
    given.out.write_text(draw(arena, tracks, title), encoding="utf-8")


if __name__ == "__main__":
    main()
