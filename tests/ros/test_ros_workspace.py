"""script/ros_workspace.py and script/ros, without any ROS 2."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.ros.ros_process import ROOT, SCRIPT_ROS


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("ros_workspace", ROOT / "script/ros_workspace.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


workspace = _load()

PY312 = (3, 12)
BAKED = """\
set(include "/opt/python/cp312-cp312/include/python3.12")
set(numpy "/opt/python/cp312-cp312/lib/python3.12/site-packages/numpy/_core/include;/opt/x")
"""


@pytest.mark.parametrize(
    ("version", "system", "machine", "libc", "says"),
    [
        (PY312, "linux", "x86_64", "glibc", None),
        ((3, 11), "linux", "x86_64", "glibc", None),
        ((3, 13), "linux", "x86_64", "glibc", None),
        ((3, 14), "linux", "x86_64", "glibc", "Python 3.14: name a Python 3.11 to 3.13"),
        (PY312, "linux", "aarch64", "glibc", "linux on aarch64: install ROS 2"),
        (PY312, "linux", "x86_64", "", "without glibc"),
        (PY312, "darwin", "arm64", "", "darwin on arm64"),
    ],
)
def test_where_the_wheels_run(
    version: tuple[int, int], system: str, machine: str, libc: str, says: str | None
) -> None:
    reason = workspace.why_no_wheels(version, system, machine, libc)
    if says is None:
        assert reason is None
    else:
        assert says in reason
        assert "\n" not in reason


def test_rclpy_that_does_not_load_is_named(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho Traceback >&2\necho 'ImportError: librcl.so' >&2\nexit 1\n")
    python.chmod(0o755)
    assert "ImportError: librcl.so" in workspace.why_no_system(str(python))
    python.write_text("#!/bin/sh\n")
    assert workspace.why_no_system(str(python)) is None


def test_baked_paths_are_mended_once(tmp_path: Path) -> None:
    cmake = tmp_path / "share/std_msgs/cmake"
    cmake.mkdir(parents=True)
    export, other = cmake / "export.cmake", cmake / "other.cmake"
    export.write_text(BAKED)
    other.write_text("set(a /opt/python)\n")
    include, numpy = r"/home/a b/in\g<0>clude", "/home/a b/numpy"
    assert workspace.mend_baked_paths(tmp_path / "share", include, numpy) == 1
    assert export.read_text() == f'set(include "{include}")\nset(numpy "{numpy};/opt/x")\n'
    assert other.read_text() == "set(a /opt/python)\n"
    assert workspace.mend_baked_paths(tmp_path / "share", include, numpy) == 0


def _package(directory: Path, name: str, build_type: str) -> Path:
    path = directory / name
    path.mkdir(parents=True)
    (path / "package.xml").write_text(
        f"<package><name>{name}</name><export><build_type>{build_type}</build_type></export>"
        "</package>"
    )
    return path


def test_packages_of_the_tree(tmp_path: Path) -> None:
    types = _package(tmp_path / "ros_ws/src", "types", "ament_cmake")
    (types / "msg").mkdir()
    _package(tmp_path / "ros_ws/src", "nodes", "ament_python")
    (tmp_path / "ros_ws/src/no_package").mkdir()
    _package(tmp_path / "ros_ws/wheels", "lacking", "ament_cmake")
    _package(tmp_path, "launch", "ament_cmake")
    found = workspace.find_packages([], tmp_path)
    assert [package.name for package in found] == ["nodes", "types", "launch", "lacking"]
    assert [package.is_interfaces for package in found] == [False, True, False, False]
    (tmp_path / "underlay/share/lacking").mkdir(parents=True)
    found = workspace.find_packages(["/opt/x", str(tmp_path / "underlay")], tmp_path)
    assert [package.name for package in found] == ["nodes", "types", "launch"]


def test_only_what_is_compiled_or_copied_makes_a_package_new(tmp_path: Path) -> None:
    nodes = _package(tmp_path / "ros_ws/src", "nodes", "ament_python")
    types = _package(tmp_path / "ros_ws/src", "types", "ament_cmake")
    (nodes / "nodes/__pycache__").mkdir(parents=True)
    (types / "msg").mkdir()

    def fingerprints() -> list[str]:
        return [package.fingerprint() for package in workspace.find_packages([], tmp_path)]

    first = fingerprints()
    (nodes / "nodes/robot.py").write_text("runs from the tree")
    (nodes / "nodes.egg-info").mkdir()
    (nodes / "nodes.egg-info/PKG-INFO").write_text("litter")
    assert fingerprints() == first
    (types / "msg/A.msg").write_text("uint8 a")
    second = fingerprints()
    assert (second[0], second[1]) == (first[0], second[1])
    assert second[1] != first[1]
    (types / "msg/A.msg").rename(types / "msg/B.msg")
    assert fingerprints()[1] != second[1]
    (nodes / "setup.py").write_text("entry points")
    assert fingerprints()[0] != first[0]


def test_a_system_install_keeps_what_was_sourced(tmp_path: Path) -> None:
    layout = workspace.Layout(tmp_path / ".venv")
    environment = {
        "AMENT_PREFIX_PATH": f"/home/me/ws:/opt/ros/jazzy:{layout.ros}/install/quipu_interfaces",
        "LD_LIBRARY_PATH": "/opt/ros/jazzy/lib:/opt/ros/jazzy2/lib:/usr/local/cuda/lib",
        "PYTHONPATH": "/home/me/ws/lib/python3.12/site-packages:/home/me/scripts",
        "PATH": "/opt/ros/jazzy/bin:/usr/bin",
    }
    assert workspace.ros_paths("system", layout, environment) == {
        "AMENT_PREFIX_PATH": ["/home/me/ws", "/opt/ros/jazzy"],
        "LD_LIBRARY_PATH": ["/opt/ros/jazzy/lib"],
        "PYTHONPATH": ["/home/me/ws/lib/python3.12/site-packages"],
        "PATH": [f"{layout.venv}/bin", "/opt/ros/jazzy/bin"],
    }


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with script/ros and a .venv that holds nothing, at a path that needs quoting."""
    root = tmp_path / "it's a checkout"
    (root / "script").mkdir(parents=True)
    (root / ".venv/ros").mkdir(parents=True)
    shutil.copy(SCRIPT_ROS, root / "script/ros")
    return root


