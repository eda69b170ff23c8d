"""`quipu_interfaces`, as it was generated: types, constants, bytes, and two processes that talk."""

from __future__ import annotations

import importlib
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rosbags.typesys import Stores, get_typestore

from ledger.schema.chain_pb2 import EventKind
from tests.ros.ros_process import ROOT, Ros

PACKAGE = ROOT / "ros_ws/src/quipu_interfaces"
PEER = ROOT / "tests/ros/interface_peer.py"
FILES = sorted(
    path.relative_to(PACKAGE)
    for kind in ("msg", "srv", "action")
    for path in (PACKAGE / kind).glob(f"*.{kind}")
)
CONSTANTS = {
    "msg.Alarm": {"FORK": 1, "PREFIX_CHANGED": 2},
    "msg.ChainEvent": {
        "FLEET_CREATED": 1,
        "ROBOT_REGISTERED": 2,
        "KEY_ROTATED": 3,
        "ROBOT_RETIRED": 4,
        "RECOVERY_BEGUN": 5,
        "ANCHORED": 6,
        "FROZEN": 7,
        "CHANNEL_OPENED": 8,
        "CHANNEL_CLOSING": 9,
        "CHANNEL_CLOSED": 10,
        "CONSENT_GRANTED": 11,
        "CONSENT_WITHDRAWN": 12,
        "ERASURE_REPORTED": 13,
        "MINTED": 14,
        "PAID": 15,
        "CHANNEL_TOPPED_UP": 16,
        "ERASURE_CONFIRMED": 17,
        "CONSENT_ACKNOWLEDGED": 18,
        "ROYALTY_PAID": 19,
        "CONTRACT_DEPLOYED": 20,
        "CONTRACT_AMENDED": 21,
        "CONTRACT_WITHDRAWN": 22,
        "OFFER_POSTED": 23,
        "OFFER_WITHDRAWN": 24,
        "GRANTED": 30,
        "SALE_PROPOSED": 40,
        "SALE_LOCKED": 41,
        "KEY_REVEALED": 42,
        "SALE_COMPLAINED": 43,
        "SALE_REFUNDED": 44,
        "SALE_SETTLED": 45,
        "MODEL_REGISTERED": 50,
        "MODEL_WITHDRAWN": 51,
    },
    "srv.SubmitTransaction.Response": {"NONE": 0, "REFUSED": 2, "UNAVAILABLE": 3},
    "srv.QueryState.Request": {
        "STATE": 1,
        "RECEIPT": 2,
        "HEADER": 3,
        "CONSISTENCY": 4,
        "GENESIS": 5,
    },
    "srv.QueryState.Response": {
        "NONE": 0,
        "NOT_FOUND": 1,
        "REFUSED": 2,
        "UNAVAILABLE": 3,
        "WAITING": 4,
    },
    "srv.ProveInclusion.Response": {"NONE": 0, "NOT_FOUND": 1, "REFUSED": 2, "UNAVAILABLE": 3},
    "srv.ProveConsistency.Response": {"NONE": 0, "NOT_FOUND": 1, "REFUSED": 2, "UNAVAILABLE": 3},
    "srv.FetchChunk.Response": {
        "NONE": 0,
        "UNREACHABLE": 1,
        "REFUSED": 2,
        "UNAVAILABLE": 3,
        "BUSY": 4,
    },
    "srv.FundGrant.Response": {"NONE": 0, "REFUSED": 2, "UNAVAILABLE": 3},
    "srv.AddCheckpoint.Response": {
        "OK": 200,
        "BAD_REQUEST": 400,
        "FORBIDDEN": 403,
        "NOT_FOUND": 404,
        "CONFLICT": 409,
        "UNPROCESSABLE": 422,
    },
    "srv.MarkEpisode.Request": {"SOURCE_OPERATOR": 1, "SOURCE_TASK": 2, "SOURCE_SELF": 3},
    "srv.MarkEpisode.Response": {"NONE": 0, "NO_EPISODE": 1, "REFUSED": 2},
    "action.AcquireExperience.Goal": {"STREAM": 0, "WHOLE": 1},
    "action.AcquireExperience.Result": {
        "KEPT": 1,
        "BOUGHT": 2,
        "CANCELLED": 3,
        "REFUSED": 4,
        "TOO_DEAR": 5,
        "SELLER_FAILED": 6,
        "UNREACHABLE": 7,
        "FAILED": 8,
        "BUSY": 9,
    },
    "action.AcquireExperience.Feedback": {
        "WISHED": 1,
        "REQUESTED": 2,
        "GRANTED": 3,
        "FUNDED": 4,
        "CHANNEL_OPENED": 5,
        "STREAMING": 6,
        "ARRIVED": 7,
        "CLOSED": 8,
        "ENTERED": 9,
        "SWAPPING": 10,
    },
    "action.RecordEpisode.Result": {
        "NONE": 0,
        "REFUSED": 1,
        "FAILED": 2,
        "ENDED_NEVER_STARTED": 0,
        "ENDED_STOPPED": 1,
        "ENDED_CANCELLED": 2,
        "ENDED_DURATION": 3,
        "ENDED_SHUTDOWN": 4,
        "ENDED_FAILURE": 5,
    },
}


def test_every_file_is_generated() -> None:
    listed = re.findall(
        r'"((?:msg|srv|action)/\w+\.\w+)"', (PACKAGE / "CMakeLists.txt").read_text()
    )
    assert [Path(name) for name in sorted(listed)] == sorted(FILES)
    assert len(FILES) >= 8


def _type(dotted: str) -> Any:
    kind, *names = dotted.split(".")
    found: Any = importlib.import_module(f"quipu_interfaces.{kind}")
    for name in names:
        found = getattr(found, name)
    return found


