"""Builds the ROS packages of this tree and writes the environment that script/ros gives.

``script/bootstrap`` runs it with the Python of ``.venv``:

    ros_workspace.py why-not {wheels|system}   prints why ROS 2 cannot be had, if it cannot
    ros_workspace.py build {wheels|system}     builds what has changed, writes environment.sh

Everything it makes is in ``.venv/ros``. What it needs of the caller's environment, with a
system install, is what sourcing that install's setup.sh has set.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parent.parent
WHEELS_PYTHON = ((3, 10), (3, 13))
SOURCE_IT = "install ROS 2 Jazzy or Lyrical, source its setup.sh and run script/bootstrap again"
PATHS = ("AMENT_PREFIX_PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PATH")

# What the wheels' CMake files remember of the machine they were built on.
BAKED_INCLUDE = re.compile(r"/opt/python/cp\d+-cp\d+/include/python3\.\d+")
BAKED_NUMPY = re.compile(
    r"/opt/python/cp\d+-cp\d+/lib/python3\.\d+/site-packages/numpy/(?:_core|core)/include"
)


class BuildError(Exception):
    """colcon has failed; the message holds the end of its output."""


@dataclass(frozen=True)
class Layout:
    """Where things are, for one venv."""

    venv: Path

    @property
    def ros(self) -> Path:
        return self.venv / "ros"

    @property
    def libraries(self) -> Path:
        """Where the wheels put shared libraries and their CMake files: the venv itself."""
        return self.venv / "lib"

    @property
    def site_packages(self) -> Path:
        return Path(sysconfig.get_path("purelib", vars={"base": str(self.venv)}))

    def installed(self, package: str) -> Path:
        return self.ros / "install" / package

    def modules_of(self, package: str) -> Path:
        """The folder that Python finds the installed `package` in."""
        for found in sorted(self.installed(package).rglob(f"{package}/__init__.py")):
            return found.parent.parent
        raise BuildError(f"{package} was built without its Python modules")


@dataclass(frozen=True)
class Package:
    """One ROS package of this tree."""

    name: str
    directory: Path
    build_type: str

    @property
    def is_interfaces(self) -> bool:
        return any((self.directory / kind).is_dir() for kind in ("msg", "srv", "action"))

    def fingerprint(self) -> str:
        """Changes with everything that colcon copies or compiles.

        The modules of an ament_python package are not in it: pip has installed them in
        place, and they run from the tree.
        """
        digest = hashlib.sha256()
        for path in sorted(self.directory.rglob("*")):
            relative = path.relative_to(self.directory)
            if not path.is_file() or _is_litter(relative):
                continue
            if self.build_type == "ament_python" and relative.parts[0] == self.name:
                continue
            digest.update(f"{relative} {path.stat().st_size}\n".encode())
            digest.update(path.read_bytes())
        return digest.hexdigest()


def _is_litter(relative: Path) -> bool:
    return "__pycache__" in relative.parts or any(p.endswith(".egg-info") for p in relative.parts)


def find_packages(underlay: Iterable[str], root: Path = ROOT) -> list[Package]:
    """The packages of the tree, with those of ros_ws/wheels that the ROS in `underlay` lacks."""
    there = [Path(prefix) / "share" for prefix in underlay]
    places = [*sorted((root / "ros_ws/src").glob("*")), root / "launch"]
    places += [
        place
        for place in sorted((root / "ros_ws/wheels").glob("*"))
        if not any((share / place.name).is_dir() for share in there)
    ]
    found = []
    for place in places:
        manifest = place / "package.xml"
        if manifest.is_file():
            tree = ElementTree.parse(manifest)  # noqa: S314  # our own files
            name = tree.findtext("name", "").strip()
            build_type = tree.findtext("export/build_type", "ament_cmake").strip()
            found.append(Package(name, place, build_type))
    return found


def why_no_wheels(version: tuple[int, int], system: str, machine: str, libc: str) -> str | None:
    """Why the wheels do not run on such a machine, and what to do; None if they do."""
    if system != "linux" or libc != "glibc" or machine != "x86_64":
        where = f"{system} on {machine}" + ("" if libc == "glibc" else " without glibc")
        return f"there are no ROS 2 wheels for {where}: {SOURCE_IT}"
    if not WHEELS_PYTHON[0] <= version <= WHEELS_PYTHON[1]:
        return (
            f"there are no ROS 2 wheels for Python {_dotted(version)}: name a Python 3.11 to "
            f"{_dotted(WHEELS_PYTHON[1])} in QUIPU_PYTHON, or {SOURCE_IT}"
        )
    return None


def why_no_system(python: str) -> str | None:
    """Why the ROS 2 that has been sourced does not run in `python`; None if it does."""
    checked = subprocess.run(
        [python, "-c", "import rclpy"], capture_output=True, text=True, check=False
    )
    if checked.returncode:
        last = (checked.stderr.strip() or "no output").splitlines()[-1]
        return f"rclpy of the sourced ROS 2 does not load: {last}"
    return None


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version))


def mend_baked_paths(share: Path, include: str, numpy_include: str) -> int:
    """Point the wheels' CMake files at this Python; returns how many files it has changed."""
    changed = 0
    for path in share.glob("*/cmake/*.cmake"):
        text = path.read_text()
        mended = BAKED_NUMPY.sub(lambda _: numpy_include, text)
        mended = BAKED_INCLUDE.sub(lambda _: include, mended)
        if mended != text:
            path.write_text(mended)
            changed += 1
    return changed


