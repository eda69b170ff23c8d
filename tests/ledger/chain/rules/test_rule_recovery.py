"""Rule recovery: a lost key replaced after a delay, unless somebody says no."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import pytest
from google.protobuf.message import Message

from ledger.chain.account import Account
from ledger.chain.codes import ResultCode
from ledger.chain.robot_keys import MAX_KEYS
from ledger.chain.robots import current_key, valid_keys
from ledger.chain.rules.robot import rotate_message
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    BeginRecovery,
    CancelRecovery,
    CompleteRecovery,
    RetireRobot,
)
from ledger.schema.chain_pb2 import EVENT_KIND_KEY_ROTATED, EVENT_KIND_RECOVERY_BEGUN
from tests.ledger.chain.rules.chain_world import ChainWorld, account_of
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS

ROBOT: Final = "robot.example/1"
OTHER: Final = "robot.example/2"
DELAY: Final = 20


@pytest.fixture
def world() -> ChainWorld:
    world = ChainWorld(recovery_delay=DELAY)
    fleet = world.create_fleet()
    for origin in (ROBOT, OTHER):
        world.register(fleet, origin)
    return world


def begin(world: ChainWorld, who: str = "authority", new: str = "second") -> int:
    return world.do(world.key(who), beginning(world, who, new)).code


def beginning(world: ChainWorld, who: str, new: str) -> BeginRecovery:
    key = world.key(new)
    signed = rotate_message(world.chain, account_of(world.key(who)), account_of(key), ROBOT)
    return BeginRecovery(origin=ROBOT, new_key=account_of(key), new_signature=key.sign(signed))


def cancel(world: ChainWorld, who: str) -> int:
    return world.do(world.key(who), CancelRecovery(origin=ROBOT)).code


def complete(world: ChainWorld, who: str = "authority") -> int:
    return world.do(world.key(who), CompleteRecovery(origin=ROBOT)).code


def rotate(world: ChainWorld, signer: str, new: str, overlap: int = 0) -> int:
    return world.do(world.key(signer), world.rotation(ROBOT, signer, new, overlap)).code


def test_the_new_key_takes_over_after_the_delay(world: ChainWorld) -> None:
    (event,) = world.must(world.key("authority"), beginning(world, "authority", "second")).events
    assert (event.kind, event.subject) == (EVENT_KIND_RECOVERY_BEGUN, ROBOT.encode())
    new = account_of(world.key("second"))
    record = world.robot(ROBOT)
    assert (record.recovery_key, record.recovery_height) == (new, world.height + DELAY)
    assert world.account(new) is None
    world.advance(DELAY - 1)
    assert valid_keys(world.robot(ROBOT), world.height) == [account_of(world.key(ROBOT))]
    assert complete(world) == ResultCode.RECOVERY_STATE
    world.advance(1)
    (event,) = world.must(world.key("authority"), CompleteRecovery(origin=ROBOT)).events
    assert (event.kind, event.subject) == (EVENT_KIND_KEY_ROTATED, ROBOT.encode())
    after = world.robot(ROBOT)
    assert (after.recovery_key, after.recovery_height) == (b"", 0)
    assert current_key(after) == new
    assert (after.keys[0].last_height, after.keys[0].last_time_ns) == (world.height, world.time_ns)
    assert (after.keys[1].first_height, after.keys[1].first_time_ns) == (
        world.height,
        world.time_ns,
    )
    assert world.account(new) == Account()
    assert complete(world) == ResultCode.RECOVERY_STATE
    # The old key is valid to the end of this block, and can do nothing about it.
    assert rotate(world, ROBOT, "thief") == ResultCode.NOT_ALLOWED
    world.advance()
    assert valid_keys(world.robot(ROBOT), world.height) == [new]


def test_overlaps_end_with_a_recovery(world: ChainWorld) -> None:
    assert begin(world) == ResultCode.OK
    world.advance(DELAY - 1)
    # Rotating is no way to say no.
    assert rotate(world, ROBOT, "third", 30) == ResultCode.OK
    world.advance(1)
    assert complete(world) == ResultCode.OK
    world.advance()
    assert valid_keys(world.robot(ROBOT), world.height) == [account_of(world.key("second"))]


@pytest.mark.parametrize("who", [ROBOT, "authority"])
def test_called_off(world: ChainWorld, who: str) -> None:
    assert cancel(world, who) == ResultCode.RECOVERY_STATE
    assert begin(world) == ResultCode.OK
    assert begin(world) == ResultCode.RECOVERY_STATE
    world.advance(DELAY)
    assert cancel(world, who) == ResultCode.OK
    record = world.robot(ROBOT)
    assert (record.recovery_key, record.recovery_height) == (b"", 0)
    assert complete(world) == ResultCode.RECOVERY_STATE
    # The delay begins again with the next.
    assert begin(world, new="third") == ResultCode.OK
    world.advance(DELAY - 1)
    assert complete(world) == ResultCode.RECOVERY_STATE
    world.advance(1)
    assert complete(world) == ResultCode.OK


def test_a_retired_robot_recovers_no_more(world: ChainWorld) -> None:
    assert begin(world) == ResultCode.OK
    world.must(world.key("authority"), RetireRobot(origin=ROBOT))
    record = world.robot(ROBOT)
    assert (record.recovery_key, record.recovery_height) == (b"", 0)
    world.advance(DELAY)
    for message in (
        beginning(world, "authority", "third"),
        CancelRecovery(origin=ROBOT),
        CompleteRecovery(origin=ROBOT),
    ):
        assert world.do(world.key("authority"), message).code == ResultCode.ROBOT_RETIRED


def test_nor_does_a_frozen_one(world: ChainWorld) -> None:
    assert begin(world) == ResultCode.OK
    world.set_status(ROBOT, ROBOT_STATUS_FROZEN)
    world.advance(DELAY)
    for message in (
        beginning(world, "authority", "third"),
        CancelRecovery(origin=ROBOT),
        CompleteRecovery(origin=ROBOT),
    ):
        assert world.do(world.key("authority"), message).code == ResultCode.ROBOT_FROZEN


def test_by_whom(world: ChainWorld) -> None:
    world.create_fleet("other", "bob")
    for who in (ROBOT, OTHER, "alice", "bob"):
        assert begin(world, who) == ResultCode.NOT_ALLOWED
    assert begin(world) == ResultCode.OK
    world.advance(DELAY)
    for who in (OTHER, "alice", "bob"):
        assert cancel(world, who) == ResultCode.NOT_ALLOWED
        assert complete(world, who) == ResultCode.NOT_ALLOWED
    assert complete(world, ROBOT) == ResultCode.NOT_ALLOWED


def test_a_key_in_its_overlap_does_not_say_no(world: ChainWorld) -> None:
    assert begin(world) == ResultCode.OK
    assert rotate(world, ROBOT, "third", 30) == ResultCode.OK
    assert cancel(world, ROBOT) == ResultCode.NOT_ALLOWED
    assert cancel(world, "third") == ResultCode.OK


def test_to_which_keys(world: ChainWorld) -> None:
    assert begin(world, new=ROBOT) == ResultCode.KEY_IN_USE
    assert begin(world, new=OTHER) == ResultCode.KEY_IN_USE
    key = world.key("second")
    for signed in (
        rotate_message(world.chain, account_of(world.key(ROBOT)), account_of(key), ROBOT),
        rotate_message(world.chain, account_of(world.key("authority")), account_of(key), OTHER),
        b"",
    ):
        message = BeginRecovery(
            origin=ROBOT, new_key=account_of(key), new_signature=key.sign(signed)
        )
        assert world.do(world.key("authority"), message).code == ResultCode.NOT_PROVEN
    for weak in WEAK_KEYS:
        message = BeginRecovery(origin=ROBOT, new_key=weak, new_signature=b"\x01" + bytes(63))
        assert world.do(world.key("authority"), message).code == ResultCode.WEAK_KEY


def test_a_key_that_came_to_another_robot_meanwhile(world: ChainWorld) -> None:
    assert begin(world, new="robot.example/3") == ResultCode.OK
    world.register(world.robot(ROBOT).fleet, "robot.example/3")
    world.advance(DELAY)
    assert complete(world) == ResultCode.KEY_IN_USE
    assert cancel(world, "authority") == ResultCode.OK


def test_a_robot_that_has_had_all_its_keys(world: ChainWorld) -> None:
    assert begin(world) == ResultCode.OK
    keys = [ROBOT, *(f"key {number}" for number in range(1, MAX_KEYS))]
    for old, new in pairwise(keys):
        assert rotate(world, old, new) == ResultCode.OK
    world.advance(DELAY)
    assert complete(world) == ResultCode.TOO_MANY_KEYS
    assert cancel(world, "authority") == ResultCode.OK
    assert begin(world) == ResultCode.TOO_MANY_KEYS


@pytest.mark.parametrize(
    "message",
    [
        BeginRecovery(origin="", new_key=bytes(32)),
        BeginRecovery(origin="o" * 256, new_key=bytes(32)),
        BeginRecovery(origin=ROBOT, new_key=bytes(31)),
        CancelRecovery(),
        CancelRecovery(origin="o" * 256),
        CompleteRecovery(),
        CompleteRecovery(origin="o" * 256),
    ],
)
def test_form(world: ChainWorld, message: Message) -> None:
    assert world.do(world.key("authority"), message).code == ResultCode.FIELD_REFUSED


@pytest.mark.parametrize(
    "message",
    [
        BeginRecovery(origin="robot.example/0", new_key=bytes(32)),
        CancelRecovery(origin="robot.example/0"),
        CompleteRecovery(origin="robot.example/0"),
    ],
)
def test_of_nobody(world: ChainWorld, message: Message) -> None:
    assert world.do(world.key("authority"), message).code == ResultCode.UNKNOWN_ROBOT
