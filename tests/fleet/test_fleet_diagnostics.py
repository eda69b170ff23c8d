"""Diagnostics and checkpoints as facts for the board, without ROS."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.ed25519 import PrivateKey
from ledger.fleet.board import RobotFacts
from ledger.fleet.config import read_fleet
from ledger.fleet.diagnostics import Subject, facts_of_checkpoint, facts_of_status, robot_of
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.note import CosignatureSigner, NoteSigner, SignedNote
from ledger.witness import cosign_checkpoint
from ledger.witnessing.policy import Policy, PolicyLog, PolicyWitness

NOW = 1_800_000_000_000_000_000


def test_a_status_belongs_to_the_robot_of_its_namespace(tmp_path: Path) -> None:
    path = tmp_path / "fleet.yaml"
    path.write_text("fleet: f\nrobots: [{name: r1}, {name: r2, namespace: /yard/r2}]\n")
    fleet = read_fleet(path)
    first, second = fleet.robots
    assert robot_of(fleet, "/r1/recorder: recording") == (first, Subject.RECORDING)
    assert robot_of(fleet, "/yard/r2/memory: memory") == (second, Subject.MEMORY)
    for stranger in (
        "/r3/memory: memory",
        "/r1/memory: nonsense",
        "/r1/memory",
        "memory",
        "",
        "/yard/memory: memory",
        ": memory",
    ):
        assert robot_of(fleet, stranger) is None


def test_values_are_read_as_they_were_meant() -> None:
    recording = {
        "state": "active",
        "dropped": "3",
        "queued_bytes": "4096",
        "disk_free_bytes": "1e9",
        "uncovered_types": "a_msgs/msg/A, b_msgs/msg/B",
    }
    assert facts_of_status(Subject.RECORDING, recording, NOW) == RobotFacts(
        recorder_state="active",
        dropped=3,
        queued_bytes=4096,
        disk_free_bytes=10**9,
        uncovered_types=("a_msgs/msg/A", "b_msgs/msg/B"),
    )
    memory = {
        "entries": "9",
        "last_checkpoint_size": "8",
        "last_checkpoint_age_s": "1.5",
        "backlog_entries": "1",
        "state": "lent",
        "anchored_size": "7",
        "anchor_state": "unreachable",
    }
    assert facts_of_status(Subject.MEMORY, memory, NOW) == RobotFacts(
        memory_state="lent",
        entries=9,
        checkpoint_size=8,
        checkpoint_time_ns=NOW - 1_500_000_000,
        backlog=1,
        anchored_size=7,
        anchor_state="unreachable",
    )
    witness = {"cosignatures": "2", "quorum": "True"}
    found = facts_of_status(Subject.WITNESS, witness, NOW)
    assert found == RobotFacts(cosignatures=2, quorum_met=True)


@pytest.mark.parametrize("value", ["", "x", "-1", "nan", "inf", "1e400", "1e30"])
def test_what_cannot_be_read_is_left_out(value: str) -> None:
    values = dict.fromkeys(
        ["dropped", "entries", "last_checkpoint_age_s", "cosignatures", "quorum"], value
    )
    for subject in Subject:
        facts = facts_of_status(subject, values, NOW)
        assert facts == RobotFacts(), facts


def test_a_checkpoint_counts_as_far_as_the_policy_verifies_it() -> None:
    log = NoteSigner("f/r1", PrivateKey.generate())
    witness = CosignatureSigner("f/r2/witness", PrivateKey.generate())
    policy = Policy(
        (PolicyLog(log.verifier_key),), (PolicyWitness("r2", witness.verifier_key),), (), "r2"
    )
    body = Checkpoint("f/r1", 0, EMPTY_ROOT).encode()
    note = SignedNote(body, (log.sign(body),)).encode()
    alone = facts_of_checkpoint(note, NOW, policy)
    assert alone is not None
    assert (alone.checkpoint_size, alone.cosignatures, alone.quorum_met) == (0, 0, False)
    both = facts_of_checkpoint(cosign_checkpoint(note, witness, 1), NOW, policy)
    assert both is not None
    assert (both.cosigned_by, both.quorum_met) == (("r2",), True)
    stranger = NoteSigner("f/r1", PrivateKey.generate())
    forged = SignedNote(body, (stranger.sign(body),)).encode()
    assert facts_of_checkpoint(forged, NOW, policy) is None
    assert facts_of_checkpoint(b"nonsense", NOW, policy) is None
