"""The settlement node as a process: engine or gateway, what it answers, and robots that anchor."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.account import FEE_ASSET
from ledger.chain.body import body_asking
from ledger.chain.codes import ResultCode
from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.service import NoEngineError
from ledger.chain.genesis import Genesis
from ledger.chain.light.answer import verify_answer
from ledger.chain.light.receipt import verify_receipt
from ledger.chain.light.signed_header import verify_signed_header
from ledger.chain.light.trust_file import encode_trust
from ledger.chain.machine.writer import open_chain_to_write
from ledger.chain.state_keys import anchor_key, asset_key
from ledger.chain.transaction import sign_transaction
from ledger.memory.anchor_status import AnchorState, AnchorStatus
from ledger.memory.control_client import ControlClient
from ledger.merkle.consistency import verify_consistency
from ledger.schema.chain_anchor_pb2 import AnchorRecord
from ledger.schema.chain_identity_pb2 import PayFromPool
from ledger.schema.chain_pb2 import EVENT_KIND_PAID
from ledger.witnessing.proof_source import split_hashes
from tests.ledger.memory.anchoring_world import AUTHORITY, AnchoringWorld, name_of
from tests.ros.graph import Graph, RobotHome, ended, eventually
from tests.ros.ros_process import Ros, Running
from tests.ros.test_memory_node import record

SUBMIT = "quipu_interfaces/srv/SubmitTransaction"
QUERY = "quipu_interfaces/srv/QueryState"
HEAD = "/quipu/chain/head"
BLOCKS = "/quipu/chain/blocks"
REFUSED, UNAVAILABLE, NOT_FOUND = 2, 3, 1
STATE, RECEIPT, HEADER, CONSISTENCY, GENESIS = 1, 2, 3, 4, 5


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


@pytest.fixture
def graph(ros: Ros) -> Iterator[Graph]:
    """A peer on the node's domain."""
    with Graph(ros) as graph:
        yield graph


@pytest.fixture
def world(ros: Ros, tmp_path: Path) -> AnchoringWorld:
    """A chain and a fleet, at rest: whoever opens it is its engine."""
    world = AnchoringWorld(tmp_path / "chain")
    world.stop()
    return world


@contextmanager
def settling(ros: Ros, **parameters: object) -> Iterator[Running]:
    command = ["python", "-m", "quipu_nodes.settlement", "--ros-args"]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={value}"]
    with ros.start(*command) as running:
        yield running


def engine(ros: Ros, world: AnchoringWorld, **parameters: object) -> Any:
    return settling(ros, home=world.root, block_period_s=0.0, **parameters)


def payment(world: AnchoringWorld, sequence: int, chain: bytes = b"") -> bytes:
    message = PayFromPool(
        fleet=world.fleet, asset=FEE_ASSET, recipient=name_of(AUTHORITY), amount=7
    )
    body = body_asking(message, sequence=sequence, expiry_height=1 << 40, fee=1)
    return sign_transaction(chain or world.chain, AUTHORITY, body)


def submit(graph: Graph, transaction: bytes) -> dict[str, Any]:
    return graph.call("/settlement/submit_transaction", SUBMIT, transaction=transaction.hex())


def query(graph: Graph, kind: int, **fields: Any) -> dict[str, Any]:
    return graph.call("/settlement/query_state", QUERY, kind=kind, **fields)


def diagnosed(graph: Graph, about: str) -> dict[str, Any]:
    """The newest status of a node: its level, its message and its values."""
    for array in reversed(graph.heard("/diagnostics")):
        for status in array["status"]:
            if status["name"] == about:
                values = {each["key"]: each["value"] for each in status["values"]}
                return {**values, "level": int(status["level"], 16), "message": status["message"]}
    return {}


