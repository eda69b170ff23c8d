"""The memory node as a process: what it answers, what it publishes, how it ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from mcap.writer import Writer

from ledger.checkpoint import Checkpoint, open_checkpoint
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Experience, Pruning
from ledger.home import open_home
from ledger.memory.borrowing import borrow_home
from ledger.memory.control_client import ControlClient, NoOwnerError
from ledger.memory.owner import MemoryOwner
from ledger.memory.socket_sink import SocketSink
from ledger.merkle.consistency import verify_consistency
from ledger.verifier import verify_proof_file
from ledger.witnessing.proof_source import split_hashes
from tests.ledger.memory.recorded import GrowingFile
from tests.ros.graph import Graph, RobotHome, ended, eventually, write_policy
from tests.ros.ros_process import Ros, Running

CHECKPOINT = "quipu_interfaces/msg/Checkpoint"
NOT_FOUND = 1
PREFIX_CHANGED = 2
PARAMETER_SERVICES = {
    "describe_parameters": "rcl_interfaces/srv/DescribeParameters",
    "get_parameter_types": "rcl_interfaces/srv/GetParameterTypes",
    "get_parameters": "rcl_interfaces/srv/GetParameters",
    "list_parameters": "rcl_interfaces/srv/ListParameters",
    "set_parameters": "rcl_interfaces/srv/SetParameters",
    "set_parameters_atomically": "rcl_interfaces/srv/SetParametersAtomically",
    "get_type_description": "type_description_interfaces/srv/GetTypeDescription",
}
LIFECYCLE_SERVICES = {
    "change_state": "lifecycle_msgs/srv/ChangeState",
    "get_state": "lifecycle_msgs/srv/GetState",
    "get_available_states": "lifecycle_msgs/srv/GetAvailableStates",
    "get_available_transitions": "lifecycle_msgs/srv/GetAvailableTransitions",
    "get_transition_graph": "lifecycle_msgs/srv/GetAvailableTransitions",
}
# All that a robot offers to whoever is on its DDS domain, and nothing more: none of it
# commits, signs, alters or erases what is in the log, or reads a recording.
OFFERED = {
    "memory": {
        "prove_inclusion": "quipu_interfaces/srv/ProveInclusion",
        "prove_consistency": "quipu_interfaces/srv/ProveConsistency",
    },
    "witness": {"add_checkpoint": "quipu_interfaces/srv/AddCheckpoint"},
    "recorder": {
        "mark_episode": "quipu_interfaces/srv/MarkEpisode",
        "stop_episode": "std_srvs/srv/Trigger",
        "trigger": "std_srvs/srv/Trigger",
        "split": "std_srvs/srv/Trigger",
        "record_episode/_action/send_goal": "quipu_interfaces/action/RecordEpisode_SendGoal",
        "record_episode/_action/cancel_goal": "action_msgs/srv/CancelGoal",
        "record_episode/_action/get_result": "quipu_interfaces/action/RecordEpisode_GetResult",
    },
}


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


@pytest.fixture
def graph(ros: Ros) -> Iterator[Graph]:
    """A peer on the robots' domain."""
    with Graph(ros) as graph:
        yield graph


@pytest.fixture
def robot(ros: Ros, tmp_path: Path) -> RobotHome:
    """A robot, not started."""
    return RobotHome(tmp_path, "r1")


@pytest.fixture
def memory(ros: Ros, robot: RobotHome) -> Iterator[Running]:
    """Its memory node, active."""
    with robot.start(ros, process="memory") as running:
        eventually(lambda: "owns" in running.output, lambda: running.output)
        yield running


def record(robot: RobotHome, count: int = 1) -> int:
    """Commit ``count`` short recordings, as a recorder in another process does."""
    with closing(SocketSink(robot.home)) as sink:
        for _ in range(count):
            growing = GrowingFile.begin(sink)
            growing.content.update(b"a" * 10)
            growing.path.write_bytes(b"a" * 10)
            index = growing.seal().index
    return index


