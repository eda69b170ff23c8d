"""The rule `fork`: real forks freeze, and what can be done about one that hides."""

from __future__ import annotations

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.robots import current_key, valid_keys
from ledger.chain.rules.robot_notes import log_key
from ledger.chain.state_keys import fleet_key, robot_key
from ledger.errors import CorruptStoreError
from ledger.note import SignatureLine, SignedNote
from ledger.schema.chain_anchor_pb2 import ReportFork
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_ACTIVE,
    ROBOT_STATUS_FROZEN,
    FleetRecord,
)
from ledger.schema.chain_pb2 import EVENT_KIND_FROZEN, Event
from tests.ledger.chain.rules.chain_world import SECOND, account_of
from tests.ledger.chain.rules.robot_world import (
    ORIGIN,
    OTHER,
    RobotWorld,
    evidence,
    quorum,
    witness,
)
from tests.ledger.witnessing.sample_trees import fork_at, path

WITNESSES = ("w0", "w1", "w2")


@pytest.fixture
def world() -> RobotWorld:
    return RobotWorld()


@pytest.fixture
def watched() -> RobotWorld:
    """A fleet whose witnesses, two of three, have been named for a minute."""
    world = RobotWorld()
    world.set_policy(quorum(2, *WITNESSES))
    world.advance(60)
    return world


def froze(world: RobotWorld, one: bytes, other: bytes, steps: tuple[bytes, ...] = ()) -> None:
    result = world.report(one, other, steps)
    assert result.code == ResultCode.OK
    assert result.events == (Event(kind=EVENT_KIND_FROZEN, subject=ORIGIN.encode()),)
    assert world.robot(ORIGIN).status == ROBOT_STATUS_FROZEN
    assert world.robot(OTHER).status == ROBOT_STATUS_ACTIVE


def test_two_roots_of_one_size(world: RobotWorld) -> None:
    froze(world, world.note(20), world.note(20, fork=3))


@pytest.mark.parametrize(
    ("old", "size", "fork"), [(1, 2, 0), (3, 20, 2), (8, 9, 0), (16, 64, 5), (63, 64, 62)]
)
def test_a_larger_tree_that_did_not_grow_from_the_smaller(
    world: RobotWorld, old: int, size: int, fork: int
) -> None:
    froze(world, world.note(old), world.note(size, fork=fork), path(old, size, fork_at(fork)))


def test_the_robot_itself_may_report(world: RobotWorld) -> None:
    claim = evidence(world.note(20), world.note(20, fork=3))
    assert world.do(world.husky, ReportFork(evidence=claim)).code == ResultCode.OK


def test_what_a_frozen_robot_cannot_do_and_what_it_can(world: RobotWorld) -> None:
    assert world.anchor(world.note(10)).code == ResultCode.OK
    froze(world, world.note(20), world.note(20, fork=3))
    before = world.robot(ORIGIN), world.anchored()
    for note in (world.note(20), world.note(21)):
        assert world.anchor(note).code == ResultCode.ROBOT_FROZEN
    # Once is enough: the same again, and other evidence.
    for other in (world.note(20, fork=3), world.note(20, fork=4)):
        assert world.report(world.note(20), other).code == ResultCode.ROBOT_FROZEN
    assert (world.robot(ORIGIN), world.anchored()) == before
    assert valid_keys(world.robot(ORIGIN), world.height) == [account_of(world.husky)]
    assert world.anchor(world.note(7, world.kelpie, origin=OTHER)).code == ResultCode.OK


def test_a_successor_begins_anew(world: RobotWorld) -> None:
    froze(world, world.note(20), world.note(20, fork=3))
    successor = world.register(world.fleet, "example.com/husky-2", successor_of=ORIGIN)
    note = world.note(5, successor, origin="example.com/husky-2")
    assert world.anchor(note).code == ResultCode.OK


# Keys that follow each other


def test_both_keys_of_an_overlap(world: RobotWorld) -> None:
    new = world.rotate(world.husky, "new", overlap=5)
    world.advance(5)
    froze(world, world.note(20), world.note(20, new, fork=3))


def test_the_current_key_forks_after_a_rotation(world: RobotWorld) -> None:
    new = world.rotate(world.husky, "new", overlap=0)
    world.advance(50)
    froze(world, world.note(20, new), world.note(20, new, fork=3))


def test_one_signer_of_several_is_enough(world: RobotWorld) -> None:
    new = world.rotate(world.husky, "new", overlap=0)
    world.advance()
    froze(world, world.note(20, world.husky, new), world.note(20, new, world.husky, fork=3))


def test_an_ended_key_whose_fork_a_quorum_saw_in_time(watched: RobotWorld) -> None:
    seen = [("w0", watched.now_s), ("w2", watched.now_s - 5)]
    one, other = watched.note(20, seen=seen), watched.note(20, fork=3, seen=seen)
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance(1_000)
    froze(watched, one, other)


def test_an_ended_key_and_the_current_one(watched: RobotWorld) -> None:
    seen = [("w0", watched.now_s), ("w1", watched.now_s)]
    one = watched.note(20, seen=seen)
    new = watched.rotate(watched.husky, "new", overlap=0)
    watched.advance(1_000)
    froze(watched, one, watched.note(40, new, fork=3), path(20, 40, fork_at(3)))


