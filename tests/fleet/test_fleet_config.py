"""The fleet file: what it means, and that every mistake is refused in one line with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.ed25519 import PrivateKey
from ledger.errors import MalformedError, NotFoundError
from ledger.fleet.config import MAX_ROBOTS, read_fleet
from ledger.fleet.document import MAX_DOCUMENT_SIZE
from ledger.fleet.model import (
    NO_SETTLEMENT,
    Discovery,
    RobotNode,
    Settlement,
    SettlementKind,
    Simulator,
    TopicRange,
)
from ledger.note import CosignatureSigner, NoteSigner

LOG_KEY = NoteSigner("example.com/depot", PrivateKey.generate()).verifier_key.encode()
WITNESS_KEY = CosignatureSigner("depot", PrivateKey.generate()).verifier_key.encode()

SMALL = """\
fleet: example.com/yard
robots:
  - name: r1
"""

FULL = f"""\
fleet: example.com/yard
directory: made
domain_id: 42
discovery: localhost
simulator: mujoco
simulation: {{seed: 7, paced: true}}
engine: none
topics: [odom, /tf]
quorum: 2
parameters:
  recorder:
    segment: {{max_duration_s: 30.0}}
    progress_period_s: 1.0
  memory: {{checkpoint_period_s: 5.0}}
peers:
  - name: depot
    log: {LOG_KEY}
    witness: {WITNESS_KEY}
    url: http://127.0.0.1:8080/depot
robots:
  - name: r1
  - name: r2
    namespace: /yard/r2
    home: elsewhere/r2
    origin: example.com/other
    domain_id: 43
    topics: all
    prefix: [nice, -n, "5"]
    parameters:
      recorder: {{segment.max_duration_s: 7.5}}
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "fleet.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_small_file_has_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "user"))
    fleet = read_fleet(write(tmp_path, SMALL))
    assert fleet.directory == tmp_path / "user/.quipu/fleets/example.com_yard"
    assert (fleet.simulator, fleet.discovery, fleet.domain_id) == (Simulator.NONE, None, None)
    assert fleet.quorum == 0  # nobody else is there to cosign
    (robot,) = fleet.robots
    assert (robot.namespace, robot.origin) == ("/r1", "example.com/yard/r1")
    assert robot.home == fleet.directory / "homes" / "r1"
    assert robot.topics is TopicRange.OWN


def test_a_full_file_means_what_it_says(tmp_path: Path) -> None:
    fleet = read_fleet(write(tmp_path, FULL))
    assert fleet.directory == tmp_path / "made"
    assert (fleet.domain_id, fleet.discovery) == (42, Discovery.LOCALHOST)
    assert dict(fleet.simulation) == {"seed": 7, "paced": True}
    assert fleet.quorum == 2
    first, second = fleet.robots
    assert first.resolved_topics() == ("/r1/odom", "/tf")
    assert first.parameters[RobotNode.RECORDER] == {
        "segment.max_duration_s": 30.0,
        "progress_period_s": 1.0,
    }
    assert second.parameters[RobotNode.RECORDER]["segment.max_duration_s"] == 7.5
    assert second.parameters[RobotNode.MEMORY] == {"checkpoint_period_s": 5.0}
    assert second.home == tmp_path / "made/elsewhere/r2"
    assert (second.namespace, second.origin) == ("/yard/r2", "example.com/other")
    assert (second.domain_id, second.topics) == (43, TopicRange.ALL)
    assert second.prefix == ("nice", "-n", "5")
    (peer,) = fleet.peers
    assert peer.log is not None
    assert peer.log.encode() == LOG_KEY


def test_a_directory_given_replaces_the_one_of_the_file(tmp_path: Path) -> None:
    fleet = read_fleet(write(tmp_path, FULL), tmp_path / "given")
    assert fleet.paths.policy == tmp_path / "given/policy"


def engine_of(folder: Path, section: str) -> Settlement:
    text = f"fleet: example.com/yard\ndirectory: made\n{section}robots: [{{name: r1}}]\n"
    return read_fleet(write(folder, text)).settlement


