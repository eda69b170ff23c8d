"""Rule fleets: who speaks for one, its issuer keys, its pool, and whose fees that pays."""

from __future__ import annotations

from typing import Final

import pytest
from py_ecc.bls.point_compression import decompress_G2

from ledger.chain.account import IS_POOL, MAX_AMOUNT, Account
from ledger.chain.codes import ResultCode
from ledger.chain.fleets import fleet_id, read_fleet
from ledger.chain.rules.fleet import authority_message
from ledger.chain.sponsorship import pool_account
from ledger.ed25519 import check_public_key
from ledger.errors import MalformedError
from ledger.note import CosignatureSigner, NoteSigner
from ledger.schema.chain_identity_pb2 import (
    ROBOT_STATUS_FROZEN,
    ROBOT_STATUS_RETIRED,
    ChangeAuthority,
    CreateFleet,
    FleetRecord,
    PayFromPool,
    RetireKey,
    SetIssuerKey,
    SetSponsorship,
    SetWitnessPolicy,
)
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import EVENT_KIND_FLEET_CREATED, EVENT_KIND_PAID
from tests.ledger.chain.rules.chain_world import PEOPLE_MONEY, ChainWorld, account_of
from tests.ledger.chain.rules.weak_keys import WEAK_KEYS
from zkproofs.group import group

ROBOT: Final = "robot.example/1"
NOBODY: Final = bytes(31) + b"\x01"
"""A fleet's id that is none's."""


@pytest.fixture
def world() -> ChainWorld:
    return ChainWorld()


@pytest.fixture
def fleet(world: ChainWorld) -> bytes:
    return world.create_fleet()


def record(world: ChainWorld, fleet: bytes) -> FleetRecord:
    return read_fleet(world.state, fleet)


class TestCreateFleet:
    def test_makes_the_signer_its_authority_and_a_pool(self, world: ChainWorld) -> None:
        result = world.must(world.key("alice"), CreateFleet(name="grün"))
        fleet = fleet_id(world.chain, "grün")
        assert record(world, fleet) == FleetRecord(
            name="grün", authority=account_of(world.key("alice"))
        )
        assert world.account(pool_account(fleet)) == Account(flags=IS_POOL)
        (event,) = result.events
        assert (event.kind, event.subject) == (EVENT_KIND_FLEET_CREATED, fleet)

    def test_once(self, world: ChainWorld, fleet: bytes) -> None:
        for who in ("authority", "alice"):
            result = world.do(world.key(who), CreateFleet(name="fleet"))
            assert result.code == ResultCode.FLEET_EXISTS
        world.create_fleet("fleet ")

    @pytest.mark.parametrize("name", ["x", "n" * 64, "é" * 32, " ", "a/b:c"])
    def test_names(self, world: ChainWorld, name: str) -> None:
        world.create_fleet(name)

    @pytest.mark.parametrize(
        "name", ["", "n" * 65, "é" * 33, "a\nb", "a\0", "\x7f", "\x85", "\x1f"]
    )
    def test_no_names(self, world: ChainWorld, name: str) -> None:
        code = world.do(world.key("alice"), CreateFleet(name=name)).code
        assert code == ResultCode.FIELD_REFUSED

    def test_a_name_means_another_fleet_on_another_chain(self, world: ChainWorld) -> None:
        assert fleet_id(world.chain, "fleet") != fleet_id(ChainWorld(cap_delay=9).chain, "fleet")

    def test_money_that_waited_for_the_pool(self, world: ChainWorld) -> None:
        # Half of all hashes look like keys: one of these can be paid before its fleet is.
        name = next(
            name
            for name in (f"fleet {number}" for number in range(50))
            if _looks_like_a_key(pool_account(fleet_id(world.chain, name)))
        )
        pool = pool_account(fleet_id(world.chain, name))
        world.fund(pool, 70)
        world.create_fleet(name)
        assert world.account(pool) == Account(IS_POOL, 0, ((0, 70),))

    def test_a_hash_that_is_no_key_is_paid_once_it_is_a_pool(self, world: ChainWorld) -> None:
        name = next(
            name
            for name in (f"fleet {number}" for number in range(50))
            if not _looks_like_a_key(pool_account(fleet_id(world.chain, name)))
        )
        pool = pool_account(fleet_id(world.chain, name))
        message = Transfer(recipient=pool, amount=1)
        assert world.do(world.key("alice"), message).code == ResultCode.WEAK_KEY
        world.create_fleet(name)
        world.must(world.key("alice"), message)


