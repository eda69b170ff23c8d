"""The rule `anchor`: what moves the newest checkpoint of a log, and all that does not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.rules.anchor import check_anchor_checkpoint
from ledger.chain.rules.robot_notes import log_key
from ledger.chain.state_keys import fleet_key, robot_key
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.errors import CorruptStoreError
from ledger.merkle.hashing import EMPTY_ROOT
from ledger.note import NoteSigner, SignatureLine, SignedNote, add_signatures
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint, AnchorRecord
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_ACTIVE,
    ROBOT_STATUS_FROZEN,
    FleetRecord,
)
from ledger.schema.chain_pb2 import EVENT_KIND_ANCHORED, Event
from ledger.witness import cosign_checkpoint
from ledger.witnessing.policy import Policy, PolicyWitness
from tests.ledger.chain.rules.chain_world import START_NS
from tests.ledger.chain.rules.robot_world import ORIGIN, OTHER, RobotWorld, quorum, witness
from tests.ledger.witnessing.sample_trees import HONEST, MOST, fork_at


@pytest.fixture
def world() -> RobotWorld:
    return RobotWorld()


@pytest.fixture
def anchored(world: RobotWorld) -> RobotWorld:
    """A world in which 20 leaves are anchored."""
    assert world.anchor(world.note(20)).code == ResultCode.OK
    world.advance()
    return world


def refused(world: RobotWorld, code: ResultCode, note: bytes, proof: object = None) -> None:
    """Anchoring is refused with this code, and what was anchored still is."""
    before = world.anchored()
    assert world.anchor(note, proof).code == code  # type: ignore[arg-type]
    assert world.anchored() == before
    assert world.robot(ORIGIN).status == ROBOT_STATUS_ACTIVE


def without_lines_of(note: bytes, name: str) -> bytes:
    parsed = SignedNote.parse(note)
    lines = tuple(line for line in parsed.signatures if line.name != name)
    return SignedNote(parsed.text, lines).encode()


# What is anchored


def test_the_first_checkpoint_needs_no_proof(world: RobotWorld) -> None:
    world.advance(6)
    result = world.anchor(world.note(20))
    assert result.code == ResultCode.OK
    event = Event(kind=EVENT_KIND_ANCHORED, subject=ORIGIN.encode(), amount=20)
    assert result.events == (event,)
    assert world.anchored() == AnchorRecord(
        size=20, root=HONEST.mth(0, 20), height=7, time_ns=START_NS + 7_000_000_000
    )


def test_one_transaction_covers_days_offline(anchored: RobotWorld) -> None:
    anchored.advance(100_000)
    assert anchored.anchor(anchored.note(MOST)).code == ResultCode.OK
    record = anchored.anchored()
    assert record is not None
    assert (record.size, record.root) == (MOST, HONEST.mth(0, MOST))


def test_every_step_from_every_size(world: RobotWorld) -> None:
    for size in range(1, MOST + 1):
        assert world.anchor(world.note(size)).code == ResultCode.OK


@pytest.mark.parametrize("old", [1, 2, 3, 8, 11])
def test_no_tree_of_other_leaves_is_reached_by_its_own_proof(old: int) -> None:
    world = RobotWorld()
    assert world.anchor(world.note(old)).code == ResultCode.OK
    fork = fork_at(old - 1)
    for size in range(old + 1, 18):
        for proof in (HONEST.proof(old, size), fork.proof(old, size)):
            refused(world, ResultCode.INCONSISTENT, world.note(size, fork=old - 1), proof)


def test_logs_do_not_touch_each_other(anchored: RobotWorld) -> None:
    before = anchored.anchored()
    note = anchored.note(7, anchored.kelpie, origin=OTHER)
    assert anchored.anchor(note).code == ResultCode.OK
    assert anchored.anchored() == before
    other = anchored.anchored(OTHER)
    assert other is not None
    assert other.size == 7


def test_anybody_may_bring_it(anchored: RobotWorld) -> None:
    message = AnchorCheckpoint(note=anchored.note(21), proof=HONEST.proof(20, 21))
    assert anchored.do(anchored.key("bob"), message).code == ResultCode.OK


def test_lines_of_strangers_make_no_difference(anchored: RobotWorld) -> None:
    note = cosign_checkpoint(anchored.note(21), witness("stranger"), 1)
    parsed = SignedNote.parse(note)
    junk = SignatureLine(ORIGIN, b"junk", b"no signature")
    note = SignedNote(parsed.text, (junk, *parsed.signatures)).encode()
    assert anchored.anchor(note).code == ResultCode.OK
    record = anchored.anchored()
    assert record is not None
    assert record.cosigned == 0


# Sizes and proofs


@pytest.mark.parametrize("size", [1, 19, 20])
def test_a_checkpoint_that_is_not_newer_is_refused(anchored: RobotWorld, size: int) -> None:
    refused(anchored, ResultCode.NOT_NEWER, anchored.note(size))


def test_another_root_of_the_same_size_is_not_newer_and_no_alarm(anchored: RobotWorld) -> None:
    # It is for `report_fork`, with both checkpoints in hand.
    refused(anchored, ResultCode.NOT_NEWER, anchored.note(20, fork=3))


def test_a_log_without_leaves_anchors_nothing(world: RobotWorld) -> None:
    signer = NoteSigner(ORIGIN, world.husky)
    note = sign_checkpoint(Checkpoint(ORIGIN, 0, EMPTY_ROOT), [signer])
    refused(world, ResultCode.NOT_NEWER, note)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda proof: [],
        lambda proof: proof[1:],
        lambda proof: proof[:-1],
        lambda proof: [*proof, bytes(32)],
        lambda proof: proof[::-1],
        lambda proof: HONEST.proof(19, 30),
        lambda proof: HONEST.proof(20, 31),
    ],
    ids=["none", "first left out", "last left out", "one more", "reversed", "older", "newer"],
)
def test_a_proof_of_something_else(
    anchored: RobotWorld, spoil: Callable[[list[bytes]], list[bytes]]
) -> None:
    refused(anchored, ResultCode.INCONSISTENT, anchored.note(30), spoil(HONEST.proof(20, 30)))


def test_every_hash_of_the_proof_counts(anchored: RobotWorld) -> None:
    proof = HONEST.proof(20, 30)
    for at, step in enumerate(proof):
        wrong = [*proof[:at], bytes([step[0] ^ 1]) + step[1:], *proof[at + 1 :]]
        refused(anchored, ResultCode.INCONSISTENT, anchored.note(30), wrong)
    assert anchored.anchor(anchored.note(30), proof).code == ResultCode.OK


def test_a_tree_that_did_not_grow_from_the_anchored_one(anchored: RobotWorld) -> None:
    refused(anchored, ResultCode.INCONSISTENT, anchored.note(30, fork=10))


def test_a_first_anchor_with_a_proof(world: RobotWorld) -> None:
    refused(world, ResultCode.INCONSISTENT, world.note(20), HONEST.proof(10, 20))


@pytest.mark.parametrize("proof", [[b""], [bytes(31)], [bytes(33)], [bytes(32)] * 64])
def test_what_is_no_list_of_hashes(anchored: RobotWorld, proof: list[bytes]) -> None:
    refused(anchored, ResultCode.FIELD_REFUSED, anchored.note(30), proof)


# Who signed


def test_a_log_that_is_not_registered(world: RobotWorld) -> None:
    note = world.note(20, origin="example.com/nobody")
    assert world.anchor(note, ()).code == ResultCode.UNKNOWN_ROBOT


def test_a_key_of_another_robot(anchored: RobotWorld) -> None:
    refused(anchored, ResultCode.BAD_CHECKPOINT, anchored.note(30, anchored.kelpie))


def test_the_robots_key_under_another_origin(anchored: RobotWorld) -> None:
    note = anchored.note(30, anchored.husky, origin=OTHER)
    assert anchored.anchor(note, ()).code == ResultCode.BAD_CHECKPOINT
    assert anchored.anchored(OTHER) is None


def test_witnesses_alone_are_no_log(anchored: RobotWorld) -> None:
    anchored.set_policy(quorum(1, "w0"))
    note = without_lines_of(anchored.note(30, seen=[("w0", 1)]), ORIGIN)
    refused(anchored, ResultCode.BAD_CHECKPOINT, note)


def test_a_wrong_signature_under_a_known_key(anchored: RobotWorld) -> None:
    parsed = SignedNote.parse(anchored.note(30))
    line = parsed.signatures[0]
    for bit in range(0, 512, 37):
        wrong = bytearray(line.signature)
        wrong[bit // 8] ^= 1 << bit % 8
        lines = (SignatureLine(line.name, line.key_id, bytes(wrong)),)
        refused(anchored, ResultCode.BAD_CHECKPOINT, SignedNote(parsed.text, lines).encode())


def test_old_and_new_key_while_they_overlap_and_the_new_one_alone_after_it(
    anchored: RobotWorld,
) -> None:
    old = anchored.husky
    new = anchored.rotate(old, "new", overlap=5)
    for size, keys in enumerate([(old,), (new,), (old, new), (new, old)], 21):
        assert anchored.anchor(anchored.note(size, *keys)).code == ResultCode.OK
    anchored.advance(5)
    assert anchored.anchor(anchored.note(25, old)).code == ResultCode.OK
    anchored.advance()
    refused(anchored, ResultCode.BAD_CHECKPOINT, anchored.note(26, old))
    assert anchored.anchor(anchored.note(26, new)).code == ResultCode.OK
    # The log itself may let both sign for longer: a line of an ended key is a stranger's.
    assert anchored.anchor(anchored.note(27, old, new)).code == ResultCode.OK


def test_a_key_that_ended_with_this_block_still_counts_in_it(anchored: RobotWorld) -> None:
    anchored.rotate(anchored.husky, "new")
    anchored.retire_key(anchored.husky)
    assert anchored.anchor(anchored.note(21)).code == ResultCode.OK
    anchored.advance()
    refused(anchored, ResultCode.BAD_CHECKPOINT, anchored.note(22))


def test_a_recovered_robot_anchors_with_its_new_key_alone(anchored: RobotWorld) -> None:
    new = anchored.begin_recovery("new")
    refused(anchored, ResultCode.BAD_CHECKPOINT, anchored.note(21, new))
    anchored.advance(anchored.parameters.recovery_delay)
    anchored.complete_recovery()
    anchored.advance()
    refused(anchored, ResultCode.BAD_CHECKPOINT, anchored.note(21))
    assert anchored.anchor(anchored.note(21, new)).code == ResultCode.OK


def test_a_frozen_robot_anchors_nothing(anchored: RobotWorld) -> None:
    anchored.set_status(ORIGIN, ROBOT_STATUS_FROZEN)
    assert anchored.anchor(anchored.note(30)).code == ResultCode.ROBOT_FROZEN


def test_a_retired_robot_anchors_nothing(anchored: RobotWorld) -> None:
    anchored.retire()
    assert anchored.anchor(anchored.note(30)).code == ResultCode.ROBOT_RETIRED
    anchored.advance()
    assert anchored.anchor(anchored.note(30)).code == ResultCode.ROBOT_RETIRED


def test_keys_that_cannot_be_told_apart(
    anchored: RobotWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    anchored.rotate(anchored.husky, "new")
    monkeypatch.setattr("ledger.note.compute_key_id", lambda name, kind, key: b"same")
    refused(anchored, ResultCode.BAD_CHECKPOINT, anchored.note(21))


# Witnesses


def test_a_quorum_is_asked_for_and_counted(anchored: RobotWorld) -> None:
    anchored.set_policy(quorum(2, "w0", "w1", "w2"))
    for seen in ([], [("w1", 5)], [("w1", 5), ("stranger", 5)], [("w1", 5), ("w1", 6)]):
        refused(anchored, ResultCode.QUORUM_NOT_MET, anchored.note(30, seen=seen))
    for size, names in ((30, ["w0", "w2"]), (31, ["w2", "w1", "w0"])):
        note = anchored.note(size, seen=[(name, 5) for name in names])
        assert anchored.anchor(note).code == ResultCode.OK
        record = anchored.anchored()
        assert record is not None
        assert record.cosigned == len(names)


def test_a_policy_without_a_quorum_counts_and_asks_for_nothing(anchored: RobotWorld) -> None:
    key = witness("w0").verifier_key
    anchored.set_policy(Policy((), (PolicyWitness("w0", key),), (), "none").encode())
    assert anchored.anchor(anchored.note(30)).code == ResultCode.OK
    assert anchored.anchor(anchored.note(31, seen=[("w0", 5)])).code == ResultCode.OK
    record = anchored.anchored()
    assert record is not None
    assert record.cosigned == 1


def test_the_policy_of_now_counts(anchored: RobotWorld) -> None:
    anchored.set_policy(quorum(1, "w0"))
    note = anchored.note(30, seen=[("w0", 5)])
    anchored.set_policy(quorum(1, "w1"))
    refused(anchored, ResultCode.QUORUM_NOT_MET, note)
    anchored.set_policy(b"")
    assert anchored.anchor(note).code == ResultCode.OK


def test_a_cosignature_of_another_checkpoint(anchored: RobotWorld) -> None:
    anchored.set_policy(quorum(1, "w0"))
    line = SignedNote.parse(anchored.note(29, seen=[("w0", 5)])).signatures[-1]
    parsed = SignedNote.parse(anchored.note(30))
    moved = SignedNote(parsed.text, add_signatures(parsed.signatures, [line])).encode()
    refused(anchored, ResultCode.BAD_CHECKPOINT, moved)


def test_the_robots_own_key_is_no_witness_of_it(anchored: RobotWorld) -> None:
    # Whatever the authority says; and it does not keep the robot from anchoring either.
    anchored.set_policy(quorum(1, ORIGIN, "w0"))
    refused(anchored, ResultCode.QUORUM_NOT_MET, anchored.note(30, seen=[(ORIGIN, 5)]))
    note = anchored.note(30, seen=[(ORIGIN, 5), ("w0", 5)])
    assert anchored.anchor(note).code == ResultCode.OK
    record = anchored.anchored()
    assert record is not None
    assert record.cosigned == 1


def test_the_longest_note(anchored: RobotWorld) -> None:
    names = [f"w{number}" for number in range(63)]
    anchored.set_policy(quorum(63, *names))
    note = anchored.note(30, seen=[(name, 5) for name in names])
    assert anchored.anchor(note).code == ResultCode.OK
    record = anchored.anchored()
    assert record is not None
    assert record.cosigned == 63


# Strangers' bytes


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n\n",
        b"quipu/transaction/v1\0" + bytes(64),
        b"\xff" * 100,
        b"x" * 59_000,
        b"\n" * 59_000,
        ("— " * 14_000).encode(),
        f"{ORIGIN}\n20\nroot\n\n— a YWFhYWE=\n".encode(),
        f"{ORIGIN}\n9223372036854775808\n{'A' * 43}=\n\n— a YWFhYWE=\n".encode(),
        f"{ORIGIN}\n20\n{'A' * 43}=\nextension\n\n— a YWFhYWE=\n".encode(),
        (f"{ORIGIN}\n20\n{'A' * 43}=\n\n" + "— a YWFhYWE=\n" * 65).encode(),
    ],
    ids=[
        "empty", "newlines", "a transaction", "not UTF-8", "no note", "only newlines",
        "only dashes", "no root", "size of 2^63", "extension line", "65 signatures",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint(world: RobotWorld, note: bytes) -> None:
    with pytest.raises(RefusalError) as refusal:
        check_anchor_checkpoint(AnchorCheckpoint(note=note))
    assert refusal.value.code == ResultCode.BAD_CHECKPOINT
    assert world.anchor(note, ()).code == ResultCode.BAD_CHECKPOINT


def test_an_origin_as_long_as_a_transaction(world: RobotWorld) -> None:
    origin = "x" * 58_000
    text = Checkpoint(origin, 1, bytes(32)).encode()
    note = SignedNote(text, (SignatureLine("a", b"0000", b"0"),)).encode()
    assert world.anchor(note, ()).code == ResultCode.UNKNOWN_ROBOT


# Damage


def test_a_damaged_policy_stops_the_chain(anchored: RobotWorld) -> None:
    key = fleet_key(anchored.fleet)
    record = anchored.state.read(FleetRecord, key)
    assert record is not None
    record.witness_policy = b"quorum nobody\n"
    anchored.state.write(key, record)
    anchored.state.keep()
    with pytest.raises(CorruptStoreError, match="policy"):
        anchored.anchor(anchored.note(30))


def test_a_damaged_key_stops_the_chain(anchored: RobotWorld) -> None:
    robot = anchored.robot(ORIGIN)
    robot.keys[0].key = bytes(32)
    anchored.state.write(robot_key(ORIGIN), robot)
    anchored.state.keep()
    log_key.cache_clear()
    with pytest.raises(CorruptStoreError, match="key"):
        anchored.anchor(anchored.note(30))
