"""Robots on different ROS domains, which one witness on another site holds to one history."""

from __future__ import annotations

import socket
from contextlib import closing
from pathlib import Path

import pytest

from ledger.ed25519 import PrivateKey
from ledger.home import open_home
from ledger.note import CosignatureSigner
from ledger.storage.memory import MemoryStorage
from ledger.witness import WitnessState
from ledger.witnessing.follower import Follower
from ledger.witnessing.http_server import WitnessHttpServer
from ledger.witnessing.policy import Policy, PolicyLog, PolicyWitness
from ledger.witnessing.service import WitnessService
from tests.ros.graph import RobotHome, eventually
from tests.ros.ros_process import Ros, next_domain
from tests.ros.test_witness_node import record


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_domains_apart_and_one_witness_over_http(ros: Ros, tmp_path: Path) -> None:
    port = free_port()
    depot = CosignatureSigner("example.com/depot", PrivateKey.generate())
    robots = [RobotHome(tmp_path, "r1"), RobotHome(tmp_path, "r2")]
    policy = Policy(
        tuple(PolicyLog(robot.vkey) for robot in robots),
        (PolicyWitness("depot", depot.verifier_key, f"http://127.0.0.1:{port}"),),
        quorum="depot",
    )
    (tmp_path / "policy").write_bytes(policy.encode())
    for robot in robots:
        robot.parameters["memory"] = {"policy": str(tmp_path / "policy")}
    state = WitnessState(MemoryStorage())

    def serving() -> WitnessHttpServer:
        service = WitnessService(Follower(policy, state, depot))
        server = WitnessHttpServer(service, "127.0.0.1", port)
        server.start()
        return server

    def quorum_met(robot: RobotHome, size: int) -> bool:
        with open_home(robot.home) as home:
            note = home.log.checkpoint_at(size)
        return note is not None and policy.check(note).quorum_met

    elsewhere = Ros(next_domain())
    with robots[0].start(ros) as here, robots[1].start(elsewhere) as there:
        for running in (here, there):
            eventually(lambda running=running: "owns" in running.output)
        record(robots[0], 2)
        record(robots[1], 3)
        with closing(serving()):
            eventually(lambda: quorum_met(robots[0], 2), lambda: here.output)
            eventually(lambda: quorum_met(robots[1], 3), lambda: there.output)
        # While the witness is down the robots go on; it catches up with one proof each.
        record(robots[0], 4)
        record(robots[1], 1)
        eventually(lambda: checkpoint_size(robots[0]) == 6)
        assert not quorum_met(robots[0], 6)
        with closing(serving()):
            eventually(lambda: quorum_met(robots[0], 6), lambda: here.output)
            eventually(lambda: quorum_met(robots[1], 4), lambda: there.output)


def checkpoint_size(robot: RobotHome) -> int:
    with open_home(robot.home) as home:
        return max((size for size, _ in home.log.checkpoints()), default=0)
