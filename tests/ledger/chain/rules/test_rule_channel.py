"""Rule channel: opening, topping up, closing, expiry; every refusal, every race.

`ChainWorld` itself checks that refusals change nothing and that money is conserved.
"""

from __future__ import annotations

from typing import Any, Final

import pytest

from ledger.chain.account import Account
from ledger.chain.channel.identity import channel_id
from ledger.chain.codes import ResultCode
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import channel_key
from ledger.schema.chain_channel_pb2 import (
    ChannelRecord,
    CloseChannel,
    PayWordMode,
    SettleChannel,
    TopUpChannel,
    VoucherMode,
)
from ledger.schema.chain_payment_pb2 import SetSpendingCap
from ledger.schema.chain_pb2 import (
    EVENT_KIND_CHANNEL_CLOSED,
    EVENT_KIND_CHANNEL_CLOSING,
    EVENT_KIND_CHANNEL_OPENED,
    EVENT_KIND_CHANNEL_TOPPED_UP,
)
from tests.ledger.chain.rules.chain_world import PEOPLE_MONEY, ChainWorld, account_of, known_key
from tests.ledger.chain.rules.channel_world import (
    ALICE,
    BOB,
    CAROL,
    CHALLENGE,
    DEPOSIT,
    EXPIRY,
    SEED,
    UNIT,
    ChannelWorld,
    N,
    opening,
)


@pytest.fixture(params=["vouchers", "links"])
def world(request: pytest.FixtureRequest) -> ChannelWorld:
    return ChannelWorld(by_links=request.param == "links")


# Opening


def test_opening_sets_the_deposit_aside() -> None:
    world = ChainWorld()
    result = world.must(ALICE, opening())
    channel = channel_id(world.chain, account_of(ALICE), 0)
    assert world.balance(ALICE) == PEOPLE_MONEY - DEPOSIT
    assert [(e.kind, e.subject, e.amount) for e in result.events] == [
        (EVENT_KIND_CHANNEL_OPENED, channel, DEPOSIT)
    ]
    record = world.state.read(ChannelRecord, channel_key(channel))
    assert record == ChannelRecord(
        payer=account_of(ALICE),
        payee=account_of(BOB),
        deposit=DEPOSIT,
        expiry_height=EXPIRY,
        challenge=CHALLENGE,
        voucher=VoucherMode(),
    )


def test_each_opening_is_another_channel() -> None:
    world = ChainWorld()
    for sequence in range(3):
        result = world.must(ALICE, opening())
        assert result.events[0].subject == channel_id(world.chain, account_of(ALICE), sequence)
    assert world.balance(ALICE) == PEOPLE_MONEY - 3 * DEPOSIT


def test_a_payee_without_an_account_gets_one() -> None:
    world, newcomer = ChainWorld(), known_key("newcomer")
    world.must(ALICE, opening(payee=account_of(newcomer)))
    assert world.account(newcomer) == Account()


def payword(**fields: Any) -> dict[str, Any]:
    return {"payword": PayWordMode(**{"w0": SEED, "unit": UNIT, "count": N, **fields})}


