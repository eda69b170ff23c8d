"""What docs/security.md says of enclaves and of the DDS at hand.

Whether the DDS can enforce them is found out, not assumed: a node that is told to be
secured must either be, or not start.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.ros.ros_process import ROOT, SCRIPT_ROS, Ros

NODE = """
import sys, rclpy
from rclpy.node import Node
rclpy.init(args=sys.argv)
Node("talker", namespace="/r1")
print("the node is up")
"""
WITHOUT = "doesn't have the security libraries"


def start(ros: Ros, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SCRIPT_ROS, "python", "-c", NODE, "--ros-args", "--enclave", "/r1"],
        env={**ros.environment, **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    """A keystore with an enclave, and nothing in it that could be believed."""
    (tmp_path / "keystore/enclaves/r1").mkdir(parents=True)
    return tmp_path / "keystore"


def test_enforced_security_never_starts_a_node_without_it(ros: Ros, keystore: Path) -> None:
    enforce = {"ROS_SECURITY_ENABLE": "true", "ROS_SECURITY_STRATEGY": "Enforce"}
    for place in (keystore, keystore / "missing", None):
        variables = {**enforce, **({"ROS_SECURITY_KEYSTORE": str(place)} if place else {})}
        done = start(ros, **variables)
        assert done.returncode != 0, done.stdout
        assert "the node is up" not in done.stdout


def test_enabled_but_not_enforced_it_starts_a_node_without_any(ros: Ros) -> None:
    """The trap that the page warns of: the default strategy, and no keystore."""
    done = start(ros, ROS_SECURITY_ENABLE="true")
    assert done.returncode == 0, done.stderr
    assert "the node is up" in done.stdout


def test_the_page_tells_the_truth_of_the_wheels(ros: Ros, keystore: Path) -> None:
    done = start(
        ros,
        ROS_SECURITY_ENABLE="true",
        ROS_SECURITY_STRATEGY="Enforce",
        ROS_SECURITY_KEYSTORE=str(keystore),
    )
    if not list((ROOT / ".venv/lib").glob("libfastrtps.so*")):
        pytest.skip("SKIPPED: this ROS is not from the wheels, of which the page tells")
    page = (ROOT / "docs/security.md").read_text()
    assert (WITHOUT in done.stderr) == ("built without security" in page)