def _looks_like_a_key(name: bytes) -> bool:
    try:
        check_public_key(name)
    except MalformedError:
        return False
    return True


class TestChangeAuthority:
    def message(self, world: ChainWorld, fleet: bytes, new: str = "new") -> ChangeAuthority:
        key = world.key(new)
        old = record(world, fleet).authority
        signed = authority_message(world.chain, fleet, old, account_of(key))
        return ChangeAuthority(
            fleet=fleet, new_authority=account_of(key), new_signature=key.sign(signed)
        )

    def test_hands_everything_over(self, world: ChainWorld, fleet: bytes) -> None:
        world.must(world.key("authority"), self.message(world, fleet))
        assert record(world, fleet).authority == account_of(world.key("new"))
        assert world.account(world.key("new")) == Account()
        sponsorship = SetSponsorship(fleet=fleet, amount=1, period=1)
        assert world.do(world.key("authority"), sponsorship).code == ResultCode.NOT_ALLOWED
        world.must(world.key("new"), sponsorship)
        world.must(world.key("new"), self.message(world, fleet, "authority"))

    def test_by_the_authority_alone(self, world: ChainWorld, fleet: bytes) -> None:
        world.fund(world.key("new"))
        for who in ("alice", "new"):
            code = world.do(world.key(who), self.message(world, fleet)).code
            assert code == ResultCode.NOT_ALLOWED

    def test_to_itself(self, world: ChainWorld, fleet: bytes) -> None:
        code = world.do(world.key("authority"), self.message(world, fleet, "authority")).code
        assert code == ResultCode.FIELD_REFUSED

    def test_the_new_one_signs_for_this_chain_fleet_and_pair(
        self, world: ChainWorld, fleet: bytes
    ) -> None:
        other, key = world.create_fleet("other"), world.key("new")
        new, old = account_of(key), account_of(world.key("authority"))
        for signed in (
            authority_message(ChainWorld(cap_delay=9).chain, fleet, old, new),
            authority_message(world.chain, other, old, new),
            authority_message(world.chain, fleet, new, new),
            authority_message(world.chain, fleet, old, old),
            b"",
        ):
            message = ChangeAuthority(
                fleet=fleet, new_authority=new, new_signature=key.sign(signed)
            )
            assert world.do(world.key("authority"), message).code == ResultCode.NOT_PROVEN
        message = self.message(world, fleet)
        message.new_signature = message.new_signature[:-1]
        assert world.do(world.key("authority"), message).code == ResultCode.NOT_PROVEN

    @pytest.mark.parametrize("weak", WEAK_KEYS, ids=lambda key: key.hex()[:8])
    def test_to_a_weak_key(self, world: ChainWorld, fleet: bytes, weak: bytes) -> None:
        # A signature that OpenSSL takes for the identity key, whatever the message.
        forged = b"\x01" + bytes(63)
        message = ChangeAuthority(fleet=fleet, new_authority=weak, new_signature=forged)
        assert world.do(world.key("authority"), message).code == ResultCode.WEAK_KEY

    def test_form(self, world: ChainWorld, fleet: bytes) -> None:
        for message in (
            ChangeAuthority(fleet=fleet[:31], new_authority=fleet),
            ChangeAuthority(fleet=fleet, new_authority=fleet + b"\0"),
        ):
            assert world.do(world.key("authority"), message).code == ResultCode.FIELD_REFUSED

    def test_of_no_fleet(self, world: ChainWorld, fleet: bytes) -> None:
        message = self.message(world, fleet)
        message.fleet = NOBODY
        assert world.do(world.key("authority"), message).code == ResultCode.UNKNOWN_FLEET


