"""Anchoring a real home: one message, whatever happened in between, and no false one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.chain.anchoring import next_anchor
from ledger.chain.codes import ResultCode
from ledger.chain.rules.robot import register_message, rotate_message
from ledger.chain.state_keys import anchor_key
from ledger.checkpoint import Checkpoint
from ledger.ed25519 import PrivateKey
from ledger.errors import BehindError, ForkError, RefusedError
from ledger.home import HomeWriter, create_home, open_home, open_home_to_write
from ledger.key_change import retire_key, rotate_key
from ledger.log_reader import LogReader
from ledger.note import SignedNote
from ledger.schema.chain_anchor_pb2 import AnchorCheckpoint, AnchorRecord
from ledger.schema.chain_identity_pb2 import RegisterRobot, RotateKey, SetWitnessPolicy
from ledger.witnessing.policy import Policy, PolicyLog
from tests.ledger.chain.rules.chain_world import ChainWorld, account_of
from tests.ledger.chain.rules.robot_world import quorum, witness

ORIGIN = "example.com/husky"


@pytest.fixture(autouse=True)
def _published_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))


class Anchored:
    """A home, and a chain on which its robot is registered."""

    def __init__(self, home: HomeWriter) -> None:
        self.home = home
        self.world = ChainWorld()
        self.fleet = self.world.create_fleet()
        self.key: PrivateKey = home.entry_key()
        message = register_message(self.world.chain, self.fleet, account_of(self.key), ORIGIN)
        self.world.must(
            self.world.key("authority"),
            RegisterRobot(
                fleet=self.fleet,
                origin=ORIGIN,
                key=account_of(self.key),
                signature=self.key.sign(message),
            ),
        )

    @property
    def record(self) -> AnchorRecord | None:
        return self.world.state.read(AnchorRecord, anchor_key(ORIGIN))

    def grow(self, leaves: int = 1, checkpoint: bool = True) -> None:
        size = self.home.log.size
        self.home.log.append([b"entry %d" % (size + number) for number in range(leaves)])
        if checkpoint:
            self.home.log.checkpoint(self.home.signers())

    def send(self, message: AnchorCheckpoint | None) -> AnchorRecord:
        assert message is not None
        result = self.world.do(self.world.key("alice"), message)
        assert result.code == ResultCode.OK, result.code
        self.world.advance()
        assert self.record is not None
        return self.record

    def cosign(self, size: int, *names: str) -> None:
        """Gather cosignatures of the checkpoint of ``size`` leaves."""
        note = self.home.log.checkpoint_at(size)
        assert note is not None
        text = SignedNote.parse(note).text
        keys = [witness(name).verifier_key for name in names]
        for name in names:
            line = witness(name).sign(text, self.world.time_ns // 10**9).encode().encode()
            self.home.log.merge_cosignatures(size, line, keys)


@pytest.fixture
def robot(tmp_path: Path) -> Iterator[Anchored]:
    create_home(tmp_path / "home", ORIGIN)
    with open_home_to_write(tmp_path / "home") as home:
        yield Anchored(home)


def asks(policy: bytes, robot: Anchored) -> Callable[[bytes], bool]:
    """Whether the fleet's policy is met, as a robot finds it out."""
    logs = tuple(PolicyLog(key) for key in robot.home.vkeys)
    parsed = replace(Policy.parse(policy), logs=logs)
    return lambda note: parsed.check(note).quorum_met


def test_a_log_without_a_checkpoint_has_nothing_to_anchor(robot: Anchored) -> None:
    assert next_anchor(robot.home.log, None) is None
    robot.grow(3, checkpoint=False)
    assert next_anchor(robot.home.log, None) is None


def test_a_checkpoint_of_no_leaves_is_nothing_to_anchor(robot: Anchored) -> None:
    robot.home.log.checkpoint(robot.home.signers())
    assert next_anchor(robot.home.log, None) is None


def test_the_first_anchor_and_the_next_ones(robot: Anchored) -> None:
    for leaves in (1, 1, 2, 3, 9, 16, 300):
        robot.grow(leaves)
        message = next_anchor(robot.home.log, robot.record)
        assert message is not None
        assert (robot.record is None) == (not message.proof)
        assert robot.send(message).size == robot.home.log.size
        assert next_anchor(robot.home.log, robot.record) is None


def test_a_month_offline_is_one_message(robot: Anchored) -> None:
    robot.grow(5)
    robot.send(next_anchor(robot.home.log, None))
    for _ in range(40):
        robot.grow(25)
    robot.world.advance(1_000_000)
    message = next_anchor(robot.home.log, robot.record)
    assert robot.send(message).size == 1_005
    assert message is not None
    assert len(message.SerializeToString()) < 1_000


