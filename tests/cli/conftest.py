"""Robots to try the command line on."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.robot import CommandServer, Robot

ORIGIN = "example.com/husky-7"


@pytest.fixture(scope="session")
def server() -> Iterator[CommandServer]:
    """One process that forks every command."""
    running = CommandServer()
    yield running
    running.close()


@pytest.fixture
def nobody(server: CommandServer, tmp_path: Path) -> Robot:
    """A user without a home."""
    return Robot(tmp_path / "stranger", server)


@pytest.fixture
def robot(server: CommandServer, tmp_path: Path) -> Robot:
    """A robot with an empty log."""
    made = Robot(tmp_path / "robot", server)
    made.did("init", "--origin", ORIGIN)
    return made


@pytest.fixture
def bags(recordings: Path) -> Path:
    """The folder of small bags written by rosbag2."""
    return recordings / "rosbag2_test_resources"


@pytest.fixture(scope="session")
def lived(server: CommandServer, recordings: Path) -> Iterator[Path]:
    """The folder of a robot with a life: a bag of several chunks, a split one, a checkpoint."""
    folder = Path(tempfile.mkdtemp(prefix="quipu-cli-"))
    made = Robot(folder, server)
    made.did("init", "--origin", ORIGIN)
    bags = recordings / "rosbag2_test_resources"
    made.did("ingest", recordings / "husky_ros1" / "husky.bag", bags / "rosbag2_py_mcap_wbag")
    made.did("checkpoint")
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def veteran(server: CommandServer, lived: Path, tmp_path: Path) -> Robot:
    """A robot of its own with the life of `lived`: husky.bag is entry 0, the split bag 1 to 5."""
    folder = tmp_path / "veteran"
    shutil.copytree(lived, folder)
    return Robot(folder, server)