def test_an_engine_is_embedded_others_or_none(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert engine_of(tmp_path, "") == engine_of(tmp_path, "engine: none\n") == NO_SETTLEMENT
    embedded = engine_of(tmp_path, "engine: embedded\n")
    assert embedded == Settlement(
        SettlementKind.EMBEDDED,
        "example.com/yard",
        made / "chain.trust",
        register=True,
        authority=made / "wallets/authority",
    )
    assert engine_of(tmp_path, "engine: {settlement: embedded}\n") == embedded
    others = engine_of(
        tmp_path,
        "engine:\n  settlement: ./chain.sock\n  trust: t\n  fleet: yard\n  authority: ~/w\n"
        "  parameters: {block_period_s: 1.0}\n",
    )
    assert others == Settlement(
        SettlementKind.SOCKET,
        "yard",
        tmp_path / "t",
        tmp_path / "chain.sock",
        True,
        Path("~/w").expanduser(),
        {"block_period_s": 1.0},
    )
    heard = engine_of(tmp_path, "engine: {settlement: ros, trust: /t}\n")
    assert (heard.kind, heard.trust) == (SettlementKind.ROS, Path("/t"))
    assert not heard.register
    assert not heard.has_process


@pytest.mark.parametrize(
    ("robots", "quorum", "expected"),
    [
        (1, "majority", 0),
        (2, "majority", 1),
        (3, "majority", 2),
        (4, "majority", 2),
        (5, "majority", 3),
        (3, "all", 2),
        (3, "none", 0),
        (3, "1", 1),
    ],
)
def test_a_quorum_counts_the_others(
    tmp_path: Path, robots: int, quorum: str, expected: int
) -> None:
    rows = "".join(f"  - name: r{n}\n" for n in range(robots))
    path = write(tmp_path, f"fleet: f\nquorum: {quorum}\nrobots:\n{rows}")
    assert read_fleet(path).quorum == expected


def replaced(old: str, new: str) -> str:
    assert FULL.count(old) == 1, old
    return FULL.replace(old, new)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (replaced("quorum:", "qourum:"), 9, "unknown key 'qourum'"),
        (replaced("    prefix:", "    prefx:"), 28, "unknown key 'prefx'"),
        (replaced("  memory:", "  momory:"), 14, "unknown key 'momory'"),
        (replaced("    url:", "    uri:"), 19, "unknown key 'uri'"),
        (replaced("domain_id: 42", "domain_id: 233"), 3, "from 0 to 232"),
        (replaced("domain_id: 42", "domain_id: yes"), 3, "whole number"),
        (replaced("domain_id: 42", "domain_id: true"), 3, "whole number"),
        (replaced("localhost", "everywhere"), 4, "must be one of off, localhost"),
        (replaced("mujoco", "stage"), 5, "mujoco, gazebo, none"),
        (replaced("engine: none", "engine: cometbft"), 7, "must be one of embedded, none, ros"),
        (replaced("engine: none", "engine: [embedded]"), 7, "must be a mapping"),
        (replaced("engine: none", "engine: {fleet: a}"), 7, "no key 'settlement'"),
        (replaced("engine: none", "engine: {settlement: embedded, price: 1}"), 7, "unknown key"),
        (replaced("engine: none", "engine: ros"), 7, "no key 'trust'"),
        (replaced("engine: none", "engine: ./chain.sock"), 7, "no key 'trust'"),
        (replaced("engine: none", "engine: {settlement: embedded, trust: a}"), 7, "of no use"),
        (replaced("engine: none", "engine: {settlement: embedded, register: 1}"), 7, "true or"),
        (
            replaced("engine: none", "engine: {settlement: ros, trust: a, register: true}"),
            7,
            "not registered over ROS",
        ),
        (
            replaced("engine: none", f"engine: {{settlement: embedded, fleet: {'x' * 65}}}"),
            7,
            "too long",
        ),
        (
            replaced("engine: none", "engine: {settlement: embedded, parameters: {home: /x}}"),
            7,
            "follows from engine.settlement",
        ),
        (replaced("checkpoint_period_s: 5.0", "anchor: {socket: /x}"), 14, "follows from the rest"),
        (replaced("[odom, /tf]", "[]"), 8, "lists no topic"),
        (replaced("[odom, /tf]", "[odom, 9lives]"), 8, "'9lives' is no ROS topic"),
        (replaced("[odom, /tf]", "[odom//x]"), 8, "no ROS topic"),
        (replaced("[odom, /tf]", "some"), 8, "own, all"),
        (replaced("quorum: 2", "quorum: 3"), 9, "from 0 to 2"),
        (replaced("quorum: 2", "quorum: most"), 9, "majority, all, none or a number"),
        (replaced("progress_period_s", "segment.max_duration_s"), 13, "twice"),
        (replaced("checkpoint_period_s: 5.0", "home: /x"), 14, "follows from the rest"),
        (replaced("checkpoint_period_s: 5.0", "x: [1, a]"), 14, "one kind"),
        (replaced("checkpoint_period_s: 5.0", "x: []"), 14, "not empty"),
        (replaced("checkpoint_period_s: 5.0", "x: 2020-01-01"), 14, "the date"),
        (replaced("checkpoint_period_s: 5.0", "x: .nan"), 14, "must be a number"),
        (replaced(WITNESS_KEY, LOG_KEY), 18, "is not a witness's"),
        (replaced(LOG_KEY, "nonsense"), 17, "is no verifier key"),
        (replaced("http://127", "ftp://127"), 19, "no http address"),
        (replaced("name: r1", "name: 1r"), 21, "no ROS name"),
        (replaced("name: r1", 'name: "r 1"'), 21, "no ROS name"),
        (replaced("name: r1", "name: simulator"), 21, "another process"),
        (replaced("name: r1", "name: ../r1"), 21, "no ROS name"),
        (replaced("/yard/r2", "yard/r2"), 23, "no ROS namespace"),
        (replaced("/yard/r2", "/yard//r2"), 23, "no ROS namespace"),
        (replaced("/yard/r2", "/r1"), 1, "same namespace"),
        (replaced("name: r2", "name: depot"), 1, "same name"),
        (replaced("name: r2", "name: r1"), 1, "same name"),
        (replaced("example.com/other", "example.com/depot"), 1, "same origin"),
        (replaced("example.com/other", "example.com/yard/r1"), 1, "same origin"),
        (replaced("elsewhere/r2", "homes/r1"), 1, "same home"),
        (replaced("example.com/other", "a b"), 25, "can name no log"),
        (replaced("fleet: example.com/yard", "fleet: a+b"), 1, "can name no log"),
        (replaced("fleet: example.com/yard", "fleet: /x"), 1, "slash"),
        (replaced("fleet: example.com/yard", "fleet: ~"), 1, "not nothing"),
        (replaced("fleet: example.com/yard", "domain: 1"), 1, "unknown key"),
        (replaced('"5"]', "5]"), 28, "must be a word, not the number 5"),
        ("fleet: x\n", 1, "no key 'robots'"),
        ("fleet: x\nrobots: []\n", 2, "1 to 200 robots, not 0"),
        ("fleet: x\nrobots: {}\n", 2, "must be a list"),
        ("fleet: x\nrobots: [r1]\n", 2, "must be a mapping"),
        ("fleet: x\nfleet: y\n", 2, "duplicate key"),
        ("- fleet\n", 1, "must be a mapping, not a list"),
        ("", 1, "must be a mapping, not nothing"),
        ("fleet: [x\n", 2, "is no YAML"),
        ("fleet: x\nrobots: *them\n", 2, "is no YAML"),
        ("a: 1\n---\nb: 2\n", 2, "is no YAML"),
        ("\x01", 1, "is no YAML"),
        ("1: x\n", 1, "no word"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, line: int, words: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(MalformedError) as refused:
        read_fleet(path)
    assert refused.value.message.startswith(f"{path}:{line}: "), refused.value.message
    assert words in refused.value.message
    assert "\n" not in str(refused.value)
    assert refused.value.hint


def test_too_many_robots_are_refused(tmp_path: Path) -> None:
    rows = "".join(f"  - name: r{n}\n" for n in range(MAX_ROBOTS + 1))
    with pytest.raises(MalformedError, match="1 to 200 robots, not 201"):
        read_fleet(write(tmp_path, f"fleet: f\nrobots:\n{rows}"))


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        read_fleet(tmp_path / "missing.yaml")
    with pytest.raises(NotFoundError):
        read_fleet(tmp_path)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"fleet: caf\xe9\n")
    with pytest.raises(MalformedError, match="not UTF-8"):
        read_fleet(latin)
    long = tmp_path / "long.yaml"
    long.write_bytes(b"#" * (MAX_DOCUMENT_SIZE + 1))
    with pytest.raises(MalformedError, match="at most"):
        read_fleet(long)


@pytest.mark.parametrize("name", ["R", "_x", "a_b__c9", "Z" * 64])
def test_every_legal_name_is_taken(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, f"fleet: f\nrobots:\n  - name: {name}\n    namespace: /A/_b/{name}\n")
    (robot,) = read_fleet(path).robots
    assert robot.name == name
    assert robot.namespace == f"/A/_b/{name}"
