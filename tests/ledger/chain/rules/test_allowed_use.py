"""Whether a member may use what is offered: terms first, then the policy."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.policy import Member, Quality
from ledger.chain.rules.allowed_use import allowed_version, as_recording, price_of
from ledger.schema.chain_sharing_pb2 import OfferRecord, QualityBound
from tests.ledger.chain.rules.chain_world import SECOND
from tests.ledger.chain.rules.sharing_world import OTHER_POLICY, SharingWorld, terms

MEMBER = Member("buyers", 3)


@pytest.fixture
def world() -> SharingWorld:
    return SharingWorld()


def policy(body: str) -> str:
    return f"permit (principal, action, resource) when {{ {body} }};"


def offered(world: SharingWorld, **fields: Any) -> OfferRecord:
    """An offer, its reward proven, under a contract with these fields."""
    index = world.record()
    contract = world.deployed(**fields)
    found = world.offer(world.offered(contract, index, qualities=[world.proof(index)]))
    assert found is not None
    return found


def code(
    world: SharingWorld, offer: OfferRecord, member: Member = MEMBER, purpose: str = "rescue"
) -> ResultCode:
    try:
        allowed_version(world.context(), offer, member, purpose)
    except RefusalError as refusal:
        return refusal.code
    return ResultCode.OK


def test_the_newest_version_is_what_counts(world: SharingWorld) -> None:
    offer = offered(world)
    record, version = allowed_version(world.context(), offer, MEMBER, "rescue")
    assert (record.version, version.terms) == (1, terms())
    assert code(world, offer, Member("sellers")) == ResultCode.POLICY_DENIES
    assert not world.amend(offer.contract, policy=OTHER_POLICY, terms=terms(uses=5)).code
    record, version = allowed_version(world.context(), offer, Member("sellers"), "rescue")
    assert (record.version, version.terms.uses) == (2, 5)


@pytest.mark.parametrize(
    ("body", "allowed"),
    [
        ('resource.fleet == "sellers" && resource.origin like "robot.example/*"', True),
        ('resource.kind == "episode" && resource.tags.contains("site=harbour")', True),
        ("resource has reward_task_min && resource.reward_task_min >= 800", True),
        ("resource has reward_task_min && resource.reward_task_min >= 801", False),
        ("resource has length_min", False),
        ('context.purpose == "rescue"', True),
        ('context.purpose == "war"', False),
        # 600,000 bytes are three chunks.
        ("context.price == 30", True),
        ("context.age_s == 11 && context.time_s == 1700000001", True),
    ],
)
def test_what_the_policy_is_told(world: SharingWorld, body: str, allowed: bool) -> None:
    expected = ResultCode.OK if allowed else ResultCode.POLICY_DENIES
    assert code(world, offered(world, policy=policy(body))) == expected


def test_the_block_is_the_only_clock(world: SharingWorld) -> None:
    offer = offered(world, policy=policy("context.age_s <= 13"))
    world.advance(2)
    assert code(world, offer) == ResultCode.OK
    world.advance()
    assert code(world, offer) == ResultCode.POLICY_DENIES


def test_a_stale_recording_is_refused_by_the_terms(world: SharingWorld) -> None:
    offer = offered(world, terms=terms(max_age_ns=12 * SECOND))
    world.advance()
    assert code(world, offer) == ResultCode.OK
    world.advance()
    assert code(world, offer) == ResultCode.STALE


def test_what_is_over_is_over(world: SharingWorld) -> None:
    offer = offered(world, terms=terms(expiry_height=2))
    world.advance()
    assert code(world, offer) == ResultCode.OK
    world.advance()
    assert code(world, offer) == ResultCode.CONTRACT_OVER
    offer = offered(world)
    assert not world.withdraw(offer.contract).code
    assert code(world, offer) == ResultCode.CONTRACT_OVER
    offer = offered(world)
    offer.withdrawn_height = 3
    assert code(world, offer) == ResultCode.OFFER_STATE


def test_an_erring_policy_denies(world: SharingWorld) -> None:
    text = policy("true") + (
        "forbid (principal, action, resource)"
        " when { context.price * 9223372036854775807 > 0 && context.time_s < 0 };"
    )
    assert code(world, offered(world, policy=text)) == ResultCode.POLICY_DENIES


@pytest.mark.parametrize(
    ("size", "price"), [(1, 17), (262_144, 17), (262_145, 27), (2**64 - 1, 7 + 10 * 2**46)]
)
def test_every_chunk_begun_is_paid(size: int, price: int) -> None:
    assert price_of(terms(record_price=7), size) == price


def test_bounds_are_rounded_so_that_they_say_no_more_than_was_proven() -> None:
    def seen(**fields: Any) -> tuple[Quality, ...]:
        return as_recording(OfferRecord(qualities=[QualityBound(**fields)]), "f").qualities

    third = {"kind": 1, "source": 3, "scale": 3}
    assert seen(**third, low=1, high=2) == (Quality("reward_self", 333, 667),)
    assert seen(**third, low=-2, high=-1) == (Quality("reward_self", -667, -333),)
    assert seen(kind=2, scale=1, low=1, high=1) == (Quality("success", 1_000, 1_000),)
    wide = {"low": -(2**63), "high": 2**63 - 1}
    assert seen(kind=3, scale=1, offset=0, **wide) == (Quality("length", None, None),)
    assert seen(kind=3, source=2, scale=1, low=0, high=1) == ()


def test_whatever_an_entry_holds_a_policy_can_be_asked(world: SharingWorld) -> None:
    offer = offered(world, policy=policy("true"))
    offer.start_ns = offer.end_ns = offer.content_size = 2**64 - 1
    for number in range(300):
        offer.topics.append(f'/{number}"\\\n\u202e')
    assert code(world, offer) == ResultCode.OK