def size_of(robot: RobotHome) -> int:
    with ControlClient(robot.home) as client:
        return client.status().checkpoint_size


def test_checkpoints_reach_who_comes_late_and_its_proofs_hold(
    memory: Running, robot: RobotHome, graph: Graph, ros: Ros
) -> None:
    record(robot, 3)
    eventually(lambda: size_of(robot) == 3)
    graph.listen("/quipu/checkpoints", CHECKPOINT)
    (first,) = eventually(lambda: graph.heard("/quipu/checkpoints"))
    assert (first["origin"], first["size"], first["node"]) == (robot.vkey.name, 3, "/r1/memory")
    old = open_checkpoint(bytes.fromhex(first["note"]), [robot.vkey]).checkpoint
    assert (old.origin, old.size) == (robot.vkey.name, 3)
    record(robot, 2)
    eventually(lambda: len(graph.heard("/quipu/checkpoints")) >= 2)
    new = eventually(
        lambda: next((m for m in graph.heard("/quipu/checkpoints") if m["size"] == 5), None)
    )
    answer = graph.call(
        f"{new['node']}/prove_consistency",
        "quipu_interfaces/srv/ProveConsistency",
        old_size=3,
        new_size=5,
    )
    assert (answer["error_code"], answer["new_size"]) == (0, 5)
    proof = split_hashes(bytes.fromhex(answer["proof"]))
    newest = open_checkpoint(bytes.fromhex(answer["note"]), [robot.vkey]).checkpoint
    verify_consistency(3, 5, old.root, newest.root, proof)
    for index, size in ((4, 0), (0, 3), (2, 5)):
        answer = graph.call(
            f"{new['node']}/prove_inclusion",
            "quipu_interfaces/srv/ProveInclusion",
            index=index,
            size=size,
        )
        verified = verify_proof_file(bytes.fromhex(answer["proof"]), [robot.vkey])
        assert (verified.index, verified.checkpoint.size) == (index, size or 5)


def test_what_cannot_be_proved_has_a_code_and_a_message(
    memory: Running, robot: RobotHome, graph: Graph
) -> None:
    record(robot)
    eventually(lambda: size_of(robot) == 1)
    most = 2**64 - 1
    inclusion = ({"index": 9}, {"index": most, "size": most}, {"index": 0, "size": 7})
    consistency = (
        {"old_size": 9},
        {"old_size": 1, "new_size": 9},
        {"old_size": 0, "new_size": most},
        {"old_size": 2**63, "new_size": 1},
    )
    for service, kind, asked in (
        ("prove_inclusion", "ProveInclusion", inclusion),
        ("prove_consistency", "ProveConsistency", consistency),
    ):
        for fields in asked:
            answer = graph.call(f"/r1/memory/{service}", f"quipu_interfaces/srv/{kind}", **fields)
            assert (answer["error_code"], answer["proof"]) == (NOT_FOUND, ""), fields
            assert answer["error_msg"]


def test_the_life_cycle(memory: Running, robot: RobotHome, graph: Graph) -> None:
    node = "/r1/memory"
    assert graph.state(node) == "active"
    graph.listen("/quipu/checkpoints", CHECKPOINT)
    record(robot)
    assert graph.change(node, "deactivate")
    assert size_of(robot) == 1  # signed before it went to rest
    record(robot)  # it commits still, and answers, and signs nothing
    time.sleep(1.0)
    assert size_of(robot) == 1
    assert graph.change(node, "cleanup")
    with pytest.raises(NoOwnerError):
        ControlClient(robot.home)
    MemoryOwner.open(robot.home).close()
    assert not graph.change(node, "activate")
    assert graph.change(node, "configure")
    assert graph.change(node, "activate")
    eventually(lambda: size_of(robot) == 2)
    heard = eventually(lambda: [m["size"] for m in graph.heard("/quipu/checkpoints")][-1] == 2)
    assert heard
    assert graph.change(node, "shutdown")
    assert graph.state(node) == "finalized"
    assert ended(memory, signal.SIGINT) == 0