def issuer_key(secret: int) -> bytes:
    curve = group()
    return curve.encode_g2(curve.g2 * curve.scalar(secret))


class TestSetIssuerKey:
    def set(
        self, world: ChainWorld, fleet: bytes, epoch: int, key: bytes, who: str = "authority"
    ) -> int:
        message = SetIssuerKey(fleet=fleet, epoch=epoch, public_key=key)
        return world.do(world.key(who), message).code

    def test_rising_epochs_the_newest_eight(self, world: ChainWorld, fleet: bytes) -> None:
        for number in range(10):
            world.advance()
            assert self.set(world, fleet, number * 5, issuer_key(number + 2)) == ResultCode.OK
        kept = record(world, fleet).issuer_keys
        assert [each.epoch for each in kept] == [10, 15, 20, 25, 30, 35, 40, 45]
        assert [each.height for each in kept] == list(range(4, 12))
        assert kept[7].public_key == issuer_key(11)

    def test_epochs_that_do_not_rise(self, world: ChainWorld, fleet: bytes) -> None:
        assert self.set(world, fleet, 7, issuer_key(2)) == ResultCode.OK
        for epoch in (0, 6, 7):
            assert self.set(world, fleet, epoch, issuer_key(3)) == ResultCode.EPOCH_PAST
        assert self.set(world, fleet, 2**64 - 1, issuer_key(3)) == ResultCode.OK
        assert self.set(world, fleet, 2**64 - 1, issuer_key(4)) == ResultCode.EPOCH_PAST

    def test_bad_keys(self, world: ChainWorld, fleet: bytes) -> None:
        good = issuer_key(5)
        not_in_the_subgroup = _g2_point_outside_the_subgroup()
        for bad in (
            b"",
            good[:95],
            good + b"\0",
            b"\xc0" + bytes(95),  # the identity
            b"\xe0" + bytes(95),  # the identity with a sign
            bytes([good[0] & 0x7F]) + good[1:],  # not marked as compressed
            b"\xff" * 96,
            bytes([good[0] | 0x40]) + good[1:],  # said to be the identity
            good[:-1] + bytes([good[-1] ^ 1]),
            not_in_the_subgroup,
        ):
            assert self.set(world, fleet, 1, bad) == ResultCode.BAD_ISSUER_KEY, bad.hex()
        assert self.set(world, fleet, 1, good) == ResultCode.OK

    def test_by_the_authority_alone(self, world: ChainWorld, fleet: bytes) -> None:
        assert self.set(world, fleet, 1, issuer_key(5), "alice") == ResultCode.NOT_ALLOWED
        assert self.set(world, NOBODY, 1, issuer_key(5)) == ResultCode.UNKNOWN_FLEET
        assert self.set(world, b"", 1, issuer_key(5)) == ResultCode.FIELD_REFUSED


def _g2_point_outside_the_subgroup() -> bytes:
    """A point of the curve: x as small as possible, whose order is not the group's."""
    for x in range(1, 100):
        encoded = bytes([0x80]) + bytes(94) + bytes([x])
        try:
            decompress_G2(
                (int.from_bytes(encoded[:48], "big"), int.from_bytes(encoded[48:], "big"))  # type: ignore[arg-type]
            )
        except ValueError:
            continue
        return encoded
    raise AssertionError("no point with a small x")


