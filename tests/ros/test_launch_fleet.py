"""The fleet's scenario through the launch file, under `launch_testing`.

The same scenario always runs through `quipu fleet up`: tests/fleet/test_fleet_scenario.py.
``launch_test`` runs in a process of its own, since the plug-in that launch_testing has for
pytest wants an older pytest than ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.fleet.scenario import require_nodes, simulated_yard
from tests.fleet.yard import REPOSITORY
from tests.ros.ros_process import Ros

SCENARIO = Path(__file__).with_name("fleet_launch_scenario.py")
PATIENCE_S = 300.0


@pytest.mark.slow
def test_the_scenario_under_launch_testing(ros: Ros, tmp_path: Path) -> None:
    for name in ("launch_testing", "launch_ros"):
        if find_spec(name) is None:
            pytest.skip(
                f"SKIPPED: {name} is not installed; the same scenario runs through "
                "`quipu fleet up` in tests/fleet/test_fleet_scenario.py"
            )
    require_nodes()
    environment = simulated_yard(tmp_path, ros.domain).environment
    environment |= {
        "QUIPU_SCENARIO": str(tmp_path),
        "QUIPU_SCENARIO_DOMAIN": str(ros.domain),
        "ROS_DOMAIN_ID": str(ros.domain),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "launch_testing.launch_test", str(SCENARIO)]
    done = subprocess.run(
        [*command, "--junit-xml", str(report)],
        cwd=REPOSITORY,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314 - our own
    assert len(cases) >= 4, done.stdout