def test_two_ended_keys_each_dated_by_itself(watched: RobotWorld) -> None:
    one = watched.note(20, seen=[("w0", watched.now_s), ("w1", watched.now_s)])
    watched.advance()
    second = watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    other = watched.note(20, second, fork=3, seen=[("w1", watched.now_s), ("w2", watched.now_s)])
    watched.rotate(second, "newer", overlap=0)
    watched.advance()
    froze(watched, one, other)


@pytest.mark.parametrize("later", [0, 2], ids=["its first second", "its last second"])
def test_the_ends_of_a_validity_are_inside(watched: RobotWorld, later: int) -> None:
    begun = watched.now_s
    new = watched.rotate(watched.husky, "new", overlap=0)
    watched.advance(2)
    watched.rotate(new, "newer", overlap=0)
    watched.advance()
    seen = [("w0", begun + later), ("w1", begun + later)]
    froze(watched, watched.note(20, new, seen=seen), watched.note(20, new, fork=3, seen=seen))


def test_further_cosignatures_at_other_times_take_nothing_away(watched: RobotWorld) -> None:
    seen = [("w0", 1), ("w1", watched.now_s), ("w2", watched.now_s)]
    one, other = watched.note(20, seen=seen), watched.note(20, fork=3, seen=seen)
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    froze(watched, one, other)


def test_the_same_policy_set_again_is_the_old_one(watched: RobotWorld) -> None:
    seen = [("w0", watched.now_s), ("w2", watched.now_s)]
    one, other = watched.note(20, seen=seen), watched.note(20, fork=3, seen=seen)
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    watched.set_policy(quorum(2, *WITNESSES))
    froze(watched, one, other)


def test_a_robot_that_retired_before_it_was_found_out(watched: RobotWorld) -> None:
    seen = [("w0", watched.now_s), ("w1", watched.now_s)]
    one, other = watched.note(20, seen=seen), watched.note(20, fork=3, seen=seen)
    watched.retire()
    watched.advance()
    froze(watched, one, other)
    # Frozen, and no less retired: its keys do not come back to life.
    assert valid_keys(watched.robot(ORIGIN), watched.height) == []
    assert current_key(watched.robot(ORIGIN)) is None
    assert watched.anchor(watched.note(30)).code == ResultCode.ROBOT_FROZEN


# Forks that hide


def test_keys_that_share_a_key_id_hide_no_fork(
    world: RobotWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Four bytes: a robot can make such a second key.
    monkeypatch.setattr("ledger.note.compute_key_id", lambda name, kind, key: b"same")
    new = world.rotate(world.husky, "new", overlap=5)
    froze(world, world.note(20), world.note(20, new, fork=3))


def test_a_robots_key_among_its_fleets_witnesses_hides_no_fork(watched: RobotWorld) -> None:
    watched.set_policy(quorum(1, ORIGIN, "w0"))
    seen = [(ORIGIN, watched.now_s)]
    froze(watched, watched.note(20, seen=seen), watched.note(20, fork=3, seen=seen))


def test_lines_of_strangers_and_wrong_ones_hide_no_fork(watched: RobotWorld) -> None:
    def littered(note: bytes) -> bytes:
        parsed = SignedNote.parse(note)
        own = parsed.signatures[0]
        key = witness("w0").verifier_key
        junk = (
            SignatureLine("stranger", b"junk", b"junk"),
            SignatureLine(own.name, own.key_id, bytes(64)),
            SignatureLine(own.name, own.key_id, b"short"),
            SignatureLine(key.name, key.key_id, bytes(72)),
            SignatureLine(key.name, key.key_id, b"\xff" * 72),
        )
        return SignedNote(parsed.text, (*junk, *parsed.signatures, *junk)).encode()

    seen = [("w0", watched.now_s), ("w1", watched.now_s)]
    one, other = watched.note(20, seen=seen), watched.note(20, fork=3, seen=seen)
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    froze(watched, littered(one), littered(other))


def test_a_policy_dropped_does_not_save_a_key_that_is_valid(watched: RobotWorld) -> None:
    watched.set_policy(b"")
    froze(watched, watched.note(20), watched.note(20, fork=3))


# Damage


def test_a_damaged_policy_stops_the_chain(watched: RobotWorld) -> None:
    one, other = watched.note(20), watched.note(20, fork=3)
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    record = watched.state.read(FleetRecord, fleet_key(watched.fleet))
    assert record is not None
    record.witness_policy = b"quorum nobody\n"
    watched.state.write(fleet_key(watched.fleet), record)
    watched.state.keep()
    with pytest.raises(CorruptStoreError, match="policy"):
        watched.report(one, other)


def test_a_damaged_key_stops_the_chain(world: RobotWorld) -> None:
    robot = world.robot(ORIGIN)
    robot.keys[0].key = bytes(32)
    world.state.write(robot_key(ORIGIN), robot)
    world.state.keep()
    log_key.cache_clear()
    with pytest.raises(CorruptStoreError, match="key"):
        world.report(world.note(20), world.note(20, fork=3))


def test_a_damaged_robot_stops_the_chain(world: RobotWorld) -> None:
    world.state.put(robot_key(ORIGIN), b"\xff")
    world.state.keep()
    with pytest.raises(CorruptStoreError):
        world.report(world.note(20), world.note(20, fork=3))


def test_seconds_of_a_test_are_those_of_the_chain(world: RobotWorld) -> None:
    assert world.now_s * SECOND == world.time_ns