REFUSED_OPENINGS: Final = {
    "no payee": ({"payee": b""}, ResultCode.FIELD_REFUSED),
    "payee of 31 bytes": ({"payee": bytes(31)}, ResultCode.FIELD_REFUSED),
    "payee of small order": ({"payee": b"\x01" + bytes(31)}, ResultCode.WEAK_KEY),
    "payee not canonical": ({"payee": b"\xff" * 32}, ResultCode.WEAK_KEY),
    "payee is the payer": ({"payee": account_of(ALICE)}, ResultCode.CHANNEL_TERMS),
    "nothing": ({"deposit": 0}, ResultCode.FIELD_REFUSED),
    "more than she has": ({"deposit": PEOPLE_MONEY + 1}, ResultCode.INSUFFICIENT_FUNDS),
    "all there could be": ({"deposit": 2**64 - 1}, ResultCode.INSUFFICIENT_FUNDS),
    "an asset she has not": ({"asset": 1}, ResultCode.INSUFFICIENT_FUNDS),
    "an asset of nobody": ({"asset": 2**32 - 1}, ResultCode.INSUFFICIENT_FUNDS),
    "no mode": ({"voucher": None}, ResultCode.FIELD_REFUSED),
    "no challenge": ({"challenge": 0}, ResultCode.CHANNEL_TERMS),
    "a short challenge": ({"challenge": CHALLENGE - 1}, ResultCode.CHANNEL_TERMS),
    "an endless challenge": (
        {"challenge": 10_000_001, "expiry_height": 2**63},
        ResultCode.CHANNEL_TERMS,
    ),
    "expired": ({"expiry_height": 1}, ResultCode.CHANNEL_TERMS),
    "expiry 0": ({"expiry_height": 0}, ResultCode.CHANNEL_TERMS),
    "nothing could be accepted": ({"expiry_height": 1 + CHALLENGE}, ResultCode.CHANNEL_TERMS),
    "no w0": (payword(w0=b""), ResultCode.FIELD_REFUSED),
    "w0 of 33 bytes": (payword(w0=bytes(33)), ResultCode.FIELD_REFUSED),
    "links worth nothing": (payword(unit=0), ResultCode.FIELD_REFUSED),
    "no links": (payword(count=0), ResultCode.FIELD_REFUSED),
    "too many links": (payword(unit=1, count=65_537), ResultCode.FIELD_REFUSED),
    "links beyond the deposit": (payword(unit=UNIT, count=N + 1), ResultCode.CHANNEL_TERMS),
    "a price beyond u64": (payword(unit=2**64 - 1, count=65_536), ResultCode.CHANNEL_TERMS),
}


@pytest.mark.parametrize("name", REFUSED_OPENINGS)
def test_refused_openings(name: str) -> None:
    fields, code = REFUSED_OPENINGS[name]
    assert ChainWorld().do(ALICE, opening(**fields)).code == code


@pytest.mark.parametrize(
    "fields",
    [
        {"expiry_height": 1 + CHALLENGE + 1},
        {"expiry_height": 2**64 - 1},
        {"challenge": 10_000_000, "expiry_height": 2**64 - 1},
        {"deposit": PEOPLE_MONEY},
        {"deposit": 65_536, **payword(unit=1, count=65_536)},
        {"deposit": 1, **payword(unit=1, count=1)},
    ],
)
def test_openings_at_the_limits(fields: dict[str, Any]) -> None:
    assert ChainWorld().do(ALICE, opening(**fields)).code == ResultCode.OK


def test_a_pool_is_no_payee() -> None:
    world = ChainWorld()
    fleet = world.create_fleet()
    world.fund(pool_account(fleet))
    code = world.do(ALICE, opening(payee=pool_account(fleet))).code
    assert code == ResultCode.POOL_ACCOUNT


def test_deposits_count_towards_a_spending_cap() -> None:
    world = ChannelWorld()
    world.must(ALICE, SetSpendingCap(amount=DEPOSIT, period=50))
    assert world.do(ALICE, opening(deposit=DEPOSIT + 1)).code == ResultCode.OVER_CAP
    assert world.do(ALICE, opening(deposit=DEPOSIT)).code == ResultCode.OK
    assert world.top_up(1) == ResultCode.OVER_CAP


# Topping up


def test_a_top_up_adds_to_what_vouchers_can_claim() -> None:
    world = ChannelWorld()
    assert world.close(BOB, DEPOSIT + 1) == ResultCode.BAD_CLAIM
    result = world.must(ALICE, TopUpChannel(channel=world.channel, amount=500))
    assert [(e.kind, e.subject, e.amount) for e in result.events] == [
        (EVENT_KIND_CHANNEL_TOPPED_UP, world.channel, DEPOSIT + 500)
    ]
    assert world.close(BOB, DEPOSIT + 501) == ResultCode.BAD_CLAIM
    assert world.close(BOB, DEPOSIT + 500) == ResultCode.OK
    assert world.paid() == (DEPOSIT + 500, DEPOSIT + 500)


def test_refused_top_ups() -> None:
    world = ChannelWorld()
    assert world.top_up(0) == ResultCode.FIELD_REFUSED
    assert world.top_up(5, BOB) == ResultCode.NOT_ALLOWED
    assert world.top_up(PEOPLE_MONEY) == ResultCode.INSUFFICIENT_FUNDS
    assert world.top_up(2**64 - 1) == ResultCode.AMOUNT_OVERFLOW
    assert world.top_up(2**64 - DEPOSIT) == ResultCode.AMOUNT_OVERFLOW
    assert world.top_up(2**64 - DEPOSIT - 1) == ResultCode.INSUFFICIENT_FUNDS
    for name, code in ((b"x" * 31, "FIELD_REFUSED"), (b"x" * 32, "UNKNOWN_CHANNEL")):
        assert world.do(ALICE, TopUpChannel(channel=name, amount=1)).code == ResultCode[code]
    assert ChannelWorld(by_links=True).top_up(100) == ResultCode.CHANNEL_TERMS


