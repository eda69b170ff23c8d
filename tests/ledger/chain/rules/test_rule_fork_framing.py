"""Try to freeze a robot that is honest: with what it signed, with what thieves sign, and
with what others make up. Each attempt has its code, and the robot stays as it is.

A thief here has a key that has ended, and the witnesses that the attempt says. Who has a
key that is valid can fork the log, and that does freeze: nobody can tell the two apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.rules.fork import check_report_fork
from ledger.note import KeyKind, SignatureLine, SignedNote, VerifierKey
from ledger.schema.chain_anchor_pb2 import ReportFork
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_RETIRED, SetWitnessPolicy
from ledger.witnessing.evidence import MAGIC, ForkClaim
from ledger.witnessing.policy import Policy, PolicyWitness
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.robot_world import (
    ORIGIN,
    OTHER,
    RobotWorld,
    Seen,
    evidence,
    quorum,
    witness,
)
from tests.ledger.witnessing.sample_trees import HONEST, MOST, fork_at, path

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


def spared(world: RobotWorld, code: ResultCode, claim: bytes) -> None:
    """The report is refused with this code, and changed neither robot nor anchor."""
    before = [(world.robot(origin), world.anchored(origin)) for origin in (ORIGIN, OTHER)]
    assert world.report_bytes(claim).code == code
    assert before == [(world.robot(origin), world.anchored(origin)) for origin in (ORIGIN, OTHER)]


def no_evidence(world: RobotWorld, one: bytes, other: bytes, steps: Sequence[bytes] = ()) -> None:
    spared(world, ResultCode.NO_EVIDENCE, evidence(one, other, steps))


def not_dated(world: RobotWorld, one: bytes, other: bytes, steps: Sequence[bytes] = ()) -> None:
    spared(world, ResultCode.EVIDENCE_NOT_DATED, evidence(one, other, steps))


def forged(world: RobotWorld, seen: Sequence[Seen] = ()) -> tuple[bytes, bytes]:
    """What whoever has the robot's first key can always sign."""
    return world.note(20, seen=seen), world.note(20, fork=3, seen=seen)


# What the robot itself has signed


def test_one_checkpoint_twice(world: RobotWorld) -> None:
    no_evidence(world, world.note(20), world.note(20))


def test_one_checkpoint_signed_by_one_key_and_by_another(world: RobotWorld) -> None:
    new = world.rotate(world.husky, "new")
    for keys in ((new,), (world.husky, new), (new, world.husky)):
        no_evidence(world, world.note(20), world.note(20, *keys))


def test_one_checkpoint_with_and_without_cosignatures(watched: RobotWorld) -> None:
    seen = [(name, watched.now_s) for name in WITNESSES]
    no_evidence(watched, watched.note(20), watched.note(20, seen=seen))


def test_a_smaller_checkpoint_after_a_larger_one(world: RobotWorld) -> None:
    assert world.anchor(world.note(20)).code == ResultCode.OK
    world.advance()
    small, large = world.note(10), world.note(20)
    assert world.anchor(small, HONEST.proof(10, 20)).code == ResultCode.NOT_NEWER
    for steps in ((), path(10, 20), tuple(HONEST.proof(10, 20))):
        no_evidence(world, small, large, steps)


def test_an_old_checkpoint_brought_again_and_again(world: RobotWorld) -> None:
    for size in (10, 20, 30):
        assert world.anchor(world.note(size)).code == ResultCode.OK
        world.advance()
    for size in (10, 20, 30, 15):
        assert world.anchor(world.note(size), HONEST.proof(size, 31)).code == ResultCode.NOT_NEWER
        no_evidence(world, world.note(size), world.note(31), path(size, 31))


def test_a_proof_that_is_missing(world: RobotWorld) -> None:
    for old, size in ((1, 2), (10, 20), (16, 32), (63, 64)):
        no_evidence(world, world.note(old), world.note(size))


