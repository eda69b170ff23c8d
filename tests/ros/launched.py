"""Starts a launch file of ours with the `launch` package, as ``ros2 launch`` does.

``python launched.py FILE [NAME:=VALUE]...``; SIGINT ends it in order.
"""

from __future__ import annotations

import sys

from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource


def main() -> int:
    file, *arguments = sys.argv[1:]
    pairs = [tuple(argument.split(":=", 1)) for argument in arguments]
    service = LaunchService(argv=arguments, noninteractive=True)
    service.include_launch_description(
        LaunchDescription(
            [IncludeLaunchDescription(PythonLaunchDescriptionSource(file), launch_arguments=pairs)]
        )
    )
    return int(service.run())


if __name__ == "__main__":
    sys.exit(main())