def _write_environment(checkout: Path, kind: str = "wheels", distro: str = "jazzy") -> None:
    layout = workspace.Layout(checkout / ".venv")
    paths = {
        "AMENT_PREFIX_PATH": [f"{checkout}/.venv"],
        "LD_LIBRARY_PATH": [f"{checkout}/.venv/lib", "/libs"],
        "PYTHONPATH": [],
        "PATH": [f"{checkout}/.venv/bin"],
    }
    text = workspace.environment_script(kind, layout, paths, {"ROS_DISTRO": distro, "GZ_A": "$b"})
    (layout.ros / "environment.sh").write_text(text)


def _variables(checkout: Path, *wrap: str, **environment: str) -> dict[str, str]:
    command = [*wrap, str(checkout / "script/ros"), sys.executable, "-c"]
    dump = "import json, os; print(json.dumps(dict(os.environ)))"
    environment = {"PATH": "/usr/bin:/bin", **environment}
    printed = subprocess.run([*command, dump], env=environment, capture_output=True, check=True)
    found: dict[str, str] = json.loads(printed.stdout)
    return found


def test_script_ros_gives_the_environment(checkout: Path) -> None:
    _write_environment(checkout)
    found = _variables(checkout, PYTHONPATH="/mine")
    assert found["PATH"] == f"{checkout}/.venv/bin:/usr/bin:/bin"
    assert found["LD_LIBRARY_PATH"] == f"{checkout}/.venv/lib:/libs"
    assert found["PYTHONPATH"] == "/mine"
    assert found["ROS_DISTRO"] == "jazzy"
    assert found["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert "GZ_A" not in found


def test_script_ros_within_script_ros_changes_nothing(checkout: Path) -> None:
    _write_environment(checkout)
    once = _variables(checkout, PYTHONPATH="/mine")
    twice = _variables(checkout, str(checkout / "script/ros"), PYTHONPATH="/mine")
    assert twice == once


def test_discovery_range_is_the_callers(checkout: Path) -> None:
    _write_environment(checkout)
    found = _variables(checkout, ROS_AUTOMATIC_DISCOVERY_RANGE="SUBNET")
    assert found["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "SUBNET"


@pytest.mark.parametrize(
    ("kind", "distro", "kept"),
    [("wheels", "jazzy", False), ("system", "jazzy", True), ("system", "humble", False)],
)
def test_another_ros_in_the_shell_is_not_mixed_in(
    checkout: Path, kind: str, distro: str, kept: bool
) -> None:
    _write_environment(checkout, kind)
    other = "/opt/ros/x/lib/python3.12/site-packages"
    found = _variables(checkout, ROS_DISTRO=distro, PYTHONPATH=other, AMENT_PREFIX_PATH="/opt/x")
    assert found["ROS_DISTRO"] == "jazzy"
    assert (found.get("PYTHONPATH") == other) is kept
    assert found["AMENT_PREFIX_PATH"] == f"{checkout}/.venv" + (":/opt/x" if kept else "")
    assert found.get("GZ_A") == ("$b" if kind == "system" else None)


def _run(script: Path, *arguments: str) -> tuple[int, str]:
    ended = subprocess.run([script, *arguments], capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


def test_script_ros_without_ros_says_why_in_one_line(checkout: Path) -> None:
    script = checkout / "script/ros"
    assert _run(script, "true") == (3, "script/ros: no ROS 2 here: run script/bootstrap first\n")
    (checkout / ".venv/ros/missing").write_text("no C++ compiler\n")
    assert _run(script, "true") == (3, "script/ros: no ROS 2 here: no C++ compiler\n")


def test_script_ros_hands_on_the_exit_code(checkout: Path) -> None:
    _write_environment(checkout)
    assert _run(checkout / "script/ros", "sh", "-c", "exit 7") == (7, "")
    code, said = _run(checkout / "script/ros")
    assert code == 2
    assert said.startswith("usage: script/ros CMD")


def test_bootstrap_refuses_a_ros_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "script").mkdir()
    shutil.copy(ROOT / "script/bootstrap", tmp_path / "script/bootstrap")
    ended = subprocess.run(
        [tmp_path / "script/bootstrap"],
        env={"PATH": "/usr/bin:/bin", "QUIPU_ROS": "humble"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr == "bootstrap: QUIPU_ROS=humble: it may be none or wheels\n"
