"""Robots that watch each other: cosignatures, and forks that do not go unnoticed."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.home import open_home
from ledger.memory.control_client import ControlClient
from ledger.memory.socket_sink import SocketSink
from ledger.signing_keys import SigningKeys
from ledger.witnessing.evidence import ForkClaim, verify_evidence
from ledger.witnessing.policy import Policy
from ledger.witnessing.proof_source import split_hashes
from tests.ledger.memory.recorded import GrowingFile
from tests.ros.graph import Graph, RobotHome, ended, eventually, fleet, write_policy
from tests.ros.ros_process import Ros, Running

ALARM = "quipu_interfaces/msg/Alarm"
CHECKPOINT = "quipu_interfaces/msg/Checkpoint"
FORK = 1


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


@pytest.fixture
def robots(tmp_path: Path) -> list[RobotHome]:
    """Three robots; two cosignatures of three make the quorum."""
    made = [RobotHome(tmp_path, f"r{number}") for number in (1, 2, 3)]
    write_policy(tmp_path / "policy", made, 2)
    for robot in made:
        for node in ("memory", "witness"):
            robot.parameters[node] = {"policy": str(tmp_path / "policy")}
    return made


@pytest.fixture
def running(ros: Ros, robots: list[RobotHome]) -> Iterator[list[Running]]:
    """The robots' processes."""
    with fleet(ros, robots) as running:
        for each in running:
            eventually(partial(says, each, "witness key"))
        yield running


@pytest.fixture
def graph(ros: Ros) -> Iterator[Graph]:
    """A peer on the robots' domain."""
    with Graph(ros) as graph:
        yield graph


def says(running: Running, text: str) -> bool:
    return text in running.output


def record(robot: RobotHome, count: int = 1) -> None:
    with closing(SocketSink(robot.home)) as sink:
        for _ in range(count):
            growing = GrowingFile.begin(sink)
            data = os.urandom(50)
            growing.content.update(data)
            growing.path.write_bytes(data)
            growing.seal()


def cosigned(robot: RobotHome) -> tuple[int, set[str]]:
    """Size of the newest checkpoint, and who cosigned it by the policy."""
    policy = Policy.parse((robot.folder / "policy").read_bytes())
    with open_home(robot.home) as home:
        note = home.log.latest_checkpoint()
    if note is None:
        return 0, set()
    verdict = policy.check(note)
    return verdict.checkpoint.checkpoint.size, set(verdict.cosigned)


def check_alarm(alarm: dict[str, Any], robot: RobotHome) -> None:
    """The evidence in an alarm proves itself, by the accused log's key alone."""
    assert (alarm["kind"], alarm["origin"]) == (FORK, robot.vkey.name)
    claim = ForkClaim.of(
        bytes.fromhex(alarm["first"]),
        bytes.fromhex(alarm["second"]),
        split_hashes(bytes.fromhex(alarm["proof"])),
    )
    assert verify_evidence(claim, [robot.vkey]).origin == robot.vkey.name
    assert alarm["reporter"] in ("/r1/witness", "/r2/witness", "/r3/witness")
    assert alarm["detail"]


def test_three_robots_cosign_each_other_and_catch_up(
    running: list[Running], robots: list[RobotHome], graph: Graph, ros: Ros
) -> None:
    others = {robot.name: {each.name for each in robots} - {robot.name} for robot in robots}
    for robot in robots:
        record(robot, 2)
    for robot in robots:
        eventually(
            lambda robot=robot: cosigned(robot) == (2, others[robot.name]),
            lambda robot=robot: (robot.name, cosigned(robot), running[0].output),
        )
    # The third is away while the others go on; back again, it catches up in one step.
    assert ended(running[2], signal.SIGTERM) == 0, running[2].output
    record(robots[0], 5)
    eventually(lambda: cosigned(robots[0]) == (7, {"r2"}), lambda: cosigned(robots[0]))
    with robots[2].start(ros) as again:
        eventually(
            lambda: cosigned(robots[0]) == (7, others["r1"]),
            lambda: (cosigned(robots[0]), again.output),
        )
        # What late comers hear has all signatures.
        graph.listen("/quipu/checkpoints", CHECKPOINT)
        policy = Policy.parse((robots[0].folder / "policy").read_bytes())

        def heard() -> bool:
            notes = [bytes.fromhex(m["note"]) for m in graph.heard("/quipu/checkpoints")]
            verdicts = [policy.check(note) for note in notes]
            return any(
                v.checkpoint.checkpoint.size == 7 and set(v.cosigned) == others["r1"]
                for v in verdicts
            )

        eventually(heard)
        assert ended(again, signal.SIGINT) == 0, again.output


