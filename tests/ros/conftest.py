"""Fixtures for tests that need ROS 2. Where it is missing they skip, and say so."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.ros.ros_process import Ros, own_domain, require_rclpy, require_ros


@pytest.fixture(scope="module")
def ros() -> Iterator[Ros]:
    """Programs under script/ros, on a domain that is this test module's own."""
    require_ros()
    with own_domain() as domain:
        yield Ros(domain)


@pytest.fixture
def elsewhere(ros: Ros) -> Iterator[Ros]:
    """Programs on another domain than those of `ros`."""
    with own_domain() as domain:
        assert domain != ros.domain
        yield Ros(domain)


@pytest.fixture(scope="session")
def rclpy_here() -> None:
    """This process can import rclpy and the interfaces."""
    require_rclpy()