def test_configuring_fails_while_another_has_the_home(
    robot: RobotHome, ros: Ros, graph: Graph
) -> None:
    robot.parameters["memory"] = {"autostart": False, "open_timeout_s": 0.5}
    with robot.start(ros, process="memory") as running:
        assert graph.state("/r1/memory") == "unconfigured"
        with borrow_home(robot.home):
            assert not graph.change("/r1/memory", "configure")
            assert graph.state("/r1/memory") == "unconfigured"
        assert "is writing to" in running.output
        assert graph.change("/r1/memory", "configure")
        assert ended(running, signal.SIGTERM) == 0


def test_what_the_robot_offers_and_nothing_more(robot: RobotHome, ros: Ros, graph: Graph) -> None:
    policy = robot.folder / "policy"
    write_policy(policy, [robot], 1)
    robot.parameters["witness"] = {"policy": str(policy)}
    with robot.start(ros) as running:
        eventually(lambda: "witness key" in running.output, lambda: running.output)
        expected = {
            f"/r1/{node}/{name}": [kind]
            for node, own in OFFERED.items()
            for name, kind in {**PARAMETER_SERVICES, **LIFECYCLE_SERVICES, **own}.items()
        }

        def offered() -> dict[str, Any]:
            services = graph.ask("services")
            return {name: kinds for name, kinds in services.items() if name.startswith("/r1/")}

        eventually(lambda: offered() == expected, lambda: sorted(offered().items()))
        actions = {"/r1/recorder/record_episode": ["quipu_interfaces/action/RecordEpisode"]}
        eventually(lambda: graph.ask("actions") == actions, lambda: graph.ask("actions"))
        # And each answers: a node may be taken down and up again beside the others.
        for node in ("/r1/recorder", "/r1/witness", "/r1/memory"):
            assert graph.state(node) == "active"
            assert graph.change(node, "deactivate")
            assert graph.change(node, "cleanup")
        for node in ("/r1/memory", "/r1/witness", "/r1/recorder"):
            assert graph.change(node, "configure"), running.output
            assert graph.change(node, "activate"), running.output
            assert graph.state(node) == "active"
        assert ended(running, signal.SIGINT) == 0


def test_no_parameter_can_be_set_from_outside(robot: RobotHome, ros: Ros, graph: Graph) -> None:
    some = {
        "memory": {"home", "policy", "retention.keep_for_s"},
        "recorder": {"home", "topics", "min_free_bytes", "black_box.triggers"},
        "witness": {"home", "policy", "state"},
    }
    with robot.start(ros):
        for node, expected in some.items():
            names = graph.call(f"/r1/{node}/list_parameters", "rcl_interfaces/srv/ListParameters")
            described = graph.call(
                f"/r1/{node}/describe_parameters",
                "rcl_interfaces/srv/DescribeParameters",
                names=names["result"]["names"],
            )["descriptors"]
            open_ones = {each["name"] for each in described if not each["read_only"]}
            assert open_ones <= {"use_sim_time", "start_type_description_service"}
            assert expected < {each["name"] for each in described}
            assert all(each["description"] for each in described if each["name"] not in open_ones)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_good_order(
    memory: Running, robot: RobotHome, graph: Graph, number: int
) -> None:
    with closing(SocketSink(robot.home)) as sink:
        growing = GrowingFile.begin(sink)
        growing.write(b"a" * 100)
        growing.seal()
        assert ended(memory, number) == 0, memory.output
    assert not (robot.home / "control.sock").exists()
    with open_home(robot.home) as home:
        note = home.log.latest_checkpoint()
        assert note is not None
        assert Checkpoint.of_note(note).size == home.log.size == 2


