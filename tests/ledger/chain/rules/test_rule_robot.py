"""Rule robots: registration, rotation and retirement, by whom, and until when a key speaks."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

import pytest

from ledger.chain.account import Account
from ledger.chain.codes import ResultCode
from ledger.chain.robot_keys import MAX_KEYS
from ledger.chain.robots import current_key, valid_keys
from ledger.chain.rules.robot import register_message, rotate_message
from ledger.chain.state_keys import robot_by_key_key
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_ACTIVE,
    ROBOT_STATUS_FROZEN,
    ROBOT_STATUS_RETIRED,
    KeyPeriod,
    RegisterRobot,
    RetireKey,
    RetireRobot,
    RobotRecord,
    RotateKey,
)
from ledger.schema.chain_pb2 import (
    EVENT_KIND_KEY_ROTATED,
    EVENT_KIND_ROBOT_REGISTERED,
    EVENT_KIND_ROBOT_RETIRED,
)
from tests.ledger.chain.rules.chain_world import ChainWorld, account_of
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS

ROBOT: Final = "robot.example/1"
FORGED: Final = b"\x01" + bytes(63)
"""What OpenSSL takes for a signature under the identity key, whatever the message."""


@pytest.fixture
def world() -> ChainWorld:
    return ChainWorld()


@pytest.fixture
def fleet(world: ChainWorld) -> bytes:
    return world.create_fleet()


@pytest.fixture
def robot(world: ChainWorld, fleet: bytes) -> str:
    world.register(fleet, ROBOT)
    return ROBOT


def name_of(world: ChainWorld, name: str) -> bytes:
    return account_of(world.key(name))


def registration(
    world: ChainWorld, fleet: bytes, origin: str = ROBOT, **fields: Any
) -> RegisterRobot:
    key = world.key(fields.pop("name", origin))
    signed = register_message(world.chain, fleet, account_of(key), origin)
    values = {
        "fleet": fleet,
        "origin": origin,
        "key": account_of(key),
        "signature": key.sign(signed),
        **fields,
    }
    return RegisterRobot(**values)


def rotate(world: ChainWorld, signer: str, new: str, overlap: int = 0) -> int:
    return world.do(world.key(signer), world.rotation(ROBOT, signer, new, overlap)).code


def valid(world: ChainWorld, origin: str = ROBOT) -> list[bytes]:
    return valid_keys(world.robot(origin), world.height)


class TestRegister:
    def test_writes_the_robot_and_an_account_for_its_key(
        self, world: ChainWorld, fleet: bytes
    ) -> None:
        world.advance(3)
        message = registration(world, fleet, role="gripper é")
        result = world.must(world.key("authority"), message)
        assert world.robot(ROBOT) == RobotRecord(
            fleet=fleet,
            role="gripper é",
            keys=[
                KeyPeriod(
                    key=name_of(world, ROBOT),
                    first_height=world.height,
                    first_time_ns=world.time_ns,
                )
            ],
        )
        assert world.account(world.key(ROBOT)) == Account()
        assert world.rows()[robot_by_key_key(name_of(world, ROBOT))] == ROBOT.encode()
        (event,) = result.events
        assert (event.kind, event.subject) == (EVENT_KIND_ROBOT_REGISTERED, ROBOT.encode())

    def test_an_account_that_has_money_keeps_it(self, world: ChainWorld, fleet: bytes) -> None:
        world.fund(world.key(ROBOT), 70)
        world.register(fleet, ROBOT)
        assert world.balance(world.key(ROBOT)) == 70

    def test_once_an_origin(self, world: ChainWorld, fleet: bytes, robot: str) -> None:
        code = world.do(world.key("authority"), registration(world, fleet, name="other")).code
        assert code == ResultCode.ROBOT_EXISTS
        world.must(world.key("authority"), RetireRobot(origin=robot))
        code = world.do(world.key("authority"), registration(world, fleet, name="other")).code
        assert code == ResultCode.ROBOT_EXISTS

    def test_once_a_key(self, world: ChainWorld, fleet: bytes, robot: str) -> None:
        world.must(world.key(robot), world.rotation(robot, robot, "second"))
        world.advance(5)
        for name in (robot, "second"):
            message = registration(world, fleet, "robot.example/2", name=name)
            assert world.do(world.key("authority"), message).code == ResultCode.KEY_IN_USE

    def test_by_the_authority_alone(self, world: ChainWorld, fleet: bytes) -> None:
        message = registration(world, fleet)
        assert world.do(world.key("alice"), message).code == ResultCode.NOT_ALLOWED
        message = registration(world, bytes(32))
        assert world.do(world.key("authority"), message).code == ResultCode.UNKNOWN_FLEET

    def test_the_key_signs_for_this_chain_fleet_and_origin(
        self, world: ChainWorld, fleet: bytes
    ) -> None:
        key, name = world.key(ROBOT), name_of(world, ROBOT)
        other_chain = ChainWorld(cap_delay=9).chain
        for signed in (
            register_message(other_chain, fleet, name, ROBOT),
            register_message(world.chain, world.create_fleet("other"), name, ROBOT),
            register_message(world.chain, fleet, name_of(world, "bob"), ROBOT),
            register_message(world.chain, fleet, name, ROBOT + "0"),
            rotate_message(world.chain, fleet, name, ROBOT),
        ):
            message = registration(world, fleet, signature=key.sign(signed))
            assert world.do(world.key("authority"), message).code == ResultCode.NOT_PROVEN
        for signature in (b"", bytes(64), bytes(63), FORGED):
            message = registration(world, fleet, signature=signature)
            assert world.do(world.key("authority"), message).code == ResultCode.NOT_PROVEN

    @pytest.mark.parametrize("weak", WEAK_KEYS, ids=lambda key: key.hex()[:8])
    def test_a_weak_key(self, world: ChainWorld, fleet: bytes, weak: bytes) -> None:
        message = registration(world, fleet, key=weak, signature=FORGED)
        assert world.do(world.key("authority"), message).code == ResultCode.WEAK_KEY

    @pytest.mark.parametrize(
        "fields",
        [
            {"origin": ""},
            {"origin": "o" * 256},
            {"origin": "é" * 128},
            {"origin": "two words"},
            {"origin": "a+b"},
            {"origin": "a\nb"},
            {"origin": "a\x00b"},
            {"origin": "no\u2003space"},
            {"key": bytes(31)},
            {"key": b""},
            {"fleet": bytes(33)},
            {"role": "r" * 33},
            {"role": "a\tb"},
            {"successor_of": "o" * 256},
        ],
        ids=str,
    )
    def test_form(self, world: ChainWorld, fleet: bytes, fields: dict[str, Any]) -> None:
        message = registration(world, fleet)
        for field, value in fields.items():
            setattr(message, field, value)
        assert world.do(world.key("authority"), message).code == ResultCode.FIELD_REFUSED

    @pytest.mark.parametrize("origin", ["o", "o" * 255, "é" * 127 + "x", "robot.example/☀"])
    def test_origins(self, world: ChainWorld, fleet: bytes, origin: str) -> None:
        world.register(fleet, origin, role="r" * 32)


class TestSuccessor:
    NEXT: Final = "robot.example/1-again"

    def code(self, world: ChainWorld, fleet: bytes, of: str, who: str = "authority") -> int:
        message = registration(world, fleet, self.NEXT, successor_of=of)
        return world.do(world.key(who), message).code

    @pytest.mark.parametrize("status", [ROBOT_STATUS_FROZEN, ROBOT_STATUS_RETIRED])
    def test_of_a_robot_at_its_end(
        self, world: ChainWorld, fleet: bytes, robot: str, status: Any
    ) -> None:
        world.set_status(robot, status)
        assert self.code(world, fleet, robot) == ResultCode.OK
        assert world.robot(self.NEXT).successor_of == robot
        assert world.robot(self.NEXT).status == ROBOT_STATUS_ACTIVE
        assert world.robot(robot).status == status

    def test_not_of_one_at_work(self, world: ChainWorld, fleet: bytes, robot: str) -> None:
        assert self.code(world, fleet, robot) == ResultCode.NOT_ALLOWED

    def test_not_of_another_fleets(self, world: ChainWorld, robot: str) -> None:
        world.set_status(robot, ROBOT_STATUS_FROZEN)
        other = world.create_fleet("other", "bob")
        assert self.code(world, other, robot, "bob") == ResultCode.NOT_ALLOWED

    def test_not_of_nobody_or_itself(self, world: ChainWorld, fleet: bytes) -> None:
        assert self.code(world, fleet, "robot.example/0") == ResultCode.UNKNOWN_ROBOT
        assert self.code(world, fleet, self.NEXT) == ResultCode.UNKNOWN_ROBOT


class TestRotate:
    def test_old_and_new_overlap(self, world: ChainWorld, robot: str) -> None:
        world.advance(9)
        announced = world.time_ns
        result = world.must(world.key(robot), world.rotation(robot, robot, "second", 3))
        assert valid(world) == [name_of(world, robot), name_of(world, "second")]
        assert current_key(world.robot(robot)) == name_of(world, "second")
        (event,) = result.events
        assert (event.kind, event.subject) == (EVENT_KIND_KEY_ROTATED, robot.encode())
        first, second = world.robot(robot).keys
        assert (first.last_height, first.last_time_ns) == (13, announced)
        assert (second.first_height, second.first_time_ns) == (10, announced)
        assert world.account(world.key("second")) == Account()
        world.advance(3)
        assert len(valid(world)) == 2
        world.advance(1)
        assert valid(world) == [name_of(world, "second")]

    def test_without_overlap_ends_with_the_block(self, world: ChainWorld, robot: str) -> None:
        assert rotate(world, robot, "second") == ResultCode.OK
        assert len(valid(world)) == 2
        world.advance()
        assert valid(world) == [name_of(world, "second")]

    def test_overlap_at_its_limits(self, world: ChainWorld, robot: str) -> None:
        assert rotate(world, robot, "second", 31) == ResultCode.FIELD_REFUSED
        assert rotate(world, robot, "second", 2**32 - 1) == ResultCode.FIELD_REFUSED
        assert rotate(world, robot, "second", 30) == ResultCode.OK

    def test_an_end_once_announced_comes_no_later(self, world: ChainWorld, robot: str) -> None:
        assert rotate(world, robot, "second", 5) == ResultCode.OK
        world.advance(2)
        assert rotate(world, "second", "third", 30) == ResultCode.OK
        first, second, third = world.robot(robot).keys
        assert (first.last_height, second.last_height, third.last_height) == (6, 33, 0)
        assert first.last_time_ns < second.last_time_ns == world.time_ns
        # But it comes sooner.
        assert rotate(world, "third", "fourth", 1) == ResultCode.OK
        ends = [each.last_height for each in world.robot(robot).keys]
        assert ends == [4, 4, 4, 0]
        world.advance(2)
        assert valid(world) == [name_of(world, "fourth")]
        # Keys that ended before stay as they were.
        assert rotate(world, "fourth", "fifth", 9) == ResultCode.OK
        ends = [each.last_height for each in world.robot(robot).keys]
        assert ends == [4, 4, 4, 14, 0]

    def test_a_key_in_its_overlap_cannot_undo_it(self, world: ChainWorld, robot: str) -> None:
        assert rotate(world, robot, "second", 5) == ResultCode.OK
        for _ in range(2):
            assert rotate(world, robot, "thief") == ResultCode.NOT_ALLOWED
            for message in (
                RetireKey(origin=robot, key=name_of(world, "second")),
                RetireKey(origin=robot, key=name_of(world, robot)),
                RetireRobot(origin=robot),
            ):
                assert world.do(world.key(robot), message).code == ResultCode.NOT_ALLOWED
            world.advance(6)

    def test_by_the_robot_alone(self, world: ChainWorld, robot: str, fleet: bytes) -> None:
        world.register(fleet, "robot.example/2")
        for who in ("authority", "alice", "robot.example/2"):
            assert rotate(world, who, "second") == ResultCode.NOT_ALLOWED

    def test_to_a_key_that_is_or_was_a_robots(
        self, world: ChainWorld, robot: str, fleet: bytes
    ) -> None:
        world.register(fleet, "robot.example/2")
        assert rotate(world, robot, "robot.example/2") == ResultCode.KEY_IN_USE
        assert rotate(world, robot, robot) == ResultCode.KEY_IN_USE
        assert rotate(world, robot, "second") == ResultCode.OK
        world.advance()
        assert rotate(world, "second", robot) == ResultCode.KEY_IN_USE

    def test_the_new_key_signs_for_this_chain_signer_key_and_origin(
        self, world: ChainWorld, robot: str
    ) -> None:
        key, new, old = world.key("second"), name_of(world, "second"), name_of(world, robot)
        for signed in (
            rotate_message(ChainWorld(cap_delay=9).chain, old, new, robot),
            rotate_message(world.chain, name_of(world, "authority"), new, robot),
            rotate_message(world.chain, old, old, robot),
            rotate_message(world.chain, old, new, "robot.example/2"),
        ):
            message = RotateKey(origin=robot, new_key=new, new_signature=key.sign(signed))
            assert world.do(world.key(robot), message).code == ResultCode.NOT_PROVEN
        # Signed by the old key instead of the new one.
        signature = world.key(robot).sign(rotate_message(world.chain, old, new, robot))
        message = RotateKey(origin=robot, new_key=new, new_signature=signature)
        assert world.do(world.key(robot), message).code == ResultCode.NOT_PROVEN

    @pytest.mark.parametrize("weak", WEAK_KEYS, ids=lambda key: key.hex()[:8])
    def test_to_a_weak_key(self, world: ChainWorld, robot: str, weak: bytes) -> None:
        message = RotateKey(origin=robot, new_key=weak, new_signature=FORGED)
        assert world.do(world.key(robot), message).code == ResultCode.WEAK_KEY

    def test_as_often_as_a_record_has_room(self, world: ChainWorld, robot: str) -> None:
        names = [robot, *(f"key {number}" for number in range(1, MAX_KEYS))]
        for old, new in pairwise(names):
            assert rotate(world, old, new, 30) == ResultCode.OK
        assert len(valid(world)) == MAX_KEYS
        assert rotate(world, names[-1], "one more") == ResultCode.TOO_MANY_KEYS
        world.advance(31)
        assert valid(world) == [name_of(world, names[-1])]
        assert rotate(world, names[-1], "one more") == ResultCode.TOO_MANY_KEYS
        world.must(world.key(names[-1]), RetireRobot(origin=robot))

    def test_form(self, world: ChainWorld, robot: str) -> None:
        for message in (
            RotateKey(origin="", new_key=bytes(32)),
            RotateKey(origin="o" * 256, new_key=bytes(32)),
            RotateKey(origin=robot, new_key=bytes(31)),
        ):
            assert world.do(world.key(robot), message).code == ResultCode.FIELD_REFUSED

    def test_of_nobody(self, world: ChainWorld, robot: str) -> None:
        message = world.rotation("robot.example/0", robot, "second")
        assert world.do(world.key(robot), message).code == ResultCode.UNKNOWN_ROBOT


class TestRetireKey:
    @pytest.fixture
    def robot(self, world: ChainWorld, fleet: bytes) -> str:
        world.register(fleet, ROBOT)
        assert rotate(world, ROBOT, "second", 20) == ResultCode.OK
        world.advance(5)
        return ROBOT

    def retire(self, world: ChainWorld, who: str, key: str) -> int:
        message = RetireKey(origin=ROBOT, key=name_of(world, key))
        return world.do(world.key(who), message).code

    @pytest.mark.parametrize("who", ["second", "authority"])
    def test_ends_an_old_key_with_the_block(self, world: ChainWorld, robot: str, who: str) -> None:
        assert self.retire(world, who, robot) == ResultCode.OK
        period = world.robot(robot).keys[0]
        assert (period.last_height, period.last_time_ns) == (world.height, world.time_ns)
        assert len(valid(world)) == 2
        assert self.retire(world, who, robot) == ResultCode.UNKNOWN_ROBOT
        world.advance()
        assert valid(world) == [name_of(world, "second")]
        assert self.retire(world, who, robot) == ResultCode.UNKNOWN_ROBOT

    @pytest.mark.parametrize("who", ["second", "authority"])
    def test_the_current_key_stays(self, world: ChainWorld, robot: str, who: str) -> None:
        assert self.retire(world, who, "second") == ResultCode.LAST_KEY
        world.advance(30)
        assert self.retire(world, who, "second") == ResultCode.LAST_KEY

    def test_by_whom(self, world: ChainWorld, robot: str) -> None:
        assert self.retire(world, "alice", robot) == ResultCode.NOT_ALLOWED
        assert self.retire(world, robot, robot) == ResultCode.NOT_ALLOWED

    def test_a_key_that_is_not_the_robots(self, world: ChainWorld, robot: str) -> None:
        assert self.retire(world, "second", "alice") == ResultCode.UNKNOWN_ROBOT

    def test_form(self, world: ChainWorld, robot: str) -> None:
        for message in (RetireKey(origin="", key=bytes(32)), RetireKey(origin=robot)):
            assert world.do(world.key("second"), message).code == ResultCode.FIELD_REFUSED
        message = RetireKey(origin="robot.example/0", key=bytes(32))
        assert world.do(world.key("second"), message).code == ResultCode.UNKNOWN_ROBOT


class TestRetireRobot:
    @pytest.mark.parametrize("who", [ROBOT, "authority"])
    def test_ends_every_key_and_says_when(self, world: ChainWorld, robot: str, who: str) -> None:
        signer = who
        assert rotate(world, robot, "second", 20) == ResultCode.OK
        if who == ROBOT:
            signer = "second"
        world.advance(5)
        (event,) = world.must(world.key(signer), RetireRobot(origin=robot)).events
        assert (event.kind, event.subject) == (EVENT_KIND_ROBOT_RETIRED, robot.encode())
        after = world.robot(robot)
        assert after.status == ROBOT_STATUS_RETIRED
        ends = [(each.last_height, each.last_time_ns) for each in after.keys]
        assert ends == [(world.height, world.time_ns)] * 2
        assert valid(world) == []
        assert current_key(after) is None

    def test_is_for_good(self, world: ChainWorld, robot: str) -> None:
        world.must(world.key(robot), RetireRobot(origin=robot))
        assert rotate(world, robot, "second") == ResultCode.ROBOT_RETIRED
        for message in (
            RetireRobot(origin=robot),
            RetireKey(origin=robot, key=name_of(world, robot)),
        ):
            for who in (robot, "authority"):
                assert world.do(world.key(who), message).code == ResultCode.ROBOT_RETIRED

    def test_by_whom(self, world: ChainWorld, robot: str, fleet: bytes) -> None:
        world.register(fleet, "robot.example/2")
        world.create_fleet("other", "bob")
        for who in ("alice", "bob", "robot.example/2"):
            code = world.do(world.key(who), RetireRobot(origin=robot)).code
            assert code == ResultCode.NOT_ALLOWED

    def test_form(self, world: ChainWorld, robot: str) -> None:
        codes = [
            world.do(world.key(robot), RetireRobot(origin=origin)).code
            for origin in ("", "o" * 256, "robot.example/0")
        ]
        assert codes == [
            ResultCode.FIELD_REFUSED,
            ResultCode.FIELD_REFUSED,
            ResultCode.UNKNOWN_ROBOT,
        ]


class TestFrozen:
    def test_nothing_about_its_keys_changes(self, world: ChainWorld, robot: str) -> None:
        assert rotate(world, robot, "second", 20) == ResultCode.OK
        world.set_status(robot, ROBOT_STATUS_FROZEN)
        before = world.robot(robot)
        assert rotate(world, "second", "third") == ResultCode.ROBOT_FROZEN
        for message in (
            RetireKey(origin=robot, key=name_of(world, robot)),
            RetireRobot(origin=robot),
        ):
            for who in ("second", "authority"):
                assert world.do(world.key(who), message).code == ResultCode.ROBOT_FROZEN
        assert world.robot(robot) == before
        # Its keys still speak for it where it may act.
        assert len(valid(world)) == 2
