"""Robots on different ROS domains, which one witness on another site holds to one history."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ledger.ed25519 import PrivateKey
from ledger.home import open_home
from ledger.note import CosignatureSigner, SignedNote
from ledger.storage.memory import MemoryStorage
from ledger.witness import AddCheckpointRequest, WitnessState
from ledger.witnessing.follower import Follower
from ledger.witnessing.http_server import WitnessHttpServer
from ledger.witnessing.policy import Policy, PolicyLog, PolicyWitness
from ledger.witnessing.service import WitnessService
from tests.ros.graph import RobotHome, ended, eventually
from tests.ros.ros_process import Ros
from tests.ros.test_witness_node import record


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody else gets, and that refuses whoever comes while no server is there."""
    with closing(socket.socket()) as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", 0))
        kept: int = keeper.getsockname()[1]
        yield kept


@contextmanager
def lying() -> Iterator[tuple[PolicyWitness, list[bytes]]]:
    """A witness that lies in another way each time, and what it was asked."""
    key = CosignatureSigner("example.com/liar", PrivateKey.generate())
    impostor = CosignatureSigner("example.com/depot", PrivateKey.generate())
    asked: list[bytes] = []

    def lie(body: bytes) -> tuple[int, bytes]:
        own = AddCheckpointRequest.parse(body).checkpoint
        larger = replace(own, size=own.size + 5, root=b"f" * 32)
        return (
            (200, key.sign(larger.encode(), 5).encode().encode()),
            (200, impostor.sign(own.encode(), 5).encode().encode()),
            (409, b"9000000000000000000\n"),
            (200, b"\xff" * 500_000),
        )[len(asked) % 4]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = lie(body)
            asked.append(body)
            with suppress(ConnectionError):
                self.send_response(status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield (
            PolicyWitness("liar", key.verifier_key, f"http://127.0.0.1:{server.server_port}"),
            asked,
        )
        server.shutdown()


def test_domains_apart_and_one_witness_over_http(
    ros: Ros, elsewhere: Ros, port: int, tmp_path: Path
) -> None:
    """The witness is down for a while; and another one lies whenever it is asked."""
    with lying() as (liar, asked):
        check_domains_apart((ros, elsewhere), port, tmp_path, liar, asked)


def check_domains_apart(
    domains: tuple[Ros, Ros], port: int, tmp_path: Path, liar: PolicyWitness, asked: list[bytes]
) -> None:
    depot = CosignatureSigner("example.com/depot", PrivateKey.generate())
    robots = [RobotHome(tmp_path, "r1"), RobotHome(tmp_path, "r2")]
    policy = Policy(
        tuple(PolicyLog(robot.vkey) for robot in robots),
        (
            PolicyWitness("depot", depot.verifier_key, f"http://127.0.0.1:{port}"),
            liar,
        ),
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

    with robots[0].start(domains[0]) as here, robots[1].start(domains[1]) as there:
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
        eventually(lambda: len(asked) >= 4, lambda: here.output + there.output)
        for running in (here, there):
            assert ended(running, signal.SIGTERM) == 0, running.output
    # Of all the lies nothing was kept: the log's own signature, and the honest witness's.
    for robot, size in zip(robots, (6, 4), strict=True):
        with open_home(robot.home) as home:
            note = home.log.checkpoint_at(size)
        assert note is not None
        signed = [line.name for line in SignedNote.parse(note).signatures]
        assert signed == [robot.vkey.name, depot.verifier_key.name]


def checkpoint_size(robot: RobotHome) -> int:
    with open_home(robot.home) as home:
        return max((size for size, _ in home.log.checkpoints()), default=0)