class TestPool:
    def pay(self, world: ChainWorld, fleet: bytes, amount: int, who: str = "authority") -> int:
        message = PayFromPool(
            fleet=fleet, asset=0, recipient=account_of(world.key("bob")), amount=amount
        )
        return world.do(world.key(who), message).code

    def test_pays_what_it_has(self, world: ChainWorld, fleet: bytes) -> None:
        world.fund(pool_account(fleet), 50)
        assert self.pay(world, fleet, 51) == ResultCode.INSUFFICIENT_FUNDS
        assert self.pay(world, fleet, MAX_AMOUNT) == ResultCode.INSUFFICIENT_FUNDS
        assert self.pay(world, fleet, 50) == ResultCode.OK
        assert world.balance(world.key("bob")) == PEOPLE_MONEY + 50
        assert self.pay(world, fleet, 1) == ResultCode.INSUFFICIENT_FUNDS

    def test_any_asset_to_anybody(self, world: ChainWorld, fleet: bytes) -> None:
        pool = pool_account(fleet)
        world.fund(pool, 50, asset=1)
        new = account_of(world.key("new"))
        message = PayFromPool(fleet=fleet, asset=1, recipient=new, amount=9)
        (event,) = world.must(world.key("authority"), message).events
        assert (event.kind, event.subject, event.amount) == (EVENT_KIND_PAID, new, 9)
        assert world.balance(new, 1) == 9
        world.must(
            world.key("authority"), PayFromPool(fleet=fleet, asset=1, recipient=pool, amount=41)
        )
        assert world.balance(pool, 1) == 41

    def test_by_the_authority_alone(self, world: ChainWorld, fleet: bytes) -> None:
        world.fund(pool_account(fleet), 50)
        assert self.pay(world, fleet, 1, "alice") == ResultCode.NOT_ALLOWED
        assert self.pay(world, NOBODY, 1) == ResultCode.UNKNOWN_FLEET
        # The authority of another fleet is nobody here.
        other = world.create_fleet("other", "bob")
        assert self.pay(world, fleet, 1, "bob") == ResultCode.NOT_ALLOWED
        assert self.pay(world, other, 1, "authority") == ResultCode.NOT_ALLOWED

    def test_to_a_weak_key(self, world: ChainWorld, fleet: bytes) -> None:
        world.fund(pool_account(fleet), 50)
        message = PayFromPool(fleet=fleet, recipient=WEAK_KEYS[0], amount=1)
        assert world.do(world.key("authority"), message).code == ResultCode.WEAK_KEY

    def test_form(self, world: ChainWorld, fleet: bytes) -> None:
        assert self.pay(world, fleet, 0) == ResultCode.FIELD_REFUSED
        assert self.pay(world, fleet + b"\0", 1) == ResultCode.FIELD_REFUSED
        message = PayFromPool(fleet=fleet, recipient=b"short", amount=1)
        assert world.do(world.key("authority"), message).code == ResultCode.FIELD_REFUSED


