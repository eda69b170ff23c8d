"""Each package.xml names what its package uses of ROS, and no more; without any ROS 2.

What is missing there is only missed where somebody installs what package.xml asks for, and
that is never here.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.ros.ros_process import ROOT

PYTHON = {"ledger", "mcap", "mujoco", "numpy", "rosbags", "ruamel", "setuptools", "zkproofs"}
"""Modules that pip installs."""

STARTED = {"quipu_bringup": {"quipu_nodes", "quipu_sim"}}
"""Packages whose processes `quipu fleet` names, for the launch files to start."""

LOOKED_FOR = {"quipu_sim": {"quipu_bringup"}}
"""Packages that need not be there; quipu_bringup depends on quipu_sim itself."""

PACKAGES = ("launch", "ros_ws/src/quipu_nodes", "ros_ws/src/quipu_sim")
INTERFACES = ("ros_ws/src/quipu_interfaces", "ros_ws/wheels/tf2_msgs")

_TYPE = re.compile(r"([a-z][a-z0-9_]*)/(?:msg|srv|action)/[A-Z]\w*")
_FIELD = re.compile(r"^([a-z][a-z0-9_]*)/[A-Z]\w*(?:\[.*\])? ", re.MULTILINE)
_FIND = re.compile(r"^find_package\((\w+) REQUIRED\)", re.MULTILINE)


def named(folder: Path, *kinds: str) -> set[str]:
    """What the package.xml of a folder depends on."""
    root = ElementTree.parse(folder / "package.xml").getroot()  # noqa: S314 - our own
    return {each.text or "" for kind in kinds for each in root.iter(kind)}


def used_by(tree: ast.AST) -> Iterator[str]:
    """Modules that are imported, packages whose types, shares or executables are named."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names):
                yield from (each.name.partition(".")[0] for each in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Constant(value=str(text)):
                yield from _TYPE.findall(text)
            case ast.Call(func=ast.Name("get_package_share_directory"), args=[ast.Constant(name)]):
                yield str(name)
            case ast.keyword("package", ast.Constant(name)):
                yield str(name)


def used_in(folder: Path, name: str) -> set[str]:
    """The same of all Python files of a package, what is not ROS's left out."""
    found = {
        each
        for path in folder.rglob("*.py")
        for each in used_by(ast.parse(path.read_text(encoding="utf-8")))
    }
    return found - PYTHON - {name} - set(sys.stdlib_module_names)


@pytest.mark.parametrize("folder", PACKAGES)
def test_a_package_depends_on_what_it_uses(folder: str) -> None:
    root = ElementTree.parse(ROOT / folder / "package.xml").getroot()  # noqa: S314 - our own
    name = root.findtext("name", "")
    used = used_in(ROOT / folder, name) | STARTED.get(name, set())
    needed = used - LOOKED_FOR.get(name, set())
    assert named(ROOT / folder, "exec_depend", "depend") == needed


@pytest.mark.parametrize("folder", INTERFACES)
def test_interfaces_depend_on_the_types_of_their_fields(folder: str) -> None:
    files = [
        path for kind in ("msg", "srv", "action") for path in (ROOT / folder).glob(f"{kind}/*")
    ]
    fields = {name for path in files for name in _FIELD.findall(path.read_text(encoding="utf-8"))}
    depends = named(ROOT / folder, "depend")
    assert fields <= depends
    # An action has goal ids and states of its own.
    assert depends - fields <= {"action_msgs"}
    found = set(_FIND.findall((ROOT / folder / "CMakeLists.txt").read_text(encoding="utf-8")))
    assert found == depends | named(ROOT / folder, "buildtool_depend")


def test_what_a_file_uses_is_found() -> None:
    tree = ast.parse(
        "import a.b\nfrom c.d import e\nfrom . import f\n"
        "Node(package='g')\nget_package_share_directory('h')\nKIND = 'i/msg/Imu'\n"
    )
    assert sorted(used_by(tree)) == ["a", "c", "g", "h", "i"]
