"""The fleet's scenario under ``launch_testing``: ``launch_test fleet_launch_scenario.py``.

Run by test_launch_fleet.py, which sets ``QUIPU_SCENARIO`` to a folder with a fleet file.
"""

from __future__ import annotations

import os
import unittest
from pathlib import Path

import launch_testing.actions
import launch_testing.asserts
import launch_testing.markers
from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource

from tests.fleet.scenario import (
    ROBOTS,
    check_chain_is_whole,
    check_fleet_works,
    check_killed_robot_comes_back,
    check_nothing_is_lost,
    check_robots_anchor,
    simulated_yard,
)

DOMAIN = int(os.environ["QUIPU_SCENARIO_DOMAIN"])
YARD = simulated_yard(Path(os.environ["QUIPU_SCENARIO"]), DOMAIN)


def generate_test_description() -> LaunchDescription:
    share = Path(get_package_share_directory("quipu_bringup"))
    fleet = PythonLaunchDescriptionSource(str(share / "launch" / "fleet.launch.py"))
    return LaunchDescription(
        [
            IncludeLaunchDescription(fleet, launch_arguments=[("config", str(YARD.file))]),
            launch_testing.actions.ReadyToTest(),
        ]
    )


class TestRunning(unittest.TestCase):
    def test_a_all_witness_all(self) -> None:
        check_fleet_works(YARD)

    def test_b_robots_anchor(self) -> None:
        check_robots_anchor(YARD)

    def test_c_a_killed_robot_comes_back(self) -> None:
        check_killed_robot_comes_back(YARD)


@launch_testing.post_shutdown_test()
class TestEnded(unittest.TestCase):
    def test_nothing_is_lost(self) -> None:
        check_nothing_is_lost(YARD)
        check_chain_is_whole(YARD, dict.fromkeys(ROBOTS, 1))

    def test_the_simulator_ended_well(self, proc_info: object) -> None:
        launch_testing.asserts.assertExitCodes(
            proc_info, process="simulator", allowable_exit_codes=[0]
        )
