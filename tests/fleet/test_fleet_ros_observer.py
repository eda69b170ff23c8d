"""`quipu watch` over real ROS: what robots publish arrives on the board."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.light.trust_file import encode_trust
from tests.fleet.yard import REPOSITORY, Yard
from tests.ledger.memory.anchoring_world import AnchoringWorld

rclpy = pytest.importorskip("rclpy", reason="SKIPPED: no ROS here (script/ros python -m pytest)")
interfaces = pytest.importorskip(
    "quipu_interfaces.msg", reason="SKIPPED: quipu_interfaces is not built"
)
diagnostics = pytest.importorskip("diagnostic_msgs.msg", reason="SKIPPED: no diagnostic_msgs")

PATIENCE_S = 60.0
OBSERVER = REPOSITORY / "ros_ws/src/quipu_nodes/quipu_nodes/observer.py"


@pytest.fixture
def robot(domain: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A node in the namespace of robot r1."""
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=domain, args=[])
    node = rclpy.create_node("memory", namespace="/r1", context=context)
    yield node
    node.destroy_node()
    context.try_shutdown()


def latched() -> Any:
    from rclpy.qos import DurabilityPolicy, QoSProfile

    return QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def status(name: str, **values: object) -> Any:
    pairs = [diagnostics.KeyValue(key=key, value=str(value)) for key, value in values.items()]
    return diagnostics.DiagnosticStatus(name=name, hardware_id="r1", values=pairs)


# Runs `quipu watch` with the observer from the tree, whatever is installed.
WATCH = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("observer", {str(OBSERVER)!r})
observer = importlib.util.module_from_spec(spec)
spec.loader.exec_module(observer)

class Entry:
    name = "ros"
    def load(self):
        return observer.RosObserver

import ledger.cli.watch as watch
watch.entry_points = lambda group: [Entry()]
from ledger.cli.main import main
main()
"""


def test_what_a_robot_publishes_is_on_the_board(
    robot: Any, domain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    with closing(AnchoringWorld(tmp_path / "chain")) as world:
        signed, at = world.engine.signed_header(), world.engine.info().height
        (tmp_path / "chain.trust").write_bytes(encode_trust(world.trust))
    engine = "engine: {settlement: ros, trust: chain.trust}\n"
    yard = Yard(
        tmp_path,
        robots=("r1", "r2"),
        more=f"domain_id: {domain}\ndiscovery: localhost\n{engine}",
    )
    yard.told("fleet", "init", yard.file)
    published = robot.create_publisher(diagnostics.DiagnosticArray, "/diagnostics", 10)
    alarms = robot.create_publisher(interfaces.Alarm, "/quipu/alarms", latched())
    # Latched, long before anybody looks.
    alarms.publish(
        interfaces.Alarm(
            kind=interfaces.Alarm.FORK,
            origin="example.com/yard/r2",
            reporter="/r1/witness",
            detail="two roots of size 4",
        )
    )
    # The chain says nothing of itself that its operator has not signed.
    heads = robot.create_publisher(interfaces.ChainHead, "/quipu/chain/head", latched())
    heads.publish(interfaces.ChainHead(chain=world.chain, height=999, signed_header=signed))
    recording = status("/r1/recorder: recording", dropped=5, queued_bytes=77, state="active")
    memory = status("/r1/memory: memory", entries=3, state="open")
    stranger = status("/r9/recorder: recording", dropped=1)
    watching = subprocess.Popen(
        [sys.executable, "-c", WATCH, "watch", str(yard.file), "--json", "--listen", "4"],
        env=yard.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE_S
    with watching:
        while watching.poll() is None and time.monotonic() < deadline:
            published.publish(diagnostics.DiagnosticArray(status=[recording, memory, stranger]))
            time.sleep(0.1)
        watching.kill()
        out, err = watching.communicate()
    assert watching.returncode == 0, err
    seen = json.loads(out)
    rows = {row["name"]: row for row in seen["robots"]}
    assert set(rows) == {"r1", "r2"}
    assert (rows["r1"]["dropped"], rows["r1"]["queued_bytes"]) == (5, 77)
    assert rows["r1"]["remark"] == "dropped 5 messages"
    assert rows["r2"]["dropped"] is None
    assert rows["r2"]["health"] == "bad"
    assert (seen["chain"]["height"], seen["chain"]["origin"]) == (at, "chain.example/yard")
    (alarm,) = seen["alarms"]
    assert alarm["kind"] == "fork"
    assert alarm["reporter"] == "example.com/yard/r1/witness"
