"""Starts Quipu's nodes of one robot, beside the stack that the robot has already.

    ros2 launch quipu_bringup robot.launch.py config:=/path/to/robot.yaml

The YAML has the form of a fleet file, of which a robot alone is the smallest.
"""

from pathlib import Path

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, GroupAction, IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration


def generate_launch_description():
    """Include the fleet's launch file, without a simulator."""
    share = Path(get_package_share_directory("quipu_bringup"))
    fleet = Path(__file__).with_name("fleet.launch.py")
    return LaunchDescription(
        [
            DeclareLaunchArgument(
                "config",
                default_value=str(share / "config" / "robot.yaml"),
                description="The robot's YAML file",
            ),
            DeclareLaunchArgument(
                "directory",
                default_value="",
                description="Where its home and logs are, in place of what the file says",
            ),
            DeclareLaunchArgument(
                "robot", default_value="", description="Which robot of the file [all]"
            ),
            # In a scope of its own: whoever includes us may have a `simulator` too.
            GroupAction(
                [
                    IncludeLaunchDescription(
                        PythonLaunchDescriptionSource(str(fleet)),
                        launch_arguments={
                            "config": LaunchConfiguration("config"),
                            "directory": LaunchConfiguration("directory"),
                            "robots": LaunchConfiguration("robot"),
                            "simulator": "none",
                        }.items(),
                    )
                ]
            ),
        ]
    )
