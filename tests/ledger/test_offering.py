"""Offers as a seller makes them: what they prove, the chain takes; what is not so, they refuse."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.chain.codes import ResultCode
from ledger.chain.policy import Quality
from ledger.chain.rules.allowed_use import as_recording
from ledger.errors import MalformedError, NotFoundError, RefusedError
from ledger.experience.kinds import Commitment, CommitmentKind, RewardSource
from ledger.experience.record_keys import CommitmentOpening
from ledger.offering import Bound, QualityClaim, Seller, offer_message
from ledger.schema.chain_sharing_pb2 import OfferRecord, PostOffer
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.sharing_world import (
    LENGTH,
    REWARD,
    ROBOT,
    SharingWorld,
    experience,
)
from zkproofs.group import group
from zkproofs.pedersen import Opening

REWARD_BY_TASK = (CommitmentKind.REWARD, RewardSource.TASK)
PLAIN_LENGTH = (CommitmentKind.LENGTH, RewardSource.UNSPECIFIED)


def opening(of: tuple[CommitmentKind, RewardSource], value: Opening) -> CommitmentOpening:
    return CommitmentOpening(*of, value.value, group().encode_scalar(value.blinding))


OPENINGS = (opening(REWARD_BY_TASK, REWARD), opening(PLAIN_LENGTH, LENGTH))


@pytest.fixture
def world() -> SharingWorld:
    return SharingWorld()


def offering(world: SharingWorld, index: int, *claims: str, **fields: Any) -> PostOffer:
    contract = fields.pop("contract", bytes(32))
    values = {"openings": OPENINGS, **fields}
    return offer_message(
        Seller(world.chain, account_of(world.seller), contract),
        ROBOT,
        world.log.entries[index],
        index,
        world.log.path(index),
        map(QualityClaim.parse, claims),
        **values,
    )


@pytest.mark.parametrize(
    ("claims", "low"),
    [
        (["reward>=0.8"], Quality("reward_task", 800, None)),
        (["reward_task>=0.9"], Quality("reward_task", 900, None)),
        (["reward>=-3"], Quality("reward_task", -3_000, None)),
        (["length>=12.345"], Quality("length", 12_345, None)),
        (["length<=12.345"], Quality("length", None, 12_345)),
        (["length<=30", "reward>=0.8"], Quality("length", None, 30_000)),
    ],
)
def test_what_is_claimed_is_what_the_chain_has_proven(
    world: SharingWorld, claims: list[str], low: Quality
) -> None:
    index, contract = world.record(), world.deployed()
    message = offering(world, index, *claims, contract=contract)
    assert world.do(world.seller, message).code == ResultCode.OK
    (row,) = (row for key, row in world.rows().items() if key[:1] == b"\x51")
    seen = {each.name: each for each in as_recording(OfferRecord.FromString(row), "f").qualities}
    if low.low is not None:
        assert seen[low.name].low == low.low
    if low.high is not None:
        assert seen[low.name].high == low.high


def test_how_wide_a_proof_is_tells_nothing_of_the_value(world: SharingWorld) -> None:
    for claim in ("reward>=0.8", "reward>=-1000", "length<=4000", "length>=0"):
        (proof,) = offering(world, world.record(), claim).qualities
        assert proof.high - proof.low == 2**32 - 1


@pytest.mark.parametrize(
    ("claim", "error"),
    [
        ("reward>=0.9000001", RefusedError),
        ("reward<=0.8", RefusedError),
        ("length<=12.3449", RefusedError),
        ("reward>=-5000", RefusedError),
        ("reward_operator>=0.1", NotFoundError),
        ("success>=1", NotFoundError),
        ("length_task>=1", NotFoundError),
        ("reward>=999999999999", RefusedError),
    ],
)
def test_what_is_not_so_is_not_offered(
    world: SharingWorld, claim: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        offering(world, world.record(), claim)


def test_what_is_kept_nowhere_proves_nothing(world: SharingWorld) -> None:
    index = world.record()
    with pytest.raises(NotFoundError, match="not kept"):
        offering(world, index, "reward>=0.8", openings=OPENINGS[1:])
    assert not offering(world, index, openings=()).qualities


def test_one_claim_about_a_value_and_only_about_one(world: SharingWorld) -> None:
    with pytest.raises(RefusedError, match="two claims"):
        offering(world, world.record(), "length>=1", "length<=30")
    first, length = experience().commitments
    other = replace(first, source=RewardSource.SELF)
    index = world.record(commitments=(first, other, length))
    with pytest.raises(RefusedError, match="several sources"):
        offering(world, index, "reward>=0.8")
    assert offering(world, index, "reward_task>=0.8").qualities


def test_only_recordings_are_offered(world: SharingWorld) -> None:
    with pytest.raises(RefusedError, match="not a recording"):
        offering(world, world.record() - 1)


@pytest.mark.parametrize(
    "text",
    [
        *("", "reward", "reward=0.8", "reward>0.8", "reward>=x", "reward>=1e3", "beauty>=1"),
        *("reward>=.8", "reward_crowd>=1", "reward >= 1", "reward>=1 ", "reward>=0.1234567890"),
        "reward>=\u0661",
    ],
)
def test_what_is_no_claim(text: str) -> None:
    with pytest.raises(MalformedError):
        QualityClaim.parse(text)


@given(
    st.fractions(-1_000, 1_000, max_denominator=10**9),
    st.integers(-(10**6), 10**6),
    st.integers(1, 10**6),
    st.sampled_from(Bound),
)
def test_a_claim_is_rounded_inwards(value: Fraction, offset: int, scale: int, bound: Bound) -> None:
    """The least, or greatest, integer of the interval is one that makes the claim true."""
    committed = Commitment(*REWARD_BY_TASK, bytes(48), offset, scale)
    interval = QualityClaim(*REWARD_BY_TASK, bound, value).interval(committed)

    def shown(integer: int) -> Fraction:
        return Fraction(integer + offset, scale)

    if bound is Bound.AT_LEAST:
        assert shown(interval.low - 1) < value <= shown(interval.low)
    else:
        assert shown(interval.high) <= value < shown(interval.high + 1)