def test_an_empty_log_and_what_grew_of_it(world: RobotWorld) -> None:
    for size in (1, 2, 20):
        for steps in ((), (HONEST.mth(0, size),), path(1, size) if size > 1 else ()):
            no_evidence(world, world.note(0), world.note(size), steps)


def test_every_pair_of_an_honest_log_with_every_path_between_others(world: RobotWorld) -> None:
    for size in (2, 7, 8, 9):
        for old in range(1, size):
            for steps in _paths_up_to(9):
                no_evidence(world, world.note(old), world.note(size), steps)


def _paths_up_to(most: int) -> Iterator[tuple[bytes, ...]]:
    for size in range(2, most + 1):
        for old in (1, size // 2, size - 1):
            yield path(old, size)
            yield tuple(HONEST.proof(old, size))


def test_a_path_with_one_step_spoiled(world: RobotWorld) -> None:
    whole = path(21, 50)
    one, other = world.note(21), world.note(50)
    for at, step in enumerate(whole):
        before, after = whole[:at], whole[at + 1 :]
        for wrong in (
            (*before, bytes([step[0] ^ 1]) + step[1:], *after),
            (*before, bytes(32), *after),
            (*before, *after),
            (*before, step, step, *after),
            (*before, fork_at(3).mth(0, 16), *after),
        ):
            no_evidence(world, one, other, wrong)
    for wrong in (whole[::-1], (*whole, bytes(32)), (bytes(32), *whole), path(20, 50)):
        no_evidence(world, one, other, wrong)


def test_a_path_of_another_tree(world: RobotWorld) -> None:
    # It leads to a root that the robot has not signed.
    no_evidence(world, world.note(21), world.note(50), path(21, 50, fork_at(3)))


def test_between_equal_sizes_a_path_proves_nothing(world: RobotWorld) -> None:
    no_evidence(world, world.note(20), world.note(20), (HONEST.mth(0, 20),))
    no_evidence(world, world.note(20), world.note(20), (fork_at(3).mth(0, 20),))


# Two logs, and who may sign for which


def test_checkpoints_of_two_robots(world: RobotWorld) -> None:
    no_evidence(world, world.note(20), world.note(20, world.kelpie, origin=OTHER, fork=3))
    steps = path(20, 40, fork_at(3))
    other = world.note(40, world.kelpie, origin=OTHER, fork=3)
    no_evidence(world, world.note(20), other, steps)


def test_one_key_signs_for_two_origins(world: RobotWorld) -> None:
    # Against the second origin too: it is another robot's.
    own = world.note(20)
    no_evidence(world, own, world.note(20, origin=OTHER, fork=3))
    no_evidence(world, world.note(20, origin=OTHER), world.note(20, origin=OTHER, fork=3))
    spared(
        world,
        ResultCode.UNKNOWN_ROBOT,
        evidence(
            world.note(20, origin="example.com/test-run"),
            world.note(20, origin="example.com/test-run", fork=3),
        ),
    )


def test_a_key_of_another_robot_of_the_fleet(world: RobotWorld) -> None:
    no_evidence(world, world.note(20), world.note(20, world.kelpie, fork=3))
    no_evidence(world, world.note(20, world.kelpie), world.note(20, world.kelpie, fork=3))


@pytest.mark.parametrize("name", ["authority", "alice", "nobody"])
def test_a_key_of_whoever_else(world: RobotWorld, name: str) -> None:
    key = world.key(name)
    no_evidence(world, world.note(20), world.note(20, key, fork=3))


def test_another_key_under_the_robots_name_and_key_id(world: RobotWorld) -> None:
    # The line says that the robot signed; the signature is not its own.
    text = SignedNote.parse(world.note(20, fork=3)).text
    own = VerifierKey(ORIGIN, KeyKind.ED25519, world.husky.public_key)
    for signature in (
        world.kelpie.sign(text.encode()),
        world.husky.sign(b"quipu/transaction/v1\0" + text.encode()),
        SignedNote.parse(world.note(20)).signatures[0].signature,
        bytes(64),
        b"1",
    ):
        line = SignatureLine(ORIGIN, own.key_id, signature)
        no_evidence(world, world.note(20), SignedNote(text, (line,)).encode())


def test_the_robots_key_under_another_name_or_key_id(world: RobotWorld) -> None:
    # The same public key is known to others by another vkey. A line is of the vkey that it
    # names, or it is a stranger's: one note means one thing to everybody who opens it.
    text = SignedNote.parse(world.note(20, fork=3)).text
    signature = world.husky.sign(text.encode())
    own = VerifierKey(ORIGIN, KeyKind.ED25519, world.husky.public_key)
    other = VerifierKey(OTHER, KeyKind.ED25519, world.husky.public_key)
    for name, key_id in ((OTHER, own.key_id), (ORIGIN, other.key_id), (OTHER, other.key_id)):
        note = SignedNote(text, (SignatureLine(name, key_id, signature),)).encode()
        no_evidence(world, world.note(20), note)


def test_the_robot_as_a_witness_of_the_other_history(world: RobotWorld) -> None:
    # Signed with the same key, as type 0x04: that it saw a checkpoint is not that it made it.
    seen = world.note(20, world.key("nobody"), fork=3, seen=[(ORIGIN, world.now_s)])
    no_evidence(world, world.note(20), seen)
    parsed = SignedNote.parse(seen)
    own = VerifierKey(ORIGIN, KeyKind.ED25519, world.husky.public_key)
    for cut in (0, 8):
        line = SignatureLine(ORIGIN, own.key_id, parsed.signatures[-1].signature[cut:])
        no_evidence(world, world.note(20), SignedNote(parsed.text, (line,)).encode())


def test_witnesses_alone(watched: RobotWorld) -> None:
    seen = [(name, watched.now_s) for name in WITNESSES]
    for fork in (None, 3):
        no_evidence(
            watched,
            watched.note(20, seen=seen),
            watched.note(20, watched.key("nobody"), fork=4, seen=seen),
        )
        no_evidence(
            watched,
            watched.note(20, watched.key("nobody"), fork=fork, seen=seen),
            watched.note(20, watched.key("nobody"), fork=4, seen=seen),
        )


def test_a_successor_does_not_speak_for_its_predecessor(world: RobotWorld) -> None:
    world.retire()
    world.advance()
    successor = world.register(world.fleet, "example.com/husky-2", successor_of=ORIGIN)
    no_evidence(world, world.note(20), world.note(20, successor, fork=3))
    no_evidence(world, world.note(20, successor), world.note(20, successor, fork=3))
    # Nor the other way round: its log is another, which may begin as the old one did, or not.
    first = world.note(20, successor, origin="example.com/husky-2", fork=3)
    no_evidence(world, world.note(20), first)
    no_evidence(world, first, world.note(20, origin="example.com/husky-2"))


# Keys that have ended


def test_a_retired_key_in_a_fleet_without_a_policy(world: RobotWorld) -> None:
    world.rotate(world.husky, "new", overlap=0)
    world.advance()
    not_dated(world, *forged(world))
    not_dated(world, *forged(world, [("w0", world.now_s - 2)]))


def test_a_retired_key_in_a_fleet_that_asks_for_no_quorum(world: RobotWorld) -> None:
    policy = Policy((), (PolicyWitness("w0", witness("w0").verifier_key),), (), "none")
    world.set_policy(policy.encode())
    world.advance(60)
    begun = world.now_s
    world.rotate(world.husky, "new", overlap=0)
    world.advance()
    not_dated(world, *forged(world))
    not_dated(world, *forged(world, [("w0", begun)]))


def test_a_retired_key_whose_fork_nobody_saw(watched: RobotWorld) -> None:
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, *forged(watched))


