"""Gazebo's world and bridge for the robots of one fleet, made from templates.

A folder of templates (the share folder of ``quipu_bringup``) holds::

    worlds/yard.sdf      the world without robots
    worlds/rover.sdf     one robot: ``{name}`` is its name, ``{robot}`` its namespace
    config/bridge.yaml   one robot's topics for ros_gz_bridge, with ``{robot}``

and what is made from them is written to ``DIRECTORY/gazebo``. Everything of a robot is
under its own names already in Gazebo, so that one bridge serves all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

from ledger.errors import MalformedError, NotFoundError
from ledger.fleet.model import Fleet, Robot
from ledger.storage.os_errors import storage_errors

SPACING_M: Final = 1.5
"""Between the starting places of two robots."""


def write_gazebo(fleet: Fleet, templates: Path) -> dict[str, Path]:
    """Write world, bridge and robot descriptions; where each is.

    Raises `NotFoundError` for a missing template, `MalformedError` for a damaged one,
    storage errors.
    """
    folder = fleet.paths.gazebo
    files = {
        "world": (folder / "world.sdf", compose_world(templates, fleet.robots)),
        "bridge": (folder / "bridge.yaml", compose_bridge(templates, fleet.robots)),
    }
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.values():
            path.write_text(text, encoding="utf-8")
    return {name: path for name, (path, _) in files.items()}


def compose_world(templates: Path, robots: Sequence[Robot]) -> str:
    """The SDF of the world with every robot in it."""
    world_file, robot_file = templates / "worlds/yard.sdf", templates / "worlds/rover.sdf"
    document = _parse(world_file, _read(world_file))
    world = document.find("world")
    if world is None:
        raise MalformedError(f"{world_file} holds no world", hint="install quipu_bringup anew")
    template = _read(robot_file)
    for robot, (x, y) in zip(robots, starting_places(len(robots)), strict=True):
        model = _parse(robot_file, _filled(template, robot)).find("model")
        if model is None:
            raise MalformedError(f"{robot_file} holds no model", hint="install quipu_bringup anew")
        pose = model.find("pose")
        if pose is None:
            pose = ElementTree.SubElement(model, "pose")
        height = (pose.text or "0 0 0 0 0 0").split()[2]
        pose.text = f"{x:g} {y:g} {height} 0 0 0"
        world.append(model)
    ElementTree.indent(document)
    return '<?xml version="1.0"?>\n' + ElementTree.tostring(document, encoding="unicode") + "\n"


def compose_bridge(templates: Path, robots: Sequence[Robot]) -> str:
    """The YAML of ros_gz_bridge for all robots; what is the world's own stands once."""
    blocks: dict[str, None] = {}
    template = _read(templates / "config/bridge.yaml")
    for robot in robots:
        for block in _blocks(_filled(template, robot)):
            blocks.setdefault(block)
    return "\n".join(blocks) + "\n"


def starting_places(count: int) -> list[tuple[float, float]]:
    """Where ``count`` robots start, in metres: a square about the middle."""
    side = math.ceil(math.sqrt(count))
    middle = (side - 1) / 2
    places = [(index % side, index // side) for index in range(count)]
    return [((x - middle) * SPACING_M, (y - middle) * SPACING_M) for x, y in places]


def _filled(template: str, robot: Robot) -> str:
    return template.replace("{robot}", robot.namespace.strip("/")).replace("{name}", robot.name)


def _blocks(text: str) -> list[str]:
    """The items of a YAML list of mappings, as text; comments are left out."""
    blocks: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line.startswith("- "):
            blocks.append(line)
        elif blocks:
            blocks[-1] += f"\n{line}"
    return blocks


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise NotFoundError(
            f"{path} cannot be read: {error.strerror}",
            hint="name the share folder of quipu_bringup",
        ) from error


def _parse(path: Path, text: str) -> ElementTree.Element:
    try:
        return ElementTree.fromstring(text)  # noqa: S314 - our own file, installed beside us
    except ElementTree.ParseError as error:
        raise MalformedError(
            f"{path} is no SDF: {error}", hint="install quipu_bringup anew"
        ) from error