def test_a_closing_or_expired_channel_is_not_topped_up() -> None:
    world = ChannelWorld()
    world.advance(EXPIRY - 2)
    assert world.top_up(1) == ResultCode.OK
    world.advance()
    assert world.top_up(1) == ResultCode.CHANNEL_STATE
    world = ChannelWorld()
    assert world.close(ALICE) == ResultCode.OK
    assert world.top_up(1) == ResultCode.CHANNEL_STATE


# Closing


@pytest.mark.parametrize("amount", [0, 100, 500, DEPOSIT])
def test_the_payees_close_pays_its_claim_at_once(world: ChannelWorld, amount: int) -> None:
    message = CloseChannel(channel=world.channel, **world.claim(amount))
    result = world.must(BOB, message)
    assert [(e.kind, e.subject, e.amount) for e in result.events] == [
        (EVENT_KIND_CHANNEL_CLOSED, world.channel, amount)
    ]
    assert world.paid() == (amount, amount)


@pytest.mark.parametrize("amount", [0, 100, DEPOSIT])
def test_the_payers_close_pays_when_the_challenge_is_over(world: ChannelWorld, amount: int) -> None:
    message = CloseChannel(channel=world.channel, **world.claim(amount))
    result = world.must(ALICE, message)
    assert [(e.kind, e.subject, e.amount) for e in result.events] == [
        (EVENT_KIND_CHANNEL_CLOSING, world.channel, amount)
    ]
    world.advance(CHALLENGE)
    assert world.settle() == ResultCode.CHANNEL_STATE
    world.advance()
    assert world.settle() == ResultCode.OK
    assert world.paid() == (amount, amount)


def test_a_stranger_does_not_close(world: ChannelWorld) -> None:
    assert world.close(CAROL, 500) == ResultCode.NOT_ALLOWED


def test_a_channel_that_is_gone_is_gone(world: ChannelWorld) -> None:
    assert world.close(BOB, 500) == ResultCode.OK
    assert world.close(BOB, 600) == ResultCode.UNKNOWN_CHANNEL
    assert world.close(ALICE) == ResultCode.UNKNOWN_CHANNEL
    assert world.challenge(600) == ResultCode.UNKNOWN_CHANNEL
    assert world.settle() == ResultCode.UNKNOWN_CHANNEL
    assert world.top_up(1) == ResultCode.UNKNOWN_CHANNEL


def test_stale_close_against_a_newer_voucher(world: ChannelWorld) -> None:
    """Alice closes with what she owed some time ago; Bob's newest claim wins."""
    assert world.close(ALICE, 200) == ResultCode.OK
    world.advance(CHALLENGE)
    assert world.challenge(700, BOB) == ResultCode.OK
    world.advance()
    assert world.settle() == ResultCode.OK
    assert world.paid() == (700, 700)


def test_the_payee_answers_a_stale_close_by_its_own(world: ChannelWorld) -> None:
    assert world.close(ALICE, 200) == ResultCode.OK
    world.advance(CHALLENGE)
    assert world.close(BOB, 700) == ResultCode.OK
    assert world.paid() == (700, 700)


def test_a_watchtower_answers_for_a_payee_that_is_gone(world: ChannelWorld) -> None:
    world.close(ALICE)
    assert world.challenge(300, CAROL) == ResultCode.OK
    assert world.challenge(800, ALICE) == ResultCode.OK
    assert world.challenge(800, CAROL) == ResultCode.CLAIM_NOT_HIGHER
    world.advance(CHALLENGE + 1)
    assert world.settle(CAROL) == ResultCode.OK
    assert world.paid() == (800, 800)


def test_both_sides_closing_at_once_in_one_block(world: ChannelWorld) -> None:
    """The payer first: the payee's close is a challenge that ends it."""
    assert world.close(ALICE, 200) == ResultCode.OK
    assert world.close(BOB, 500) == ResultCode.OK
    assert world.paid() == (500, 500)