def prefixes(kind: str, layout: Layout, environment: Mapping[str, str]) -> list[str]:
    """The ament prefixes of ROS itself: the venv, or what has been sourced."""
    if kind == "wheels":
        return [str(layout.venv)]
    own = f"{layout.ros}/"
    entries = environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return [entry for entry in entries if entry and not f"{entry}/".startswith(own)]


def ros_paths(kind: str, layout: Layout, environment: Mapping[str, str]) -> dict[str, list[str]]:
    """What ROS itself needs in front of each search path."""
    if kind == "wheels":
        bundled = sorted(map(str, layout.site_packages.glob("ros_*.libs")))
        return {
            "AMENT_PREFIX_PATH": [str(layout.venv)],
            "LD_LIBRARY_PATH": [str(layout.libraries), *bundled],
            "PYTHONPATH": [],
            "PATH": [str(layout.venv / "bin")],
        }
    found = prefixes(kind, layout, environment)
    beneath = tuple(f"{prefix}/" for prefix in found)
    paths = {
        name: [
            entry
            for entry in environment.get(name, "").split(os.pathsep)
            if f"{entry}/".startswith(beneath)
        ]
        for name in PATHS
    }
    paths["PATH"].insert(0, str(layout.venv / "bin"))
    return paths


def script_paths(
    kind: str, layout: Layout, packages: Iterable[Package], environment: Mapping[str, str]
) -> dict[str, list[str]]:
    """What script/ros puts in front of each search path: our packages, then ROS itself."""
    packages = list(packages)
    interfaces = [package for package in packages if package.is_interfaces]
    paths = ros_paths(kind, layout, environment)
    own = {
        "AMENT_PREFIX_PATH": [str(layout.installed(package.name)) for package in packages],
        "LD_LIBRARY_PATH": [str(layout.installed(package.name) / "lib") for package in interfaces],
        # Other Python packages run from the tree: colcon's copies of them stay off the path.
        "PYTHONPATH": [str(layout.modules_of(package.name)) for package in interfaces],
        "PATH": [],
    }
    return {name: own[name] + paths[name] for name in PATHS}


def environment_script(
    kind: str, layout: Layout, paths: Mapping[str, list[str]], environment: Mapping[str, str]
) -> str:
    """The text of environment.sh, which any POSIX shell can source, more than once."""
    distro = "jazzy" if kind == "wheels" else environment["ROS_DISTRO"]
    ours = shlex.quote(str(layout.ros))
    foreign = f'[ "${{QUIPU_ROS_ENVIRONMENT:-}}" != {ours} ] && [ -n "${{ROS_DISTRO:-}}" ]'
    if kind == "system":
        foreign += f' && [ "$ROS_DISTRO" != {shlex.quote(distro)} ]'
    lines = [
        "# Written by script/bootstrap: ROS 2, our interfaces and .venv, for script/ros.",
        "quipu_prepend() {",
        '    eval "quipu_have=\\${$1:-}"',
        '    case ":$quipu_have:" in',
        '    *":$2:"*) ;;',
        '    *) export "$1=$2${quipu_have:+:$quipu_have}" ;;',
        "    esac",
        "}",
        "# Another ROS, sourced in this shell, would be loaded in place of this one.",
        f"if {foreign}; then",
        "    unset AMENT_PREFIX_PATH LD_LIBRARY_PATH PYTHONPATH",
        "fi",
        *(
            f"quipu_prepend {name} {shlex.quote(os.pathsep.join(entries))}"
            for name, entries in paths.items()
            if entries
        ),
        f"export QUIPU_ROS_ENVIRONMENT={ours}",
        f"export ROS_DISTRO={shlex.quote(distro)} ROS_VERSION=2 ROS_PYTHON_VERSION=3",
        "# Robots on this machine only, unless somebody says otherwise.",
        'export ROS_AUTOMATIC_DISCOVERY_RANGE="${ROS_AUTOMATIC_DISCOVERY_RANGE:-LOCALHOST}"',
    ]
    if kind == "system":
        lines += [
            f"export {name}={shlex.quote(value)}"
            for name, value in sorted(environment.items())
            if name.startswith("GZ_")
        ]
    return "\n".join(lines) + "\n"