def test_what_is_not_under_a_checkpoint_waits(robot: Anchored) -> None:
    robot.grow(5)
    robot.send(next_anchor(robot.home.log, None))
    robot.grow(5, checkpoint=False)
    assert next_anchor(robot.home.log, robot.record) is None
    robot.grow(1)
    assert robot.send(next_anchor(robot.home.log, robot.record)).size == 11


def test_a_reader_is_enough(robot: Anchored) -> None:
    robot.grow(5)
    robot.send(next_anchor(robot.home.log, None))
    robot.grow(30)
    reader = LogReader(robot.home.storage)
    assert robot.send(next_anchor(reader, robot.record)).size == 35


def test_a_key_that_changed_while_offline(robot: Anchored) -> None:
    robot.grow(5)
    robot.send(next_anchor(robot.home.log, None))
    old = robot.key
    rotate_key(robot.home)
    robot.grow(5)
    new = robot.home.entry_key()
    # Both sign for the log now, so what the chain knows is enough.
    robot.send(next_anchor(robot.home.log, robot.record))
    robot.world.must(
        old,
        RotateKey(
            origin=ORIGIN,
            new_key=account_of(new),
            new_signature=new.sign(
                rotate_message(robot.world.chain, account_of(old), account_of(new), ORIGIN)
            ),
            overlap=0,
        ),
    )
    robot.world.advance()
    retire_key(robot.home)
    robot.grow(5)
    assert robot.send(next_anchor(robot.home.log, robot.record)).size == robot.home.log.size


# Witnesses


def test_the_newest_checkpoint_that_is_cosigned_is_taken(robot: Anchored) -> None:
    policy = quorum(2, "w0", "w1", "w2")
    robot.world.must(
        robot.world.key("authority"), SetWitnessPolicy(fleet=robot.fleet, policy=policy)
    )
    is_cosigned = asks(policy, robot)
    for _ in range(6):
        robot.grow(10)
    with pytest.raises(RefusedError, match="none of the 6 checkpoints since 0 leaves"):
        next_anchor(robot.home.log, None, is_cosigned)
    robot.cosign(20, "w0", "w1")
    robot.cosign(30, "w2", "w1", "w0")
    robot.cosign(40, "w0")
    message = next_anchor(robot.home.log, None, is_cosigned)
    assert robot.send(message).size == 30
    with pytest.raises(RefusedError, match="none of the 3 checkpoints since 30 leaves"):
        next_anchor(robot.home.log, robot.record, is_cosigned)
    robot.cosign(40, "w1")
    assert robot.send(next_anchor(robot.home.log, robot.record, is_cosigned)).size == 40
    robot.cosign(60, "w0", "w2")
    record = robot.send(next_anchor(robot.home.log, robot.record, is_cosigned))
    assert (record.size, record.cosigned) == (60, 2)
    assert next_anchor(robot.home.log, record, is_cosigned) is None


# What the chain has and the log has not


def test_a_home_from_an_old_backup(robot: Anchored, tmp_path: Path) -> None:
    # `Log` would know it by its published checkpoint; a new machine has none.
    robot.grow(5)
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path / "home", backup)
    robot.grow(5)
    robot.send(next_anchor(robot.home.log, None))
    with open_home(backup) as old, pytest.raises(BehindError, match=r"10 leaves.* is of 5"):
        next_anchor(old.log, robot.record)


def test_a_home_without_a_checkpoint_of_a_log_that_is_anchored(robot: Anchored) -> None:
    with pytest.raises(BehindError, match=r"3 leaves.* is of 0"):
        next_anchor(robot.home.log, AnchorRecord(size=3, root=bytes(32)))


@pytest.mark.parametrize("size", [1, 4, 5, 8, 9, 20])
def test_a_log_that_is_not_the_anchored_one(robot: Anchored, size: int) -> None:
    robot.grow(20)
    good = AnchorRecord(size=size, root=robot.home.log.root(size))
    message = next_anchor(robot.home.log, good)
    assert (message is None) == (size == 20)
    with pytest.raises(ForkError, match=f"the {size} leaves"):
        next_anchor(robot.home.log, AnchorRecord(size=size, root=bytes(32)))


def test_checkpoints_can_be_read_from_a_size_on(robot: Anchored) -> None:
    for _ in range(4):
        robot.grow(10)
    log = robot.home.log
    for start, sizes in ((0, [10, 20, 30, 40]), (20, [20, 30, 40]), (21, [30, 40]), (41, [])):
        notes = list(log.checkpoints(start))
        assert [size for size, _ in notes] == sizes
        assert [Checkpoint.of_note(note).size for _, note in notes] == sizes
