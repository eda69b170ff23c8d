"""Fixtures for tests that need ROS 2. Where it is missing they skip, and say so."""

from __future__ import annotations

import pytest

from tests.ros.ros_process import Ros, next_domain, require_rclpy, require_ros


@pytest.fixture(scope="module")
def ros() -> Ros:
    """Programs under script/ros, on a domain that is this test module's own."""
    require_ros()
    return Ros(next_domain())


@pytest.fixture(scope="session")
def rclpy_here() -> None:
    """This process can import rclpy and the interfaces."""
    require_rclpy()