def build_environment(kind: str, layout: Layout, environment: Mapping[str, str]) -> dict[str, str]:
    """The environment that colcon runs in: ROS itself, without our packages of last time."""
    result = dict(environment)
    for name, entries in ros_paths(kind, layout, environment).items():
        kept = [] if name != "PATH" else environment.get(name, os.defpath).split(os.pathsep)
        result[name] = os.pathsep.join(entries + [entry for entry in kept if entry])
    found = prefixes(kind, layout, environment)
    if kind == "system":
        found += environment.get("CMAKE_PREFIX_PATH", "").split(os.pathsep)
    result["CMAKE_PREFIX_PATH"] = os.pathsep.join(entry for entry in found if entry)
    # colcon would start one compiler at a time while the machine is loaded (make -l).
    result.setdefault("MAKEFLAGS", f"-j{os.cpu_count() or 1}")
    # A person's own colcon defaults must not change what we build.
    result["COLCON_HOME"] = str(layout.ros / "colcon")
    return result


def run_colcon(kind: str, layout: Layout, packages: list[Package], changed: list[Package]) -> None:
    """Build `changed` into .venv/ros/install, each in a prefix of its own."""
    command = [
        *(sys.executable, "-m", "colcon", "--log-base", str(layout.ros / "log"), "build"),
        *("--build-base", str(layout.ros / "build")),
        *("--install-base", str(layout.ros / "install")),
        *("--base-paths", *(str(package.directory) for package in packages)),
        *("--packages-select", *(package.name for package in changed)),
        *("--event-handlers", "console_cohesion-", "console_direct+"),
        *("--cmake-args", "-G", "Ninja", f"-DPython3_EXECUTABLE={sys.executable}"),
        "-DBUILD_TESTING=OFF",
    ]
    log = layout.ros / "build.log"
    with log.open("wb") as output:
        finished = subprocess.run(
            command,
            env=build_environment(kind, layout, os.environ),
            cwd=layout.ros,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    # colcon takes a package whose manifest it dislikes for something else, and succeeds.
    absent = [
        package.name
        for package in changed
        if not (layout.installed(package.name) / "share" / package.name / "package.xml").is_file()
    ]
    if finished.returncode or absent:
        tail = log.read_text(errors="replace").splitlines()[-30:]
        if absent and not finished.returncode:
            tail.append(f"not installed as ROS packages: {' '.join(absent)}")
        raise BuildError("\n".join([*tail, f"(all of it is in {log})"]))


def build(kind: str, layout: Layout) -> list[str]:
    """Build the packages that have changed, write environment.sh; returns what was built."""
    packages = find_packages(prefixes(kind, layout, os.environ))
    layout.ros.mkdir(exist_ok=True)
    built = layout.ros / "packages.json"
    before = json.loads(built.read_text()) if built.is_file() else {}
    now = {package.name: package.fingerprint() for package in packages}
    changed = [package for package in packages if before.get(package.name) != now[package.name]]
    kept = {name: now[name] for name in now if before.get(name) == now[name]}
    built.write_text(json.dumps(kept))
    for name in before.keys() - now.keys():
        shutil.rmtree(layout.installed(name), ignore_errors=True)
        shutil.rmtree(layout.ros / "build" / name, ignore_errors=True)
    if changed:
        if kind == "wheels":
            import numpy as np

            include = sysconfig.get_path("include")
            mend_baked_paths(layout.venv / "share", include, np.get_include())
        for package in changed:  # what is no longer generated must not linger
            shutil.rmtree(layout.installed(package.name), ignore_errors=True)
        print(f"bootstrap: building {' '.join(p.name for p in changed)}", file=sys.stderr)
        run_colcon(kind, layout, packages, changed)
    built.write_text(json.dumps(now, indent=1))
    paths = script_paths(kind, layout, packages, os.environ)
    draft = layout.ros / "environment.sh.new"
    draft.write_text(environment_script(kind, layout, paths, os.environ))
    draft.replace(layout.ros / "environment.sh")
    return [package.name for package in changed]


def main(arguments: list[str]) -> int:
    match arguments:
        case ["why-not", ("wheels" | "system") as kind]:
            if kind == "wheels":
                version = (sys.version_info.major, sys.version_info.minor)
                libc, _ = platform.libc_ver()
                reason = why_no_wheels(version, sys.platform, platform.machine(), libc)
            else:
                reason = why_no_system(sys.executable)
            print(reason or "", end="")
            return 0
        case ["build", ("wheels" | "system") as kind]:
            try:
                build(kind, Layout(Path(sys.prefix)))
            except BuildError as error:
                print(error, file=sys.stderr)
                return 1
            return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