def test_it_is_an_engine_whose_every_answer_is_proven(
    ros: Ros, world: AnchoringWorld, graph: Graph
) -> None:
    with engine(ros, world) as running:
        eventually(lambda: "is the engine of" in running.output, lambda: running.output)
        graph.listen(BLOCKS, "quipu_interfaces/msg/ChainBlock", latched=False)
        graph.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", latched=False)
        said = submit(graph, payment(world, 3))
        assert said["error_code"] == 0, said
        transaction = said["transaction_id"]

        def receipt() -> str:
            return str(query(graph, RECEIPT, key=transaction)["answer"])

        verified = verify_receipt(bytes.fromhex(eventually(receipt)), world.trust)
        assert verified.carried_out
        height = verified.header.height

        # Latched: who listens now still hears where the chain stands.
        graph.listen(HEAD, "quipu_interfaces/msg/ChainHead")
        head = eventually(lambda: next((h for h in graph.heard(HEAD) if h["height"] >= height), 0))
        signed = verify_signed_header(bytes.fromhex(head["signed_header"]), world.trust)
        assert (signed.header.height, head["node"]) == (head["height"], "/settlement")
        assert bytes.fromhex(head["chain"]) == world.chain
        (block,) = eventually(lambda: graph.heard(BLOCKS))
        assert (block["height"], block["transactions"], block["omitted"]) == (height, 1, 0)
        (event,) = block["events"]
        assert (event["kind"], event["amount"]) == (EVENT_KIND_PAID, 7)
        assert event["subject"] == name_of(AUTHORITY).hex()
        assert event["transaction"] == transaction

        for key in (asset_key(FEE_ASSET), asset_key(99)):
            for asked in (0, height, height - 1):
                answer = query(graph, STATE, key=key.hex(), height=asked)["answer"]
                proven = verify_answer(bytes.fromhex(answer), key, world.trust)
                assert (proven.value is None) == (key == asset_key(99))
                assert not asked or proven.header.height == asked
        genesis = Genesis.parse(bytes.fromhex(query(graph, GENESIS)["answer"]))
        assert genesis.chain == world.chain
        old = verify_signed_header(
            bytes.fromhex(query(graph, HEADER, height=height - 1)["answer"]), world.trust
        ).checkpoint.checkpoint
        new = signed.checkpoint.checkpoint
        proof = query(graph, CONSISTENCY, old_size=2, new_size=new.size)["answer"]
        assert split_hashes(bytes.fromhex(proof))
        proof = query(graph, CONSISTENCY, old_size=old.size, new_size=new.size)["answer"]
        hashes = split_hashes(bytes.fromhex(proof))
        verify_consistency(old.size, new.size, old.root, new.root, hashes)

        _refusals(graph, world)
        told = eventually(
            lambda: (d := diagnosed(graph, "/settlement: settlement")).get("state") and d
        )
        assert (told["level"], told["message"]) == (0, "settling")
        assert (told["engine"], int(told["height"]) >= height) == ("embedded", True)
        assert {"waiting", "last_block_age_s", "log_size", "fault"} <= told.keys()
        with ChainClient.at_home(world.root) as client:  # its socket is served, too
            assert client.info().height >= height
        assert ended(running, signal.SIGINT) == 0, running.output
    with pytest.raises(NoEngineError):
        ChainClient.at_home(world.root)
    with open_chain_to_write(world.root) as home:
        assert home.machine.info().height >= height


def _refusals(graph: Graph, world: AnchoringWorld) -> None:
    for transaction, code in (
        (b"", ResultCode.UNKNOWN_VERSION),
        (b"nonsense", ResultCode.MALFORMED),
        (bytes(70_000), ResultCode.TOO_LARGE),
        (payment(world, 0), ResultCode.SEQUENCE_PAST),
        (payment(world, 4, chain=bytes(32)), ResultCode.WRONG_SIGNATURE),
    ):
        said = submit(graph, transaction)
        assert said["error_code"] == REFUSED, said
        assert said["error_msg"]
        if transaction:
            assert said["result_code"] == code, said
    most = 2**64 - 1
    for kind, fields, code in (
        (0, {}, REFUSED),
        (99, {}, REFUSED),
        (RECEIPT, {"key": bytes(32).hex()}, NOT_FOUND),
        (RECEIPT, {"key": "00"}, None),
        (RECEIPT, {}, None),
        (STATE, {"key": "00", "height": most}, None),
        (HEADER, {"height": most}, None),
        (HEADER, {"height": most - 1}, NOT_FOUND),
        (CONSISTENCY, {"old_size": most, "new_size": 1}, None),
        (CONSISTENCY, {"old_size": 0, "new_size": most}, None),
    ):
        said = query(graph, kind, **fields)
        assert said["error_code"] in ({code} if code else {REFUSED, NOT_FOUND}), (
            kind,
            fields,
            said,
        )
        assert said["error_msg"]
        assert not said["answer"]


def test_a_gateway_waits_for_its_engine_and_comes_back_with_it(
    ros: Ros, world: AnchoringWorld, graph: Graph
) -> None:
    socket = world.root / "chain.sock"
    with settling(ros, socket=socket) as running:
        graph.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", latched=False)
        graph.listen(HEAD, "quipu_interfaces/msg/ChainHead")
        assert query(graph, GENESIS)["error_code"] == UNAVAILABLE
        assert submit(graph, payment(world, 3))["error_code"] == UNAVAILABLE
        eventually(lambda: diagnosed(graph, "/settlement: settlement").get("level") == 2)
        for sequence in (3, 4):  # an engine, and the one after it
            with _served(world):
                eventually(lambda: query(graph, GENESIS)["error_code"] == 0)
                assert submit(graph, payment(world, sequence))["error_code"] == 0
                eventually(lambda: diagnosed(graph, "/settlement: settlement").get("level") == 0)
                height = world.engine.info().height
                eventually(lambda h=height: any(m["height"] >= h for m in graph.heard(HEAD)))
            eventually(lambda: diagnosed(graph, "/settlement: settlement").get("level") == 2)
        assert ended(running, signal.SIGTERM) == 0, running.output