@pytest.mark.parametrize("names", [["w0"], ["w0", "w0"], ["w0", "x1", "x2"], ["x0", "x1", "x2"]])
def test_a_retired_key_and_too_few_witnesses(watched: RobotWorld, names: list[str]) -> None:
    seen = [(name, watched.now_s) for name in names]
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, *forged(watched, seen))


def test_a_retired_key_and_one_witness_at_two_times(watched: RobotWorld) -> None:
    one, other = forged(watched, [("w0", watched.now_s)])
    again, other_again = forged(watched, [("w0", watched.now_s - 1)])

    def both(first: bytes, second: bytes) -> bytes:
        lines = (*SignedNote.parse(first).signatures, *SignedNote.parse(second).signatures)
        return SignedNote(SignedNote.parse(first).text, lines).encode()

    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, both(one, again), both(other, other_again))


@pytest.mark.parametrize(
    "times",
    [(-1, -1), (3, 3), (-1, 3), (-1, 0), (0, 3), (1_000_000, 1_000_000), (-(10**9), 2)],
    ids=str,
)
def test_cosignatures_from_outside_the_validity(
    watched: RobotWorld, times: tuple[int, int]
) -> None:
    # The key is valid from second 0 to second 2.
    begun = watched.now_s
    stolen = watched.rotate(watched.husky, "stolen", overlap=0)
    watched.advance(2)
    watched.rotate(stolen, "new", overlap=0)
    watched.advance()
    seen = [(f"w{number}", begun + each) for number, each in enumerate(times)]
    not_dated(
        watched, watched.note(20, stolen, seen=seen), watched.note(20, stolen, fork=3, seen=seen)
    )


