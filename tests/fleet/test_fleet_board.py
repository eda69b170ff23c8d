"""The board: whose word counts, what goes stale, and what a person is told first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.checkpoint import Checkpoint
from ledger.errors import LedgerError
from ledger.experience.ingest import ingest_all
from ledger.experience.readers import read_recording
from ledger.fleet.board import (
    OLD_CHECKPOINT_NS,
    SETTLED_NS,
    STALE_NS,
    AlarmSeen,
    Board,
    ChainSeen,
    Health,
    Observation,
    RobotFacts,
    RobotRow,
)
from ledger.fleet.config import read_fleet
from ledger.fleet.diagnostics import read_policy, reporter_of
from ledger.fleet.home_observer import HomeObserver
from ledger.fleet.model import Fleet, Settlement, SettlementKind
from ledger.fleet.plan import plan_fleet
from ledger.fleet.preparation import RobotKeys, prepare_fleet
from ledger.fleet.process_record import ProcessRecord
from ledger.fleet.state import FleetState, ProcessState, ProcessStatus
from ledger.home import open_home_to_write
from ledger.memory.control_server import owned_home
from ledger.merkle.hashing import leaf_hash
from ledger.note import SignedNote
from ledger.witness import WitnessState
from ledger.witnessing.evidence import ForkClaim, verify_evidence
from ledger.witnessing.fork_records import ForkRecords
from ledger.witnessing.witness_key import WitnessKey

NOW = 1_800_000_000_000_000_000
GONE = ProcessRecord(2**22 + 1, "never")


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    path = tmp_path / "fleet.yaml"
    path.write_text("fleet: f\ndirectory: made\nrobots: [{name: r1}, {name: r2}]\n")
    return read_fleet(path)


def row(board: Board, robot: str = "r1", now_ns: int = NOW) -> RobotRow:
    return next(each for each in board.rows(now_ns) if each.name == robot)


def seen(facts: RobotFacts, robot: str = "r1", when_ns: int = NOW) -> Observation:
    return Observation(robot, when_ns, facts)


def test_observers_complete_each_other(fleet: Fleet) -> None:
    board = Board(fleet)
    board.take([seen(RobotFacts(entries=7, checkpoint_size=7))])
    board.take([seen(RobotFacts(dropped=0, queued_bytes=12))])
    found = row(board)
    assert (found.facts.entries, found.facts.queued_bytes) == (7, 12)
    assert found.health is Health.GOOD
    assert row(board, "r2").health is Health.UNKNOWN


def test_the_later_look_counts_whatever_comes_first(fleet: Fleet) -> None:
    board = Board(fleet)
    board.take([seen(RobotFacts(entries=9), when_ns=NOW)])
    board.take([seen(RobotFacts(entries=8), when_ns=NOW - 1)])
    assert row(board).facts.entries == 9


def test_what_was_live_goes_stale_what_is_durable_does_not(fleet: Fleet) -> None:
    board = Board(fleet)
    board.take([seen(RobotFacts(entries=9, dropped=4, memory_state="open"))])
    assert row(board, now_ns=NOW + STALE_NS).facts.dropped == 4
    later = row(board, now_ns=NOW + STALE_NS + 1).facts
    assert (later.entries, later.dropped, later.memory_state) == (9, None, None)


def test_a_fault_that_is_over_is_gone(fleet: Fleet) -> None:
    board = Board(fleet)
    board.take([seen(RobotFacts(entries=1, fault="the disk is full"))])
    assert row(board).remark == "the disk is full"
    board.take([seen(RobotFacts(fault=""), when_ns=NOW + 1)])
    assert row(board).health is Health.GOOD


def test_an_alarm_is_shown_once_and_counts_for_its_log(fleet: Fleet) -> None:
    board = Board(fleet)
    board.take([seen(RobotFacts(entries=1)), seen(RobotFacts(entries=1), "r2")])
    alarm = AlarmSeen("fork", "f/r2", "/r1/witness", "two roots of size 4", NOW)
    board.take([alarm])
    board.take([AlarmSeen("fork", "f/r2", "/r1/witness", "two roots of size 4", NOW + 5)])
    assert len(board.alarms) == 1
    assert row(board, "r2").health is Health.BAD
    assert "fork" in row(board, "r2").remark
    assert row(board, "r1").health is Health.GOOD


def status(state: ProcessState, name: str = "r1") -> ProcessStatus:
    return ProcessStatus(name, state, 4711, 2, NOW, None, "SIGKILL")


@pytest.mark.parametrize(
    ("facts", "state", "health", "words"),
    [
        (RobotFacts(entries=1), ProcessState.RUNNING, Health.ATTENTION, "again after SIGKILL"),
        (RobotFacts(entries=1), ProcessState.WAITING, Health.BAD, "ended (SIGKILL)"),
        (RobotFacts(entries=1), ProcessState.ENDED, Health.UNKNOWN, "does not run"),
        (RobotFacts(entries=1, dropped=3), None, Health.ATTENTION, "dropped 3"),
        (RobotFacts(entries=1, dropped=0), None, Health.GOOD, ""),
        (RobotFacts(entries=1, uncovered_types=("a/b",)), None, Health.ATTENTION, "a/b"),
        (RobotFacts(entries=1, disk_free_bytes=5), None, Health.ATTENTION, "little disk"),
        (
            RobotFacts(
                entries=2, checkpoint_size=1, checkpoint_time_ns=NOW - OLD_CHECKPOINT_NS - 1
            ),
            None,
            Health.ATTENTION,
            "not in a checkpoint",
        ),
        (
            RobotFacts(entries=2, checkpoint_size=1, checkpoint_time_ns=NOW - OLD_CHECKPOINT_NS),
            None,
            Health.GOOD,
            "",
        ),
        (
            RobotFacts(entries=1, checkpoint_size=1, quorum_met=False),
            None,
            Health.ATTENTION,
            "too few witnesses",
        ),
        (RobotFacts(), ProcessState.RUNNING, Health.UNKNOWN, "not seen yet"),
        (RobotFacts(entries=1, anchor_state="frozen"), None, Health.BAD, "anchored: frozen"),
        (RobotFacts(entries=1, anchor_state="unknown"), None, Health.BAD, "anchored: unknown"),
        (RobotFacts(entries=1, anchor_state="unreachable"), None, Health.GOOD, ""),
    ],
)
def test_a_person_is_told_the_worst_first(
    fleet: Fleet, facts: RobotFacts, state: ProcessState | None, health: Health, words: str
) -> None:
    board = Board(fleet)
    board.take([seen(facts)])
    own = ProcessRecord.of(1)
    assert own is not None
    if state is not None:
        board.take_state(FleetState(own, (status(state),)))
    found = row(board)
    assert found.health is health
    assert words in found.remark


def test_a_restart_is_forgotten_when_it_went_well(fleet: Fleet) -> None:
    board = Board(fleet)
    board.take([seen(RobotFacts(entries=1))])
    own = ProcessRecord.of(1)
    assert own is not None
    board.take_state(FleetState(own, (status(ProcessState.RUNNING),)))
    assert row(board, now_ns=NOW + SETTLED_NS - 1).health is Health.ATTENTION
    assert row(board, now_ns=NOW + SETTLED_NS).health is Health.GOOD


def test_without_its_supervisor_a_process_is_lost(fleet: Fleet) -> None:
    board = Board(fleet)
    rows = (status(ProcessState.RUNNING), status(ProcessState.ENDED, "simulator"))
    board.take_state(FleetState(GONE, rows))
    assert row(board).remark == "its supervisor is gone"
    assert [each.state for each in board.processes] == [ProcessState.ENDED]
    board.take_state(None)
    assert row(board).process is None


@pytest.mark.parametrize("state", [ProcessState.RUNNING, ProcessState.ENDED])
def test_a_robot_that_others_started_since_is_theirs(fleet: Fleet, state: ProcessState) -> None:
    board = Board(fleet)
    board.take_state(FleetState(GONE, (status(state),)))
    board.take([seen(RobotFacts(entries=1, memory_pid=4711))])
    assert row(board).process is not None  # the very process that was supervised
    board.take([seen(RobotFacts(entries=1, memory_pid=4712))])
    assert row(board).process is None
    assert row(board).health is Health.GOOD
    assert row(board, now_ns=NOW + STALE_NS + 1).process is not None  # theirs is gone, too


def test_a_fleet_of_others_runs_if_every_robot_and_its_chain_do(fleet: Fleet) -> None:
    board = Board(fleet)
    names = [robot.name for robot in fleet.robots]
    for name in names[1:]:
        board.take([Observation(name, NOW, RobotFacts(entries=1, memory_pid=4711))])
    assert not board.runs_by_others(NOW)
    board.take([Observation(names[0], NOW, RobotFacts(entries=1, memory_pid=4712))])
    assert board.runs_by_others(NOW)
    board.fleet = replace(fleet, settlement=Settlement(SettlementKind.EMBEDDED))
    assert not board.runs_by_others(NOW)
    board.take([ChainSeen(NOW, "example.com/yard/settlement")])
    assert not board.runs_by_others(NOW)
    board.take([ChainSeen(NOW + 1, "example.com/yard/settlement", served=True)])
    assert board.runs_by_others(NOW)


def live(fleet: Fleet, act: Callable[[RobotKeys], None]) -> Board:
    """A board after one look at homes with which ``act`` has done something."""
    keys = prepare_fleet(fleet, plan_fleet(fleet))
    act(keys[0])
    board = Board(fleet)
    board.take(HomeObserver(fleet).look())
    return board


def test_homes_are_read_without_anybody_running(fleet: Fleet, tmp_path: Path) -> None:
    assert list(HomeObserver(fleet).look()) == []  # nothing was made yet

    def commit(keys: RobotKeys) -> None:
        thing = tmp_path / "thing"
        thing.write_bytes(b"seen")
        with open_home_to_write(keys.robot.home) as home:
            list(ingest_all(home.experiences, read_recording(thing, force_opaque=True)))
            home.log.checkpoint(home.signers())

    found = row(live(fleet, commit))
    assert (found.facts.entries, found.facts.checkpoint_size) == (1, 1)
    assert (found.facts.cosignatures, found.facts.quorum_met) == (0, False)
    assert found.facts.memory_state is None


def test_a_cosignature_counts_by_the_fleet_s_policy(fleet: Fleet, tmp_path: Path) -> None:
    def cosign(keys: RobotKeys) -> None:
        second = fleet.robots[1]
        signer = WitnessKey(second.home / "keys/witness").load()
        with open_home_to_write(keys.robot.home) as home, open_home_to_write(second.home) as other:
            note = home.log.checkpoint(home.signers())
            line = WitnessState(other.storage).cosign(note, keys.log, 0, (), signer)
            home.log.merge_cosignatures(0, line, (signer.verifier_key,))

    found = row(live(fleet, cosign))
    assert found.facts.cosigned_by == ("r2",)
    assert found.facts.quorum_met is True


def test_a_fork_that_a_witness_keeps_is_an_alarm(fleet: Fleet) -> None:
    """r1 signs two roots of one leaf; r2's witness has kept both."""
    keys = prepare_fleet(fleet, plan_fleet(fleet))
    with open_home_to_write(keys[0].robot.home) as home:
        (signer,) = home.signers()
    notes = []
    for leaf in (b"one", b"other"):
        text = Checkpoint("f/r1", 1, leaf_hash(leaf)).encode()
        notes.append(SignedNote(text, (signer.sign(text),)).encode())
    evidence = verify_evidence(ForkClaim.of(notes[0], notes[1], ()), keys[0].log)
    with open_home_to_write(keys[1].robot.home) as home:
        assert ForkRecords(home.storage).keep(evidence)
    board = Board(fleet)
    for _ in range(2):  # looked at twice, shown once
        board.take(HomeObserver(fleet).look())
    (alarm,) = board.alarms
    assert (alarm.kind, alarm.origin, alarm.reporter) == ("fork", "f/r1", "f/r2/witness")
    assert "two different roots of 1 leaves" in alarm.detail
    # The same from r2's node, over ROS: still one.
    policy = read_policy(fleet)
    reporter = reporter_of(fleet, policy, "/r2/witness")
    board.take([AlarmSeen("fork", "f/r1", reporter, "in other words", NOW)])
    assert len(board.alarms) == 1
    assert reporter_of(fleet, policy, "/strange/witness") == "/strange/witness"
    now_ns = max(alarm.seen_ns, NOW)
    assert row(board, "r1", now_ns).health is Health.BAD
    assert row(board, "r2", now_ns).alarms == 0


def test_an_owner_is_asked_and_a_damaged_home_said(fleet: Fleet) -> None:
    keys = prepare_fleet(fleet, plan_fleet(fleet))
    database = keys[1].robot.home / "log" / "data.mdb"
    database.write_bytes(b"\0" * 100)
    board = Board(fleet)
    with owned_home(keys[0].robot.home) as owner:
        owner.checkpoint()
        (first, second) = HomeObserver(fleet).look()
    assert isinstance(first, Observation)
    assert first.facts.memory_state == "open"
    assert first.facts.disk_free_bytes
    board.take([first, second])
    assert row(board, "r2", now_ns=second.seen_ns).health is Health.BAD


def test_a_home_that_cannot_be_asked_is_a_fault_not_an_error(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare_fleet(fleet, plan_fleet(fleet))

    def refuse(_home: Path) -> None:
        raise LedgerError("no")

    monkeypatch.setattr("ledger.fleet.home_observer.ControlClient", refuse)
    facts = [
        each.facts.fault for each in HomeObserver(fleet).look() if isinstance(each, Observation)
    ]
    assert facts == ["no", "no"]
