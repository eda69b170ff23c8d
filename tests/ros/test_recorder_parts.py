"""The recorder node's parts: definitions, quality of service, topics, diagnostics."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mcap.reader import make_reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from tests.ros.ros_process import ROOT, Ros


@pytest.fixture(scope="module")
def parts(ros: Ros) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(ros.run("python", ROOT / "tests/ros/recorder_parts.py"))
    return document


def test_definitions_can_be_parsed_and_hash_as_they_should(parts: dict[str, Any]) -> None:
    known = get_typestore(Stores.ROS2_JAZZY)
    for name, (encoding, text) in parts["definitions"].items():
        if not name.startswith(("std", "sensor", "nav", "tf2", "rcl", "diag", "vis", "quipu")):
            assert (encoding, text) == ("", ""), name
            continue
        if "/action/" in name:
            assert encoding == "ros2idl"
            assert text.startswith("=" * 80 + "\nIDL: quipu_interfaces/action/RecordEpisode\n")
            continue
        assert encoding == "ros2msg", name
        store = get_typestore(Stores.EMPTY)
        store.register(get_types_from_msg(text, name))
        if name in known.fielddefs:
            assert store.hash_rihs01(name) == known.hash_rihs01(name), name


def test_definitions_are_rosbag2s(parts: dict[str, Any], recordings: Path) -> None:
    path = recordings / "rosbag2_test_resources" / "rosbag2_py_mcap_talker" / "talker.mcap"
    with path.open("rb") as stream:
        summary = make_reader(stream).get_summary()
    assert summary is not None
    theirs = {schema.name: schema.data.decode() for schema in summary.schemas.values()}

    def heads(text: str) -> set[str]:
        return {line for line in text.splitlines() if line.startswith(("MSG:", "===="))}

    name = "rcl_interfaces/msg/ParameterEvent"
    assert heads(parts["definitions"][name][1]) == heads(theirs[name])
    # Of one version of the package each is the other's text; comments are kept.
    assert "# " in parts["definitions"]["std_msgs/msg/String"][1]


def test_types_by_name(parts: dict[str, Any]) -> None:
    missing = [name for name, found in parts["installed"].items() if not found]
    assert missing == [
        "nobody_msgs/msg/Nothing",
        "../msg/X",
        "std_msgs/String",
        "std_msgs/msg/No Such",
        "std_msgs/msg/__name__",
        "a/b/c",
    ]


def test_topics_are_chosen(parts: dict[str, Any]) -> None:
    assert parts["chosen"] == ["/one", "/robot/a", "/x/camera/y", "/_hidden/x"]
    assert "/robot/_a" not in parts["everything"]
    assert "/two" in parts["everything"]


def test_what_is_asked_for_is_what_all_offer(parts: dict[str, Any]) -> None:
    asked = [
        (each["reliability"], each["durability"], each["heard"])
        for each in parts["adaptation"][:-1]
    ]
    assert asked == [
        ("RELIABLE", "VOLATILE", [True]),
        ("BEST_EFFORT", "VOLATILE", [True]),
        ("BEST_EFFORT", "VOLATILE", [True, True]),
        ("RELIABLE", "TRANSIENT_LOCAL", [True]),
        ("RELIABLE", "VOLATILE", [True, True]),
        ("BEST_EFFORT", "VOLATILE", []),
    ]
    (why,) = parts["adaptation"][-1]["why"]
    assert why.startswith("offers best_effort, volatile; asked for ")


def test_override_files(parts: dict[str, Any]) -> None:
    found = parts["overrides"]
    assert found["good"]["/a"] == {
        "history": "KEEP_ALL",
        "depth": 0,
        "reliability": "BEST_EFFORT",
        "durability": "VOLATILE",
        "deadline_ns": 1_000_000_005,
        "liveliness": "MANUAL_BY_TOPIC",
    }
    assert found["good"]["/b"]["depth"] == 7
    assert found["empty"] == {}
    for name in ("list", "no_profile", "bad_word", "bad_key", "bad_depth", "bad_duration"):
        assert found[name].startswith("FILE"), name
    assert "cannot be read" in found["no_yaml"]


def test_diagnostics(parts: dict[str, Any]) -> None:
    found = parts["diagnostics"]
    assert {each["name"] for each in found} == {"/r1/recorder: recording"}
    assert {each["robot"] for each in found} == {"r1"}
    # OK, OK, lost: WARN, uncovered: WARN, disk full: ERROR, behind: WARN, damaged: ERROR.
    assert [each["level"] for each in found] == [0, 0, 1, 1, 2, 1, 2]
    assert found[0]["values"] == {"state": "inactive"}
    values = found[3]["values"]
    assert values["dropped"] == "3"
    assert values["dropped /a"] == "3"
    assert values["uncovered_types"] == "/b:no/msg/Type"
    assert values["unheard /c"].startswith("offers best_effort")
    assert found[5]["message"] == "the ledger is gone"