class TestSponsorship:
    """Ten units of fees a robot in twenty blocks, of a fee of 4."""

    @pytest.fixture
    def world(self) -> ChainWorld:
        world = ChainWorld(min_fee=4)
        fleet = world.create_fleet()
        world.register(fleet, ROBOT)
        world.fund(pool_account(fleet), 100)
        world.must(world.key("authority"), SetSponsorship(fleet=fleet, amount=10, period=20))
        return world

    @pytest.fixture
    def fleet(self, world: ChainWorld) -> bytes:
        return fleet_id(world.chain, "fleet")

    def send(self, world: ChainWorld, who: str, sponsor: bytes, fee: int = 4) -> int:
        # A harmless thing that anybody may do: to found one more fleet.
        message = CreateFleet(name=f"{world.height} {len(world.rows())}")
        return world.do(world.key(who), message, sponsor=sponsor, fee=fee).code

    def test_pays_the_fee_of_a_robot_that_has_nothing(
        self, world: ChainWorld, fleet: bytes
    ) -> None:
        before = world.balance(world.key("treasury"))
        assert self.send(world, ROBOT, b"") == ResultCode.INSUFFICIENT_FUNDS
        assert self.send(world, ROBOT, fleet) == ResultCode.OK
        assert world.balance(pool_account(fleet)) == 96
        assert world.balance(world.key(ROBOT)) == 0
        assert world.balance(world.key("treasury")) == before + 4
        assert self.send(world, ROBOT, fleet, fee=6) == ResultCode.OK
        assert self.send(world, ROBOT, fleet) == ResultCode.NOT_SPONSORED

    def test_begins_again_with_the_window(self, world: ChainWorld, fleet: bytes) -> None:
        world.advance(7)
        assert self.send(world, ROBOT, fleet, fee=10) == ResultCode.OK
        world.advance(19)
        assert self.send(world, ROBOT, fleet) == ResultCode.NOT_SPONSORED
        world.advance(1)
        assert self.send(world, ROBOT, fleet, fee=11) == ResultCode.NOT_SPONSORED
        assert self.send(world, ROBOT, fleet, fee=10) == ResultCode.OK
        assert world.balance(pool_account(fleet)) == 80

    def test_is_a_robots_own(self, world: ChainWorld, fleet: bytes) -> None:
        other = "robot.example/2"
        world.register(fleet, other)
        assert self.send(world, ROBOT, fleet, fee=10) == ResultCode.OK
        assert self.send(world, other, fleet, fee=10) == ResultCode.OK

    def test_of_the_robots_fleet_alone(self, world: ChainWorld, fleet: bytes) -> None:
        other = world.create_fleet("other")
        world.fund(pool_account(other), 100)
        world.must(world.key("authority"), SetSponsorship(fleet=other, amount=10, period=20))
        assert self.send(world, ROBOT, other) == ResultCode.NOT_SPONSORED
        assert self.send(world, ROBOT, NOBODY) == ResultCode.NOT_SPONSORED
        assert self.send(world, "alice", fleet) == ResultCode.UNKNOWN_ROBOT
        assert self.send(world, "authority", fleet) == ResultCode.UNKNOWN_ROBOT

    def test_not_with_an_empty_pool(self, world: ChainWorld, fleet: bytes) -> None:
        payment = PayFromPool(fleet=fleet, recipient=account_of(world.key("bob")), amount=97)
        world.must(world.key("authority"), payment)
        assert self.send(world, ROBOT, fleet) == ResultCode.INSUFFICIENT_FUNDS

    def test_not_before_it_was_set_and_not_of_nothing(
        self, world: ChainWorld, fleet: bytes
    ) -> None:
        world.must(world.key("authority"), SetSponsorship(fleet=fleet, amount=0, period=1))
        assert self.send(world, ROBOT, fleet) == ResultCode.NOT_SPONSORED
        other = world.create_fleet("other")
        world.fund(pool_account(other), 100)
        world.register(other, "robot.example/3")
        assert self.send(world, "robot.example/3", other) == ResultCode.NOT_SPONSORED

    def test_of_a_frozen_robot_and_not_of_a_retired_one(
        self, world: ChainWorld, fleet: bytes
    ) -> None:
        world.set_status(ROBOT, ROBOT_STATUS_FROZEN)
        assert self.send(world, ROBOT, fleet) == ResultCode.OK
        world.set_status(ROBOT, ROBOT_STATUS_RETIRED)
        assert self.send(world, ROBOT, fleet) == ResultCode.UNKNOWN_ROBOT

    def test_counts_when_the_action_changes_the_robot_too(
        self, world: ChainWorld, fleet: bytes
    ) -> None:
        message = world.rotation(ROBOT, ROBOT, "second", overlap=5)
        world.must(world.key(ROBOT), message, sponsor=fleet)
        assert world.robot(ROBOT).sponsored == 4
        # The old key in its overlap and the new one share the quota.
        assert self.send(world, ROBOT, fleet) == ResultCode.OK
        assert self.send(world, "second", fleet) == ResultCode.NOT_SPONSORED
        retirement = RetireKey(origin=ROBOT, key=account_of(world.key(ROBOT)))
        world.must(world.key("authority"), retirement)
        world.advance(20)
        assert self.send(world, ROBOT, fleet) == ResultCode.UNKNOWN_ROBOT
        assert self.send(world, "second", fleet) == ResultCode.OK

    def test_at_its_limits(self, world: ChainWorld, fleet: bytes) -> None:
        largest = SetSponsorship(fleet=fleet, amount=MAX_AMOUNT, period=10_000_000)
        world.must(world.key("authority"), largest)
        assert self.send(world, ROBOT, fleet, fee=100) == ResultCode.OK
        assert self.send(world, ROBOT, fleet, fee=MAX_AMOUNT) == ResultCode.NOT_SPONSORED

    @pytest.mark.parametrize("period", [0, 10_000_001, 2**32 - 1])
    def test_form(self, world: ChainWorld, fleet: bytes, period: int) -> None:
        message = SetSponsorship(fleet=fleet, amount=1, period=period)
        assert world.do(world.key("authority"), message).code == ResultCode.FIELD_REFUSED

    def test_by_the_authority_alone(self, world: ChainWorld, fleet: bytes) -> None:
        message = SetSponsorship(fleet=fleet, amount=1, period=1)
        assert world.do(world.key("alice"), message).code == ResultCode.NOT_ALLOWED
        message = SetSponsorship(fleet=NOBODY, amount=1, period=1)
        assert world.do(world.key("authority"), message).code == ResultCode.UNKNOWN_FLEET


