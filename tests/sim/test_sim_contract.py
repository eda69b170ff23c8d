from __future__ import annotations

from pathlib import Path

import pytest
from quipu_sim.contract import (
    ContractError,
    Direction,
    Durability,
    Reliability,
    Scope,
    read_contract,
)
from quipu_sim.rhythm import Rhythm

GIVEN = Path(__file__).parents[2] / "launch" / "config" / "topics.yaml"


def changed(folder: Path, old: str, new: str) -> Path:
    """The contract with one thing in it changed."""
    text = GIVEN.read_text(encoding="utf-8")
    assert old in text
    path = folder / "topics.yaml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return path


def test_the_contract_of_the_checkout_is_found_and_whole() -> None:
    contract = read_contract()
    assert contract == read_contract(GIVEN)
    names = {topic.full_name("r1") for topic in contract.topics.values()}
    assert {"/r1/odom", "/r1/imu", "/r1/scan", "/r1/joint_states", "/r1/cmd_vel"} <= names
    assert {"/clock", "/tf", "/tf_static"} <= names
    still = contract["/tf_static"]
    assert still.quality.durability is Durability.TRANSIENT_LOCAL
    assert still.rate == 0
    assert contract["cmd_vel"].direction is Direction.IN
    assert contract["odom"].frame == "{robot}/odom"
    for topic in contract.topics.values():
        assert topic.quality.reliability is Reliability.RELIABLE, "recordings would have gaps"
        assert (topic.of is Scope.WORLD) is topic.name.startswith("/")


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("rate: 10\n    frame", "rate: -1\n    frame", "scan: -1.0 Hz"),
        ("rate: 10\n    frame", "rate: often\n    frame", "often"),
        ("direction: in", "direction: sideways", "sideways"),
        ("qos: command", "qos: best", "KeyError: 'best'"),
        ("reliability: reliable, durability: volatile", "reliability: so_so", "so_so"),
        ("history: keep_last", "history: keep_all", "history"),
        ("of: world", "of: body", "from the root"),
        ("name: imu", "name: odom", "twice"),
        ("child_frame", "childframe", "unknown childframe"),
        ("topics:", "- {", "not YAML"),
        ("topics:", "themes:", "KeyError: 'topics'"),
    ],
)
def test_what_is_malformed_is_refused(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    with pytest.raises(ContractError, match=complaint) as refused:
        read_contract(changed(tmp_path, old, new))
    assert "topics.yaml" in str(refused.value)


def test_a_missing_file_and_a_missing_topic_are_told(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no topic contract"):
        read_contract(tmp_path / "none.yaml")
    with pytest.raises(ContractError, match="has no camera"):
        read_contract()["camera"]


def test_ticks_follow_the_fastest_topic(tmp_path: Path) -> None:
    rhythm = Rhythm(read_contract())
    assert rhythm.period_ns == 20_000_000
    assert (rhythm.every("imu"), rhythm.every("scan")) == (1, 5)
    assert rhythm.seconds("scan") == pytest.approx(0.1)
    faster = changed(
        tmp_path, 'rate: 50\n    frame: "{robot}/imu', 'rate: 100\n    frame: "{robot}/imu'
    )
    rhythm = Rhythm(read_contract(faster))
    assert rhythm.period_ns == 10_000_000
    assert (rhythm.every("imu"), rhythm.every("odom"), rhythm.every("scan")) == (1, 2, 10)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("rate: 10\n    frame", "rate: 7\n    frame", "scan: 7.0 Hz is no whole part of 50"),
        ("rate: 10\n    frame", "rate: 25\n    frame", "must have the rate of scan"),
        ("rate: 10\n    frame", "rate: 0\n    frame", "no rate for scan"),
    ],
)
def test_rates_that_cannot_be_kept_are_refused(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    with pytest.raises(ContractError, match=complaint):
        Rhythm(read_contract(changed(tmp_path, old, new)))