def test_two_checkpoints_of_one_size_raise_the_alarm(
    running: list[Running], robots: list[RobotHome], graph: Graph, ros: Ros
) -> None:
    graph.listen("/quipu/alarms", ALARM)
    record(robots[2], 3)
    eventually(lambda: cosigned(robots[2]) == (3, {"r1", "r2"}))
    # Whoever has the robot's key signs another tree of three entries.
    signer = SigningKeys(robots[2].home / "keys" / "signing").signer(robots[2].vkey)
    forged = sign_checkpoint(Checkpoint(robots[2].vkey.name, 3, b"f" * 32), [signer])
    publish(graph, forged, "/r3/memory")
    for alarm in eventually(lambda: graph.heard("/quipu/alarms")):
        check_alarm(alarm, robots[2])
    # It gets no cosignature any more, the honest side included.
    record(robots[2])
    eventually(lambda: cosigned(robots[2])[0] == 4)
    record(robots[0])
    eventually(lambda: cosigned(robots[0]) == (1, {"r2", "r3"}))
    assert cosigned(robots[2])[1] == set()
    # Who comes late hears of it, also from a witness that only heard of it itself.
    assert ended(running[0], signal.SIGTERM) == 0
    assert ended(running[1], signal.SIGTERM) == 0
    with robots[0].start(ros), Graph(ros) as late:
        late.listen("/quipu/alarms", ALARM)
        eventually(lambda: "/r1/witness" in {a["reporter"] for a in late.heard("/quipu/alarms")})


def publish(graph: Graph, note: bytes, node: str) -> None:
    checkpoint = Checkpoint.of_note(note)
    graph.ask(
        "publish",
        topic="/quipu/checkpoints",
        kind=CHECKPOINT,
        fields={
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "node": node,
            "note": note.hex(),
        },
    )


def test_a_robot_that_goes_on_from_an_old_backup_is_caught(
    running: list[Running], robots: list[RobotHome], graph: Graph, ros: Ros, tmp_path: Path
) -> None:
    graph.listen("/quipu/alarms", ALARM)
    forking = robots[2]
    record(forking, 3)
    eventually(lambda: cosigned(forking) == (3, {"r1", "r2"}))
    # Everything is put back, also what should have kept it from going on.
    assert ended(running[2], signal.SIGTERM) == 0
    shutil.copytree(tmp_path / "r3", tmp_path / "backup")
    shutil.copytree(tmp_path / "published", tmp_path / "published-backup")
    with forking.start(ros) as second:
        record(forking, 4)
        eventually(lambda: cosigned(forking) == (7, {"r1", "r2"}))
        assert ended(second, signal.SIGTERM) == 0
    shutil.rmtree(tmp_path / "r3")
    shutil.copytree(tmp_path / "backup", tmp_path / "r3")
    shutil.rmtree(tmp_path / "published")
    shutil.copytree(tmp_path / "published-backup", tmp_path / "published")
    with forking.start(ros) as third:
        eventually(lambda: "witness key" in third.output)
        record(forking, 9)
        alarms = eventually(
            lambda: graph.heard("/quipu/alarms"), lambda: third.output + running[0].output
        )
        for alarm in alarms:
            check_alarm(alarm, forking)
        assert cosigned(forking)[1] == set()


