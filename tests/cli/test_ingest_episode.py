"""Reward, success and length on the command line: in commitments that open, and nowhere else."""

from __future__ import annotations

import pytest

from ledger.experience.kinds import CommitmentKind, RewardSource
from ledger.experience.record_keys import RecordKeyStore
from ledger.recording.hidden_values import LENGTH_SCALE, REWARD_OFFSET, REWARD_SCALE
from tests.cli.robot import Robot
from zkproofs.group import group
from zkproofs.pedersen import Opening

Said = dict[tuple[str, str], int]


def committed(robot: Robot, entry: int) -> Said:
    """What opens the commitments of an entry; each must open its own."""
    shown = robot.told("show", entry)
    store = RecordKeyStore(robot.home / "keys" / "records")
    openings = store.get(bytes.fromhex(shown["record_id"])).openings
    points = {(each["kind"], each["source"]): each["point"] for each in shown["commitments"]}
    values: Said = {}
    for kept in openings:
        name = (kept.kind.name.lower(), kept.source.name.lower())
        opening = Opening(kept.value, group().decode_scalar(kept.blinding))
        assert group().encode_g1(opening.commitment()).hex() == points.pop(name)
        values[name] = kept.value
    assert points == {}
    return values


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--episode",), {}),
        (("--reward", "0.93"), {("reward", "operator"): 930_000 - REWARD_OFFSET}),
        (
            ("--reward", "-2.5", "--failure", "--by", "task"),
            {
                ("reward", "task"): round(-2.5 * REWARD_SCALE) - REWARD_OFFSET,
                ("success", "task"): 0,
            },
        ),
        (("--success", "--by", "self"), {("success", "self"): 1}),
    ],
)
def test_what_was_said_opens_the_commitments(
    veteran: Robot, options: tuple[str, ...], expected: Said
) -> None:
    length = veteran.told("show", 0)
    milliseconds = (length["end_ns"] - length["start_ns"]) * LENGTH_SCALE // 10**9
    assert milliseconds > 1_000
    again = veteran.told("get", 0, "back")
    assert again["ok"]
    (entry,) = veteran.told("ingest", "back", *options)["entries"]
    whole = {**expected, ("length", "unspecified"): milliseconds}
    assert committed(veteran, entry["index"]) == whole
    shown = veteran.told("show", entry["index"])
    assert shown["tags"]["kind"] == "episode"
    assert "0.93" not in str(shown)
    assert veteran.is_whole()["entries"] == 7


def test_without_any_of_it_nothing_is_committed_to(veteran: Robot) -> None:
    shown = veteran.told("show", 0)
    assert (shown["commitments"], shown["tags"].get("kind")) == ([], None)


def test_sources_are_those_of_the_schema(veteran: Robot) -> None:
    line = veteran.refused("ingest", "missing", "--reward", "1", "--by", "unspecified", code=2)
    for source in RewardSource:
        named = f"'{source.name.lower()}'"
        assert (named in line.partition("not one of")[2]) is (source.value > 0)
    assert {kind.name for kind in CommitmentKind} == {"REWARD", "SUCCESS", "LENGTH"}