@contextmanager
def _served(world: AnchoringWorld) -> Iterator[None]:
    """An engine in this very process."""
    from ledger.chain.engines.server import serve_chain
    from tests.ledger.memory.anchoring_world import SETTINGS

    with serve_chain(world.root, SETTINGS) as world.engine:
        yield


@pytest.mark.parametrize(
    "parameters", [{}, {"home": "/nowhere/chain"}, {"home": "/a", "socket": "/b"}], ids=str
)
def test_what_it_cannot_offer_it_says(ros: Ros, parameters: dict[str, str]) -> None:
    with settling(ros, **parameters) as running:
        assert running.wait(60) == 1
        assert "Traceback" not in running.output
        assert "[ERROR]" in running.output


def anchor_of(robot: RobotHome) -> AnchorStatus:
    with ControlClient(robot.home) as client:
        return client.status().anchor


def test_robots_anchor_over_ros_and_over_the_socket_whatever_dies(
    ros: Ros, world: AnchoringWorld, graph: Graph, tmp_path: Path
) -> None:
    trust = tmp_path / "chain.trust"
    trust.write_bytes(encode_trust(world.trust))
    ways = {
        "r1": {"anchor.node": "/settlement"},
        "r2": {"anchor.socket": f"{world.root}/chain.sock"},
    }
    robots = [RobotHome(tmp_path, name) for name in ways]
    for robot in robots:
        robot.parameters["memory"] = {
            "anchor.trust": str(trust),
            "anchor.period_s": 0.5,
            **ways[robot.name],
        }
    stranger = RobotHome(tmp_path, "r3", {"memory": robots[1].parameters["memory"]})
    world.start()
    for robot in robots:
        world.register(robot.home)
    world.stop()
    graph.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", latched=False)

    def all_at(size: int) -> bool:
        return all(anchor_of(robot).size == size for robot in robots)

    with (
        robots[0].start(ros, process="memory") as first,
        robots[1].start(ros, process="memory") as second,
        stranger.start(ros, process="memory") as third,
    ):
        for running in (first, second, third):
            eventually(lambda r=running: "owns" in r.output, lambda r=running: r.output)
        for robot in (*robots, stranger):
            record(robot, 2)
        eventually(lambda: anchor_of(robots[1]).state is AnchorState.UNREACHABLE)
        with engine(ros, world) as chain:
            eventually(lambda: all_at(2), lambda: (chain.output, first.output, second.output))
            told = eventually(
                lambda: (
                    (d := diagnosed(graph, "/r1/memory: memory")).get("anchored_size") == "2" and d
                )
            )
            assert (told["level"], told["anchor_state"]) == (0, "anchored")
            # The chain does not know this one: it says so, loudly, and records on.
            eventually(lambda: diagnosed(graph, "/r3/memory: memory").get("level") == 2)
            assert "the chain does not know this log" in third.output
            record(stranger, 1)
            eventually(lambda: anchor_of(stranger).state is AnchorState.UNKNOWN)
            chain.kill()
        for robot in robots:
            record(robot, 5)
        eventually(lambda: anchor_of(robots[1]).state is AnchorState.UNREACHABLE)
        assert all_at(2)
        first.kill()
        with engine(ros, world) as chain, robots[0].start(ros, process="memory") as first:
            eventually(lambda: "owns" in first.output, lambda: first.output)
            eventually(lambda: all_at(7), lambda: (chain.output, first.output, second.output))
            assert ended(first, signal.SIGINT) == 0, first.output
            assert ended(second, signal.SIGTERM) == 0, second.output
            assert ended(chain, signal.SIGTERM) == 0, chain.output
    world.start()
    for robot in robots:
        key = anchor_key(robot.vkey.name)
        value = verify_answer(world.engine.answer(key), key, world.trust).value
        assert AnchorRecord.FromString(value or b"").size == 7
    world.stop()


def test_its_parameters_stay_as_they_were_given(
    ros: Ros, world: AnchoringWorld, graph: Graph
) -> None:
    with engine(ros, world) as running:
        eventually(lambda: "is the engine of" in running.output, lambda: running.output)

        def offered() -> set[str]:
            services = graph.ask("services")
            own = {name for name in services if name.startswith("/settlement/")}
            return {name for name in own if "quipu_interfaces" in json.dumps(services[name])}

        both = {"/settlement/submit_transaction", "/settlement/query_state"}
        eventually(lambda: offered() == both, offered)  # DDS discovers one after the other
        described = graph.call(
            "/settlement/describe_parameters",
            "rcl_interfaces/srv/DescribeParameters",
            names=["home", "socket", "block_period_s", "empty_block_period_s"],
        )
        assert all(each["read_only"] and each["description"] for each in described["descriptors"])
