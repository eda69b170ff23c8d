"""Starts a fleet: every robot of the fleet file, and what simulates them.

    ros2 launch quipu_bringup fleet.launch.py
    ros2 launch quipu_bringup fleet.launch.py config:=/path/to/fleet.yaml simulator:=none

`quipu fleet up` starts the same processes where `launch` is not installed.
"""

import runpy
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    ExecuteProcess,
    IncludeLaunchDescription,
    LogInfo,
    OpaqueFunction,
)
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration

HERE = Path(__file__).parent
ask_quipu = runpy.run_path(str(HERE / "fleet_plan.py"))["ask_quipu"]

RESPAWN_S = 1.0
PATIENCE_S = "20"  # after SIGINT, to seal and commit what is held, before SIGTERM

ARGUMENTS = {
    "config": "The fleet file",
    "directory": "Where homes and logs are, in place of what the fleet file says",
    "simulator": "mujoco, gazebo or none, in place of what the fleet file says",
    "robots": "Names of the robots to start, with commas between them [all]",
    "gui": "With Gazebo: whether to open its window",
}


def generate_launch_description():
    """Declare the arguments; what follows from them is planned when they are known."""
    share = Path(get_package_share_directory("quipu_bringup"))
    defaults = {"config": str(share / "config" / "fleet.yaml"), "gui": "true"}
    declared = [
        DeclareLaunchArgument(name, default_value=defaults.get(name, ""), description=text)
        for name, text in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start_fleet)])


def start_fleet(context):
    """Make homes, keys and policy, then start what `quipu fleet init` names."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    options = ["--simulator", given["simulator"]] if given["simulator"] else []
    for robot in filter(None, given["robots"].split(",")):
        options += ["--robot", robot.strip()]
    plan = ask_quipu(given["config"], given["directory"], *options)
    if plan["warning"]:
        yield LogInfo(msg=plan["warning"])
    if plan["simulator"] == "gazebo":
        passed_on = ("config", "directory", "gui")
        yield IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(HERE / "gazebo.launch.py")),
            launch_arguments=[(name, given[name]) for name in passed_on],
        )
    for process in plan["processes"]:
        yield ExecuteProcess(
            name=process["name"],
            cmd=process["command"],
            additional_env=process["environment"],
            output="both",
            respawn=process["restart"] == "always",
            respawn_delay=RESPAWN_S,
            sigterm_timeout=PATIENCE_S,
        )