def test_it_ends_though_it_was_stopped_when_it_was_told_to(memory: Running) -> None:
    """The kernel gives such a signal to whichever of its threads runs first again."""
    memory.process.send_signal(signal.SIGSTOP)
    stat = Path(f"/proc/{memory.process.pid}/stat")
    eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
    memory.process.send_signal(signal.SIGINT)
    assert ended(memory, signal.SIGCONT) == 0, memory.output


def test_it_ends_though_the_home_is_lent(memory: Running, robot: RobotHome) -> None:
    with borrow_home(robot.home):
        assert ended(memory, signal.SIGINT) == 0, memory.output


def test_parameters_that_make_no_sense_end_it(robot: RobotHome, ros: Ros) -> None:
    out_of_range = {
        "checkpoint_period_s:=0.0": "checkpoint_period_s",
        "retention.keep_at_most_bytes:=-1": "retention.keep_at_most_bytes",
        "checkpoint_period_s:=often": "checkpoint_period_s",
    }
    impossible = {
        "home:=''": "parameter home",
        "home:=/nowhere/at/all": "is not a home",
        "origin:=example.com/another": "the home is that of example.com/r1",
        "policy:=/nowhere/at/all": "parameter policy",
        "policy:=/etc/passwd": "parameter policy",
        "ask_witnesses:=['w1=/r2/witness']": "parameter ask_witnesses",
    }
    with ExitStack() as stack:
        running = [
            (code, said, stack.enter_context(robot.start(ros, "-p", given, process="memory")))
            for code, cases in ((2, out_of_range), (1, impossible))
            for given, said in cases.items()
        ]
        for code, said, each in running:
            assert each.wait(60) == code, each.output
            assert said in each.output
            assert "Traceback" not in each.output
    MemoryOwner.open(robot.home).close()


def test_names_of_every_legal_character(ros: Ros, tmp_path: Path, graph: Graph) -> None:
    names = {"/A_b9/cD0_/_x1": "memory", "/_": "memory", "/Z": "_M3m0ry_"}
    robots = [RobotHome(tmp_path, f"n{number}") for number in range(len(names))]
    graph.listen("/quipu/checkpoints", CHECKPOINT)
    with ExitStack() as stack:
        running = []
        for robot, (namespace, name) in zip(robots, names.items(), strict=True):
            topic = f"{namespace}/_5aid_"
            robot.parameters["recorder"] = {"topics": [topic]}
            text = {"kind": "std_msgs/msg/String", "fields": {"data": topic}}
            graph.ask("publish", topic=topic, **text)
            given = ["-r", f"memory:__node:={name}", "-p", f"home:={robot.home}"]
            running.append(stack.enter_context(robot.start(ros, *given, namespace=namespace)))
        for namespace, name in names.items():
            node = f"{namespace}/{name}"
            answer = graph.call(
                f"{node}/prove_consistency", "quipu_interfaces/srv/ProveConsistency"
            )
            assert answer["error_code"] in (0, NOT_FOUND)
            eventually(
                lambda node=node: node in {m["node"] for m in graph.heard("/quipu/checkpoints")}
            )
        for robot, each in zip(robots, running, strict=True):
            with ControlClient(robot.home) as client:
                eventually(lambda client=client: client.status().entries)
            assert ended(each, signal.SIGINT) == 0, each.output
    for robot, namespace in zip(robots, names, strict=True):
        with open_home(robot.home) as home:
            kinds = [parse_entry(entry).kind for entry in home.log.entries()]
        (segment,) = [kind for kind in kinds if isinstance(kind, Experience)]
        assert segment.name.startswith(f"{namespace[1:].replace('/', '_')}_")
        assert [topic.name for topic in segment.topics] == [f"{namespace}/_5aid_"]