def test_cosignatures_from_after_the_end_was_announced(watched: RobotWorld) -> None:
    # While it is still valid it freezes without any; once it has ended, only what was seen
    # before the announcement does.
    announced = watched.now_s
    watched.rotate(watched.husky, "new", overlap=10)
    watched.advance(11)
    seen = [("w0", announced + 1), ("w1", announced + 5)]
    not_dated(watched, *forged(watched, seen))


def test_one_checkpoint_dated_and_the_other_not(watched: RobotWorld) -> None:
    seen = [("w0", watched.now_s), ("w1", watched.now_s)]
    dated = watched.note(20, seen=seen)
    new = watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, dated, watched.note(20, fork=3))
    # The honest one by the current key, the forged one by the stolen old key.
    not_dated(watched, watched.note(20, new), watched.note(20, fork=3))
    steps = path(20, 40, fork_at(3))
    not_dated(watched, watched.note(20, new), watched.note(40, fork=3), steps)


def test_a_new_key_does_not_vouch_for_what_the_old_one_alone_signed(watched: RobotWorld) -> None:
    new = watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    # Honest lines of the new key stand under the honest text only.
    honest = SignedNote.parse(watched.note(20, new))
    text = SignedNote.parse(watched.note(20, fork=3)).text
    old = SignedNote.parse(watched.note(20, fork=3)).signatures
    mixed = SignedNote(text, (*honest.signatures, *old)).encode()
    not_dated(watched, watched.note(20, new), mixed)


def test_cosignatures_taken_from_honest_checkpoints(watched: RobotWorld) -> None:
    seen = [("w0", watched.now_s), ("w1", watched.now_s)]
    honest = SignedNote.parse(watched.note(20, seen=seen))
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    forgery = SignedNote.parse(watched.note(20, fork=3))
    moved = SignedNote(forgery.text, (*forgery.signatures, *honest.signatures[1:])).encode()
    not_dated(watched, honest.encode(), moved)


def test_a_time_that_the_witness_did_not_sign(watched: RobotWorld) -> None:
    inside = watched.now_s
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()

    def backdated(note: bytes) -> bytes:
        parsed = SignedNote.parse(note)
        lines = [
            line
            if line.name == ORIGIN
            else SignatureLine(
                line.name, line.key_id, inside.to_bytes(8, "big") + line.signature[8:]
            )
            for line in parsed.signatures
        ]
        return SignedNote(parsed.text, tuple(lines)).encode()

    one, other = forged(watched, [("w0", watched.now_s), ("w1", watched.now_s)])
    not_dated(watched, backdated(one), backdated(other))