def _messages(file: Path) -> Iterator[Any]:
    """The types that are sent as bytes."""
    generated = _type(f"{file.parent}.{file.stem}")
    parts = {"msg": (), "srv": ("Request", "Response"), "action": ("Goal", "Result", "Feedback")}
    names = parts[str(file.parent)]
    yield from (getattr(generated, name) for name in names) if names else (generated,)


def _fill(message: Any, rng: random.Random) -> None:
    """A random value in every field."""
    for name, kind in message.get_fields_and_field_types().items():
        if kind == "builtin_interfaces/Time":
            value = getattr(message, name)
            value.sec, value.nanosec = rng.randrange(1 << 31), rng.randrange(10**9)
            continue
        if kind == "sequence<quipu_interfaces/ChainEvent>":
            events = [_type("msg.ChainEvent")() for _ in range(rng.randrange(4))]
            for event in events:
                _fill(event, rng)
            setattr(message, name, events)
            continue
        values: dict[str, Any] = {
            "boolean": rng.random() < 0.5,
            "float": float(rng.randrange(1 << 20)),
            "double": rng.random(),
            "string": "".join(rng.choices("aä€😀 \n", k=rng.randrange(20))),
            "sequence<string>": ["", "ß", "c" * rng.randrange(100)],
            "sequence<uint8>": rng.randbytes(rng.randrange(5000)),
            **{f"uint{bits}": rng.randrange(1 << bits) for bits in (8, 16, 32, 64)},
        }
        setattr(message, name, values[kind])


@pytest.mark.usefixtures("rclpy_here")
@pytest.mark.parametrize("file", FILES, ids=str)
def test_round_trip_of_every_type(file: Path) -> None:
    from rclpy.serialization import deserialize_message, serialize_message

    rng = random.Random(str(file))
    for message_type in _messages(file):
        for _ in range(20):
            message = message_type()
            _fill(message, rng)
            read = deserialize_message(serialize_message(message), message_type)
            assert read == message
            assert read != message_type() or not message.get_fields_and_field_types()


@pytest.mark.usefixtures("rclpy_here")
@pytest.mark.parametrize("dotted", CONSTANTS)
def test_constants(dotted: str) -> None:
    generated = _type(dotted)
    for name, value in CONSTANTS[dotted].items():
        assert getattr(generated, name) == value


def _constants_in(file: Path) -> int:
    return len(re.findall(r"^\w+ \w+=\d+$", (PACKAGE / file).read_text(), re.MULTILINE))


def test_events_have_the_numbers_of_the_chains_schema() -> None:
    of_schema = {name.removeprefix("EVENT_KIND_"): n for name, n in EventKind.items() if n}
    assert CONSTANTS["msg.ChainEvent"] == of_schema


def test_no_constant_is_left_untested() -> None:
    assert sum(map(_constants_in, FILES)) == sum(map(len, CONSTANTS.values()))


def test_the_definitions_have_the_hashes_that_were_built(ros: Ros) -> None:
    """What a bag says of our types, and what any other ROS makes of the files, is the same."""
    share = "import ament_index_python as a; print(a.get_package_share_directory({!r}))"
    built = Path(ros.run("python", "-c", share.format("quipu_interfaces")).strip())
    for file in FILES:
        of_type = json.loads((built / file).with_suffix(".json").read_text())["type_hashes"]
        names = [entry["type_name"] for entry in of_type]
        assert f"quipu_interfaces/{file.with_suffix('')}" in names
        # No code is generated from an older file than the tree's.
        assert (built / file).read_text() == (PACKAGE / file).read_text()


def test_tf2_msgs_is_the_type_that_everybody_else_has(ros: Ros) -> None:
    share = "import ament_index_python as a; print(a.get_package_share_directory('tf2_msgs'))"
    built = Path(ros.run("python", "-c", share).strip()) / "msg/TFMessage.json"
    hashes = {
        entry["type_name"]: entry["hash_string"]
        for entry in json.loads(built.read_text())["type_hashes"]
    }
    expected = get_typestore(Stores.ROS2_JAZZY).hash_rihs01("tf2_msgs/msg/TFMessage")
    assert hashes["tf2_msgs/msg/TFMessage"] == expected


def test_topic_service_and_action_between_two_processes(ros: Ros) -> None:
    note = bytes(range(256)) * 8
    with ros.start("python", PEER, "serve") as server:
        # Long before it asks, the checkpoint was published: it is latched.
        answer = json.loads(ros.run("python", PEER, "ask", timeout=60.0))
        assert server.interrupt() == 0, server.output
    assert answer["origin"] == "example.com/robot1"
    assert answer["size"] == 7
    assert bytes.fromhex(answer["note"]) == note
    assert answer["found"] == [0, note.hex()]
    assert answer["absent"] == [1, "no entry 9"]
    assert answer["feedback"][:2] == [1, 2]
    assert answer["ended_by"] == 2
    assert answer["messages"] >= 2
    assert answer["leaf_hash"] == bytes(32).hex()


def test_another_domain_hears_nothing(ros: Ros, elsewhere: Ros) -> None:
    """The isolation that lets test runs live side by side."""
    listen = (
        "import rclpy, sys, time\n"
        "rclpy.init()\n"
        "node = rclpy.create_node('listener')\n"
        "end, found = time.monotonic() + float(sys.argv[1]), []\n"
        "while time.monotonic() < end and 'peer' not in found:\n"
        "    rclpy.spin_once(node, timeout_sec=0.1)\n"
        "    found = node.get_node_names()\n"
        "print(found)\n"
    )
    with ros.start("python", PEER, "serve"):
        assert "peer" in ros.run("python", "-c", listen, "60")
        assert "peer" not in elsewhere.run("python", "-c", listen, "2")
