"""Starts Gazebo with the robots of a fleet file, and the bridge to ROS.

    ros2 launch quipu_bringup gazebo.launch.py gui:=false

Harmonic with Jazzy, Ionic with Kilted, Jetty with Lyrical: whichever `ros_gz_sim` is
installed. It starts none of Quipu's nodes; fleet.launch.py simulator:=gazebo does both.
"""

import runpy
from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, OpaqueFunction
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration
from launch_ros.actions import Node

HERE = Path(__file__).parent
ask_quipu = runpy.run_path(str(HERE / "fleet_plan.py"))["ask_quipu"]

SHARE = Path(get_package_share_directory("quipu_bringup"))
ARGUMENTS = {
    "config": (str(SHARE / "config" / "fleet.yaml"), "The fleet file"),
    "directory": ("", "Where homes and logs are, in place of what the fleet file says"),
    "gui": ("true", "Whether to open Gazebo's window"),
}


def generate_launch_description():
    """Declare the arguments; what follows from them is planned when they are known."""
    declared = [
        DeclareLaunchArgument(name, default_value=default, description=text)
        for name, (default, text) in ARGUMENTS.items()
    ]
    return LaunchDescription([*declared, OpaqueFunction(function=start_gazebo)])


def start_gazebo(context):
    """Have world and bridge written for the robots, then start what reads them."""
    given = {name: LaunchConfiguration(name).perform(context) for name in ARGUMENTS}
    plan = ask_quipu(given["config"], given["directory"], "--gazebo", str(SHARE))
    flags = "-r" if given["gui"].lower() in {"true", "1"} else "-r -s --headless-rendering"
    simulator = Path(get_package_share_directory("ros_gz_sim")) / "launch" / "gz_sim.launch.py"
    yield IncludeLaunchDescription(
        PythonLaunchDescriptionSource(str(simulator)),
        launch_arguments=[("gz_args", f"{flags} {plan['gazebo']['world']}")],
    )
    yield Node(
        package="ros_gz_bridge",
        executable="parameter_bridge",
        name="gazebo_bridge",
        parameters=[{"config_file": plan["gazebo"]["bridge"], "use_sim_time": True}],
        output="both",
    )
    description = (SHARE / "config" / "rover.urdf").read_text(encoding="utf-8")
    for robot in plan["robots"]:
        within = robot["namespace"].strip("/")
        yield Node(
            package="robot_state_publisher",
            executable="robot_state_publisher",
            namespace=robot["namespace"],
            parameters=[
                {
                    "robot_description": description,
                    "frame_prefix": f"{within}/",
                    "use_sim_time": True,
                }
            ],
            output="both",
        )