def test_the_stolen_key_is_a_witness_too(watched: RobotWorld) -> None:
    watched.set_policy(quorum(2, ORIGIN, "w0"))
    watched.advance()
    seen = [(ORIGIN, watched.now_s), ("w0", watched.now_s)]
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, *forged(watched, seen))


def test_the_next_key_is_a_witness_of_the_last_one(watched: RobotWorld) -> None:
    # Any key that is or was the robot's.
    watched.set_policy(quorum(2, "new", "w0"))
    watched.advance()
    seen = [("new", watched.now_s), ("w0", watched.now_s)]
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, *forged(watched, seen))


# The policy changes in between


def test_witnesses_named_after_the_key_had_ended(watched: RobotWorld) -> None:
    # An authority, or who stole its key, names witnesses of its own, which backdate.
    begun = watched.now_s
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    watched.set_policy(quorum(1, "mine"))
    not_dated(watched, *forged(watched, [("mine", begun)]))
    watched.advance(100)
    not_dated(watched, *forged(watched, [("mine", begun)]))
    not_dated(watched, *forged(watched, [("mine", watched.now_s)]))


def test_witnesses_named_while_the_key_was_valid_date_nothing_before(watched: RobotWorld) -> None:
    before = watched.now_s
    watched.advance(10)
    watched.set_policy(quorum(1, "mine"))
    watched.advance(10)
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, *forged(watched, [("mine", before)]))
    not_dated(watched, *forged(watched, [("mine", before + 9)]))


def test_witnesses_that_the_fleet_has_dropped(watched: RobotWorld) -> None:
    # Perhaps because their keys were stolen.
    seen = [("w0", watched.now_s), ("w1", watched.now_s)]
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    for policy in (quorum(1, "w7", "w8"), b"", quorum(2, "w0", "w7")):
        watched.set_policy(policy)
        not_dated(watched, *forged(watched, seen))


def test_the_quorum_was_raised_and_lowered_again(watched: RobotWorld) -> None:
    one_of_three = quorum(1, *WITNESSES)
    seen = [("w0", watched.now_s)]
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, *forged(watched, seen))
    watched.set_policy(one_of_three)
    not_dated(watched, *forged(watched, seen))
    watched.set_policy(quorum(2, *WITNESSES))
    watched.set_policy(one_of_three)
    not_dated(watched, *forged(watched, seen))


def test_the_witnesses_of_another_fleet(watched: RobotWorld) -> None:
    other = watched.create_fleet("other", authority="bob")
    message = SetWitnessPolicy(fleet=other, policy=quorum(1, "mine"))
    watched.must(watched.key("bob"), message)
    watched.advance()
    begun = watched.now_s
    watched.rotate(watched.husky, "new", overlap=0)
    watched.advance()
    not_dated(watched, *forged(watched, [("mine", begun)]))


# Rotation, retirement, recovery


def test_the_last_block_of_an_overlap_is_the_last_for_what_is_not_dated(
    watched: RobotWorld,
) -> None:
    watched.rotate(watched.husky, "new", overlap=5)
    watched.advance(6)
    not_dated(watched, *forged(watched))


def test_a_key_that_was_ended_before_its_overlap_was_over(watched: RobotWorld) -> None:
    watched.rotate(watched.husky, "new", overlap=30)
    watched.advance()
    watched.retire_key(watched.husky)
    watched.advance()
    not_dated(watched, *forged(watched))
    late = [("w0", watched.now_s), ("w1", watched.now_s)]
    not_dated(watched, *forged(watched, late))


def test_a_robot_that_has_retired(watched: RobotWorld) -> None:
    begun = watched.now_s
    watched.retire()
    late = [("w0", begun + 1), ("w1", begun + 1)]
    # In its last block, and ever after.
    for _ in range(2):
        not_dated(watched, *forged(watched))
        not_dated(watched, *forged(watched, late))
        assert watched.robot(ORIGIN).status == ROBOT_STATUS_RETIRED
        watched.advance()