def test_simulated_time_is_in_the_stamps(robot: RobotHome, ros: Ros, graph: Graph) -> None:
    robot.parameters["memory"] = {"use_sim_time": True}
    with robot.start(ros, process="memory") as running:
        eventually(lambda: "owns" in running.output, lambda: running.output)
        clock = {"topic": "/clock", "kind": "rosgraph_msgs/msg/Clock", "latched": False}
        graph.listen("/quipu/checkpoints", CHECKPOINT)

        def stamped(second: int) -> bool:
            graph.ask("publish", **clock, fields={"clock": {"sec": second}})
            record(robot)
            return any(m["stamp"]["sec"] == second for m in graph.heard("/quipu/checkpoints"))

        eventually(lambda: stamped(4711))
        eventually(lambda: stamped(4712))


def test_bags_of_another_recorder_are_followed(
    robot: RobotHome, ros: Ros, graph: Graph, tmp_path: Path
) -> None:
    bags = tmp_path / "bags"
    bags.mkdir()
    robot.parameters["memory"] = {"follow": [str(bags)]}
    graph.listen("/quipu/alarms", "quipu_interfaces/msg/Alarm")
    with robot.start(ros, process="memory") as running:
        eventually(lambda: "owns" in running.output, lambda: running.output)
        bag = bags / "drive.mcap"
        with bag.open("wb") as file:
            writer = Writer(file)
            writer.start()
            channel = writer.register_channel("/imu", "json", 0)
            for number in range(100):
                writer.add_message(channel, number, b"{}", number)
            writer.finish()
        eventually(lambda: "sealed" in running.output, lambda: running.output)
        # What is sealed and stays where it lies is watched: a bit flipped is an alarm.
        data = bytearray(bag.read_bytes())
        data[100] ^= 1
        bag.write_bytes(data)
        (alarm,) = eventually(lambda: graph.heard("/quipu/alarms"), lambda: running.output)
        assert (alarm["kind"], alarm["origin"]) == (PREFIX_CHANGED, robot.vkey.name)
        assert (alarm["reporter"], alarm["first"]) == ("/r1/memory", "")
        assert "drive.mcap" in alarm["detail"]
        assert ended(running, signal.SIGINT) == 0, running.output


def test_recordings_are_offloaded_and_then_make_room(
    robot: RobotHome, ros: Ros, graph: Graph, tmp_path: Path
) -> None:
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    robot.parameters["memory"] = {
        "offload.directory": str(shelf),
        "retention.keep_at_most_bytes": 15,
        "retention.period_s": 1.0,
    }
    graph.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", latched=False)

    def oldest_are_gone() -> bool:
        with open_home(robot.home) as home:
            kinds = [parse_entry(entry).kind for entry in home.log.entries()]
        recorded = [kind.record_id for kind in kinds if isinstance(kind, Experience)]
        gone = [each for kind in kinds if isinstance(kind, Pruning) for each in kind.record_ids]
        return len(recorded) == 3 and sorted(gone) == sorted(recorded[:2])

    def told() -> set[str]:
        statuses = [s for m in graph.heard("/diagnostics") for s in m["status"]]
        return {value["key"] for s in statuses for value in s["values"]}

    with robot.start(ros, process="memory") as running:
        eventually(lambda: "owns" in running.output, lambda: running.output)
        record(robot, 3)  # of 10 bytes each: one may stay
        eventually(oldest_are_gone, lambda: running.output)
        eventually(lambda: {"offloaded", "pruned"} <= told())
        assert ended(running, signal.SIGINT) == 0, running.output
    assert len(list(shelf.rglob("drive_0.mcap"))) == 3


def test_a_home_is_made_where_that_is_wanted(robot: RobotHome, ros: Ros) -> None:
    new = robot.folder / "new" / "home"
    robot.parameters["memory"] = {
        "home": str(new),
        "create_home": True,
        "origin": "example.com/new",
    }
    for _ in range(2):
        with robot.start(ros, process="memory") as running:
            eventually(lambda: "owns" in running.output, lambda: running.output)
            assert ended(running, signal.SIGINT) == 0
    with open_home(new) as home:
        assert home.log.origin == "example.com/new"