def test_both_sides_closing_at_once_the_payee_first(world: ChannelWorld) -> None:
    assert world.close(BOB, 500) == ResultCode.OK
    assert world.close(ALICE, 200) == ResultCode.UNKNOWN_CHANNEL
    assert world.paid() == (500, 500)


def test_both_sides_closing_at_once_with_the_same_claim(world: ChannelWorld) -> None:
    """Nothing higher to claim: the payee takes what the payer said, without a claim."""
    assert world.close(ALICE, 500) == ResultCode.OK
    assert world.close(BOB, 500) == ResultCode.CLAIM_NOT_HIGHER
    assert world.close(BOB) == ResultCode.OK
    assert world.paid() == (500, 500)


def test_a_payee_cannot_make_less_of_what_is_known(world: ChannelWorld) -> None:
    world.close(ALICE, 500)
    assert world.close(BOB, 300) == ResultCode.CLAIM_NOT_HIGHER


def test_a_second_close_does_not_begin_the_challenge_anew(world: ChannelWorld) -> None:
    world.close(ALICE)
    world.advance(CHALLENGE)
    assert world.close(ALICE) == ResultCode.CHANNEL_STATE
    assert world.close(ALICE, 300) == ResultCode.CHANNEL_STATE
    world.advance()
    assert world.close(ALICE) == ResultCode.CHANNEL_STATE
    assert world.settle() == ResultCode.OK


def test_a_challenge_needs_a_close_and_a_claim(world: ChannelWorld) -> None:
    assert world.challenge(300) == ResultCode.CHANNEL_STATE
    world.close(ALICE)
    assert world.challenge(0) == ResultCode.FIELD_REFUSED


def test_the_challenge_ends_with_the_closing_height(world: ChannelWorld) -> None:
    world.close(ALICE, 100)
    world.advance(CHALLENGE)
    assert world.challenge(200) == ResultCode.OK
    world.advance()
    assert world.challenge(300) == ResultCode.CHALLENGE_OVER
    assert world.close(BOB, 300) == ResultCode.CHALLENGE_OVER
    # Without a claim the payee's close is what anybody's settlement is.
    assert world.close(BOB) == ResultCode.OK
    assert world.paid() == (200, 200)


@pytest.mark.parametrize("message", [CloseChannel, SettleChannel])
def test_names_of_no_channel(message: Any) -> None:
    world = ChannelWorld()
    assert world.do(BOB, message(channel=bytes(31))).code == ResultCode.FIELD_REFUSED
    assert world.do(BOB, message(channel=bytes(32))).code == ResultCode.UNKNOWN_CHANNEL


# Expiry


def test_an_open_channel_is_not_settled_before_its_expiry(world: ChannelWorld) -> None:
    assert world.settle(ALICE) == ResultCode.CHANNEL_STATE
    world.advance(EXPIRY - 2)
    assert world.settle(ALICE) == ResultCode.CHANNEL_STATE
    world.advance()
    assert world.settle(CAROL) == ResultCode.OK
    assert world.paid() == (0, 0)


def test_expiry_race_the_payee_closes_in_the_last_block(world: ChannelWorld) -> None:
    world.advance(EXPIRY - 2)
    assert world.close(BOB, 500) == ResultCode.OK
    assert world.settle(ALICE) == ResultCode.UNKNOWN_CHANNEL
    assert world.paid() == (500, 500)


def test_expiry_race_whoever_comes_first_after_it(world: ChannelWorld) -> None:
    world.advance(EXPIRY - 1)
    assert world.close(BOB, 500) == ResultCode.OK
    assert world.paid() == (500, 500)


def test_expiry_race_the_payer_comes_first(world: ChannelWorld) -> None:
    world.advance(EXPIRY - 1)
    assert world.settle(ALICE) == ResultCode.OK
    assert world.close(BOB, 500) == ResultCode.UNKNOWN_CHANNEL
    assert world.paid() == (0, 0)


def test_a_close_before_the_expiry_can_be_challenged_after_it(world: ChannelWorld) -> None:
    world.advance(EXPIRY - 2)
    assert world.close(ALICE) == ResultCode.OK
    world.advance(CHALLENGE)
    assert world.settle(ALICE) == ResultCode.CHANNEL_STATE
    assert world.challenge(500, BOB) == ResultCode.OK
    world.advance()
    assert world.settle(ALICE) == ResultCode.OK
    assert world.paid() == (500, 500)