def test_lies_on_the_topics_do_nothing(
    running: list[Running], robots: list[RobotHome], graph: Graph
) -> None:
    graph.listen("/quipu/alarms", ALARM)
    record(robots[0], 2)
    eventually(lambda: cosigned(robots[0]) == (2, {"r2", "r3"}))
    with open_home(robots[0].home) as home:
        note = home.log.latest_checkpoint()
    assert note is not None
    stranger = RobotHome(robots[0].folder, "stranger")
    signer = SigningKeys(stranger.home / "keys" / "signing").signer(stranger.vkey)
    for wrong in (
        b"no note",
        note[:-20] + b"AAAAAAAAAAAAAAAAAAA\n",
        sign_checkpoint(Checkpoint(stranger.vkey.name, 3, b"f" * 32), [signer]),
    ):
        graph.ask(
            "publish",
            topic="/quipu/checkpoints",
            kind=CHECKPOINT,
            fields={"origin": robots[0].vkey.name, "node": "/r1/memory", "note": wrong.hex()},
        )
    for alarm in (
        {"kind": FORK, "origin": robots[0].vkey.name, "first": note.hex(), "second": note.hex()},
        {"kind": FORK, "origin": robots[0].vkey.name},
        {"kind": 77},
    ):
        graph.ask(
            "publish", topic="/quipu/alarms", kind=ALARM, fields={**alarm, "reporter": "liar"}
        )
    graph.ask(
        "publish",
        topic="/quipu/cosignatures",
        kind="quipu_interfaces/msg/Cosignature",
        fields={"origin": robots[0].vkey.name, "size": 2, "lines": b"\xe2\x80\x94 x y\n".hex()},
    )
    # A true checkpoint whose proofs are said to be where nobody is.
    record(robots[0])
    eventually(lambda: cosigned(robots[0])[0] == 3)
    publish(graph, note, "/nowhere/memory")
    publish(graph, note, "not a ~name")
    eventually(lambda: cosigned(robots[0]) == (3, {"r2", "r3"}), lambda: cosigned(robots[0]))
    assert all(a["reporter"] == "liar" for a in graph.heard("/quipu/alarms"))
    for robot in robots:
        with ControlClient(robot.home) as client:
            assert not client.status().fault


def test_a_witness_that_is_asked_by_a_service(
    robots: list[RobotHome], ros: Ros, graph: Graph, tmp_path: Path
) -> None:
    """A log that is told whom to ask, and a witness in a process of its own."""
    asking, witness = robots[0], robots[1]
    asking.parameters["memory"] |= {"ask_witnesses": ["r2=/r2/witness"]}
    key = witness.home / "keys" / "witness" / "witness.key"
    state = tmp_path / "state"
    witness.parameters["witness"] |= {"state": str(state), "home": str(witness.home)}
    with witness.start(ros, process="witness") as apart:
        eventually(lambda: "witness key" in apart.output, lambda: apart.output)
        assert "does not list" in apart.output  # it made a key of its own
        assert ended(apart, signal.SIGINT) == 0, apart.output
    shutil.copy(key, state / "witness.key")
    with witness.start(ros, process="witness") as apart, asking.start(ros, process="memory"):
        record(asking, 2)
        eventually(
            lambda: cosigned(asking) == (2, {"r2"}), lambda: (cosigned(asking), apart.output)
        )
        answer = graph.call(
            "/r2/witness/add_checkpoint", "quipu_interfaces/srv/AddCheckpoint", body=b"x".hex()
        )
        assert answer["status"] == 400
        record(asking, 3)
        eventually(
            lambda: cosigned(asking) == (5, {"r2"}), lambda: (cosigned(asking), apart.output)
        )


def test_a_witness_without_a_policy_says_so(
    robots: list[RobotHome], ros: Ros, graph: Graph
) -> None:
    robots[0].parameters["witness"] = {}
    with robots[0].start(ros) as running:
        eventually(lambda: "no policy" in running.output, lambda: running.output)
        graph.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", latched=False)
        names = {"/r1/recorder: recording", "/r1/memory: memory", "/r1/witness: witness"}
        eventually(
            lambda: {s["name"] for m in graph.heard("/diagnostics") for s in m["status"]} == names
        )
        statuses = {s["name"]: s for m in graph.heard("/diagnostics") for s in m["status"]}
        values = {v["key"]: v["value"] for v in statuses["/r1/memory: memory"]["values"]}
        assert {"entries", "backlog_entries", "last_checkpoint_size", "disk_free_bytes"} < set(
            values
        )
        assert (values["state"], statuses["/r1/memory: memory"]["hardware_id"]) == ("open", "r1")
        assert ended(running, signal.SIGINT) == 0