def test_a_key_that_was_replaced_by_recovery(watched: RobotWorld) -> None:
    new = watched.begin_recovery("new")
    watched.advance(watched.parameters.recovery_delay)
    watched.complete_recovery()
    watched.advance()
    not_dated(watched, *forged(watched))
    not_dated(watched, watched.note(20, new), watched.note(20, fork=3))
    late = [("w0", watched.now_s), ("w1", watched.now_s)]
    not_dated(watched, *forged(watched, late))


def test_a_key_that_waits_for_a_recovery_speaks_for_nobody(watched: RobotWorld) -> None:
    # An authority that wants to frame its robot: this is no key of the robot yet.
    new = watched.begin_recovery("new")
    seen = [("w0", watched.now_s), ("w1", watched.now_s)]
    no_evidence(watched, watched.note(20), watched.note(20, new, fork=3, seen=seen))
    watched.advance(watched.parameters.recovery_delay)
    no_evidence(watched, watched.note(20), watched.note(20, new, fork=3, seen=seen))


def test_a_key_whose_rotation_was_refused(watched: RobotWorld) -> None:
    new = watched.key("new")
    no_evidence(watched, watched.note(20), watched.note(20, new, fork=3))


def test_a_rotated_robot_signs_one_history_with_all_its_keys(watched: RobotWorld) -> None:
    keys = [watched.husky]
    for number in range(4):
        keys.append(watched.rotate(keys[-1], f"key {number}", overlap=3))
        watched.advance()
    for one, key in enumerate(keys):
        for other in keys:
            no_evidence(
                watched, watched.note(20 + one, key), watched.note(40, other), path(20 + one, 40)
            )
            no_evidence(watched, watched.note(40, key), watched.note(40, other))
    assert len(watched.robot(ORIGIN).keys) == 5
    assert account_of(keys[-1]) == watched.robot(ORIGIN).keys[-1].key


# Strangers' bytes


def _malformed() -> dict[str, bytes]:
    world = RobotWorld()
    claim = ForkClaim.of(world.note(20), world.note(20, fork=3))
    good, first, second = claim.encode(), claim.first, claim.second
    steps = path(3, MOST, fork_at(0))
    larger = evidence(world.note(3), world.note(MOST, fork=0), steps)
    step = b"\n" + b"A" * 43 + b"="
    check_report_fork(ReportFork(evidence=good))
    return {
        "empty": b"",
        "no magic": good[1:],
        "another version": good.replace(b"/v1", b"/v2", 1),
        "cut short": good[:-1],
        "a byte too much": good + b"\n",
        "a leading zero": good.replace(b"notes ", b"notes 0", 1),
        "wrong order": good.replace(first + second, second + first),
        "one note only": good[: -len(second)],
        "not ASCII": good.replace(b"notes", b"not\xff\xff", 1),
        "path of 65": larger.replace(b"\n\n", step * (65 - len(steps)) + b"\n\n", 1),
        "a hash of 31 bytes": larger.replace(b"\n\n", b"\n" + b"A" * 42 + b"==\n\n", 1),
        "only newlines": MAGIC + b"\n" * 59_000,
        "no notes": MAGIC + b"notes 4 4\n\n" + bytes(8),
        "no checkpoints": MAGIC + b"notes 9 9\n\n" + b"\xe2\x80\x94 a a\n\n" * 2,
    }


@pytest.mark.parametrize("name", list(_malformed()))
def test_what_is_no_evidence_at_all(world: RobotWorld, name: str) -> None:
    claim = _malformed()[name]
    with pytest.raises(RefusalError) as refusal:
        check_report_fork(ReportFork(evidence=claim))
    assert refusal.value.code == ResultCode.NO_EVIDENCE
    spared(world, ResultCode.NO_EVIDENCE, claim)
