"""Real ``ros2 bag record``, where it is installed: the C++ recorder at its own speed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ledger.follow.events import NoteKind, Sealed
from tests.ledger.follow.followed_home import Followed
from tests.ros.ros_process import own_domain

_WHY = "SKIPPED: following a real `ros2 bag record` was not tried here"


@pytest.fixture(autouse=True)
def _apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with own_domain() as domain:
        monkeypatch.setenv("ROS_DOMAIN_ID", str(domain))
        monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        yield


def _can_record(storage: str) -> str | None:
    """Why not; None if it can."""
    if shutil.which("ros2") is None:
        return "there is no `ros2` command"
    asked = subprocess.run(
        ["ros2", "bag", "record", "--help"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if asked.returncode:
        return "`ros2` has no `bag record`"
    return None if storage in asked.stdout else f"rosbag2 has no storage {storage}"


@contextmanager
def _running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("storage", "options"),
    [
        ("mcap", ()),
        ("mcap", ("--max-bag-duration", "2")),
        ("mcap", ("--compression-mode", "file", "--compression-format", "zstd")),
        ("mcap", ("--compression-mode", "message", "--compression-format", "zstd")),
        ("sqlite3", ()),
    ],
    ids=["mcap", "split", "compressed", "messages", "sqlite3"],
)
def test_ros2_bag_record_is_followed(
    followed: Followed, storage: str, options: tuple[str, ...]
) -> None:
    if (why := _can_record(storage)) is not None:
        pytest.skip(f"{_WHY}: {why}")
    bag = followed.bags / "drive"
    with ExitStack() as stack:
        stack.enter_context(
            _running("ros2", "topic", "pub", "-r", "200", "/chatter", "std_msgs/msg/String",
                     "{data: hello}")
        )  # fmt: skip
        recorder = stack.enter_context(
            _running("ros2", "bag", "record", "-s", storage, "-o", str(bag), *options, "/chatter")
        )
        if storage == "sqlite3":
            followed.until_told(NoteKind.WAITING_FOR_CLOSE)
        else:
            followed.until(lambda: any(True for _ in bag.glob("*.mcap")))
            _follow_for(followed, 6.0)
            assert any(followed.lengths(path) for path in _files(followed))
        recorder.send_signal(signal.SIGINT)
        recorder.wait(30)
    followed.until_sealed("metadata.yaml")
    followed.until(lambda: followed.follower.at_rest)
    sealed = {event.path.name for event in followed.all(Sealed)}
    assert {path.name for path in bag.iterdir()} <= sealed
    followed.is_whole()


def _files(followed: Followed) -> set[Path]:
    return {event.path for event in followed.events}


def _follow_for(followed: Followed, seconds: float) -> None:
    until = time.monotonic() + seconds
    followed.until(lambda: time.monotonic() >= until)