class TestWitnessPolicy:
    def set(self, world: ChainWorld, fleet: bytes, policy: bytes, who: str = "authority") -> int:
        return world.do(world.key(who), SetWitnessPolicy(fleet=fleet, policy=policy)).code

    def policy(self, world: ChainWorld, quorum: str = "both") -> bytes:
        keys = [
            CosignatureSigner(f"w{n}.example", world.key(f"w{n}")).verifier_key.encode()
            for n in (1, 2)
        ]
        lines = [f"witness w{n} {key}" for n, key in enumerate(keys, 1)]
        lines += ["group both all w1 w2", f"quorum {quorum}"]
        return "".join(line + "\n" for line in lines).encode()

    def test_is_kept_as_it_is_and_taken_back(self, world: ChainWorld, fleet: bytes) -> None:
        policy = b"# ours\n" + self.policy(world)
        assert self.set(world, fleet, policy) == ResultCode.OK
        assert record(world, fleet).witness_policy == policy
        assert self.set(world, fleet, b"quorum none\n") == ResultCode.OK
        assert self.set(world, fleet, b"") == ResultCode.OK
        assert record(world, fleet).witness_policy == b""

    def test_refused(self, world: ChainWorld, fleet: bytes) -> None:
        log = NoteSigner(ROBOT, world.key(ROBOT)).verifier_key.encode()
        for bad in (
            b"\n",
            b"quorum all\n",
            b"quorum none",
            b"\xff\n",
            self.policy(world, "three"),
            self.policy(world)[:-1],
            self.policy(world) * 2,
            f"log {log}\nquorum none\n".encode(),
            f"log {log}\n".encode() + self.policy(world),
        ):
            assert self.set(world, fleet, bad) == ResultCode.BAD_POLICY, bad

    def test_length(self, world: ChainWorld, fleet: bytes) -> None:
        longest = b"#" * (16_385 - 13) + b"\nquorum none\n"
        assert len(longest) == 16_385
        assert self.set(world, fleet, longest) == ResultCode.FIELD_REFUSED
        assert self.set(world, fleet, longest[1:]) == ResultCode.OK

    def test_by_the_authority_alone(self, world: ChainWorld, fleet: bytes) -> None:
        assert self.set(world, fleet, b"", "alice") == ResultCode.NOT_ALLOWED
        assert self.set(world, NOBODY, b"") == ResultCode.UNKNOWN_FLEET
        assert self.set(world, b"", b"") == ResultCode.FIELD_REFUSED
