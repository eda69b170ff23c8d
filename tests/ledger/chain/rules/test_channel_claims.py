"""Rule channel: which claims count, replays, and that nobody is kept from closing."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.chain.account import MAX_ASSETS, Account, write_account
from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import PayWordChain
from ledger.chain.channel.voucher import sign_voucher
from ledger.chain.codes import ResultCode
from ledger.chain.rules import channel as rule
from ledger.ed25519 import PrivateKey
from ledger.schema.chain_channel_pb2 import (
    ChallengeClose,
    ChannelRecord,
    CloseChannel,
    PayWord,
    PayWordMode,
    SettleChannel,
    Voucher,
)
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_FROZEN, ROBOT_STATUS_RETIRED
from ledger.schema.chain_payment_pb2 import Transfer
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


# Claims


def test_replay_across_channels() -> None:
    world = ChannelWorld()
    other = world.next_channel()
    world.must(ALICE, opening())
    replayed = world.voucher(500, channel=other)
    assert world.close(BOB, voucher=replayed) == ResultCode.BAD_CLAIM
    message = CloseChannel(channel=other, voucher=replayed)
    assert world.do(BOB, message).code == ResultCode.OK


def test_replay_of_links_across_channels() -> None:
    """Two channels with one seed, even one w_0: a link is good in its own alone."""
    world = ChannelWorld(by_links=True)
    other = world.next_channel()
    mode = PayWordMode(w0=world.links.w0, unit=UNIT, count=N)
    world.must(ALICE, opening(payword=mode))
    for index in range(1, N + 1):
        message = CloseChannel(channel=other, payword=world.link(index))
        assert world.do(BOB, message).code == ResultCode.BAD_CLAIM


def test_replay_on_another_chain() -> None:
    world, fork = ChannelWorld(), ChannelWorld(cap_delay=11)
    assert world.chain != fork.chain
    assert world.close(BOB, voucher=world.voucher(5, chain=fork.chain)) == ResultCode.BAD_CLAIM
    # A voucher names its chain, even where the channel's id would be the same.
    assert world.close(BOB, voucher=world.voucher(5)) == ResultCode.OK
    close = CloseChannel(channel=fork.channel, voucher=fork.voucher(5))
    encoded = world.sign(BOB, close, sequence=0)
    assert fork.submit(encoded).code == ResultCode.WRONG_SIGNATURE


def test_replay_in_a_channel_that_comes_after_one_that_closed() -> None:
    world = ChannelWorld()
    assert world.close(BOB, 500) == ResultCode.OK
    spent, again = world.voucher(500), world.next_channel()
    world.must(ALICE, opening())
    assert again != world.channel
    message = CloseChannel(channel=again, voucher=spent)
    assert world.do(BOB, message).code == ResultCode.BAD_CLAIM


def test_vouchers_of_equal_amount_are_one_payment() -> None:
    world = ChannelWorld()
    world.close(ALICE, 500)
    assert world.challenge(500) == ResultCode.CLAIM_NOT_HIGHER
    # Another signature under the same amount would be no more.
    forged = Voucher(cumulative=500, signature=bytes(64))
    assert world.challenge(0, voucher=forged) == ResultCode.CLAIM_NOT_HIGHER
    world.advance(CHALLENGE + 1)
    world.settle()
    assert world.paid() == (500, 500)


@pytest.mark.parametrize("signer", [BOB, CAROL])
def test_a_voucher_that_the_payer_did_not_sign(signer: PrivateKey) -> None:
    world = ChannelWorld()
    assert world.close(BOB, voucher=world.voucher(5, signer)) == ResultCode.BAD_CLAIM


def test_a_voucher_for_another_amount_than_was_signed() -> None:
    world = ChannelWorld()
    raised = Voucher(cumulative=6, signature=world.voucher(5).signature)
    assert world.close(BOB, voucher=raised) == ResultCode.BAD_CLAIM


@pytest.mark.parametrize("amount", [DEPOSIT + 1, 2**63, 2**64 - 1])
def test_vouchers_beyond_the_deposit(amount: int) -> None:
    world = ChannelWorld()
    assert world.close(BOB, amount) == ResultCode.BAD_CLAIM
    assert world.close(ALICE, amount) == ResultCode.BAD_CLAIM
    world.close(ALICE)
    assert world.challenge(amount) == ResultCode.BAD_CLAIM


@pytest.mark.parametrize(
    "fields",
    [
        {"voucher": Voucher(cumulative=0, signature=bytes(64))},
        {"voucher": Voucher(cumulative=5, signature=bytes(63))},
        {"voucher": Voucher(cumulative=5)},
        {"voucher": Voucher()},
        {"payword": PayWord(index=0, link=SEED)},
        {"payword": PayWord(index=65_537, link=SEED)},
        {"payword": PayWord(index=2**32 - 1, link=SEED)},
        {"payword": PayWord(index=1, link=SEED[1:])},
        {"payword": PayWord(index=1)},
    ],
)
def test_claims_of_no_possible_form(world: ChannelWorld, fields: dict[str, Any]) -> None:
    assert world.close(BOB, **fields) == ResultCode.FIELD_REFUSED
    assert world.close(ALICE, **fields) == ResultCode.FIELD_REFUSED
    world.close(ALICE)
    assert world.challenge(0, **fields) == ResultCode.FIELD_REFUSED


def test_w_i_beyond_n() -> None:
    """Who knows a preimage of w_n (the payer does not, but let it) still has n links."""
    world = ChannelWorld(by_links=True)
    channel = world.next_channel()
    longer = PayWordChain(channel, SEED, N + 1)
    world.must(ALICE, opening(payword=PayWordMode(w0=longer.w0, unit=1, count=N)))

    def close(index: int) -> int:
        word = PayWord(index=index, link=longer.link(index).link)
        return world.do(BOB, CloseChannel(channel=channel, payword=word)).code

    assert close(N + 1) == ResultCode.BAD_CLAIM
    assert close(N) == ResultCode.OK


def test_a_link_at_another_index_or_spoiled() -> None:
    world = ChannelWorld(by_links=True)
    for index in range(1, N + 1):
        for place in range(1, N + 1):
            if index != place:
                moved = PayWord(index=index, link=world.link(place).link)
                assert world.close(BOB, payword=moved) == ResultCode.BAD_CLAIM
    for byte in range(32):
        spoiled = bytearray(world.link(4).link)
        spoiled[byte] ^= 1
        claim = PayWord(index=4, link=bytes(spoiled))
        assert world.close(BOB, payword=claim) == ResultCode.BAD_CLAIM
    w0 = PayWord(index=1, link=world.links.w0)
    assert world.close(BOB, payword=w0) == ResultCode.BAD_CLAIM


def test_a_claim_of_the_other_mode() -> None:
    vouchers, links = ChannelWorld(), ChannelWorld(by_links=True)
    word = PayWord(index=1, link=SEED)
    assert vouchers.close(BOB, payword=word) == ResultCode.BAD_CLAIM
    assert links.close(BOB, voucher=links.voucher(100)) == ResultCode.BAD_CLAIM


def test_links_are_hashed_from_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    world = ChannelWorld(by_links=True)
    hashes = []
    real = rule.hash_back

    def counting(channel: bytes, index: int, link: bytes, to: int) -> bytes:
        hashes.append(index - to)
        return real(channel, index, link, to)

    monkeypatch.setattr(rule, "hash_back", counting)
    assert world.close(ALICE, 300) == ResultCode.OK
    assert world.challenge(400) == ResultCode.OK
    assert world.challenge(400) == ResultCode.CLAIM_NOT_HIGHER
    assert world.challenge(1000) == ResultCode.OK
    assert hashes == [3, 1, 6]
    record = world.record()
    assert record is not None
    assert (record.claimed, record.link) == (1000, SEED)


# Who may always end a channel


@pytest.mark.parametrize("status", [ROBOT_STATUS_FROZEN, ROBOT_STATUS_RETIRED])
def test_a_frozen_or_retired_robot_closes_challenges_and_settles(status: Any) -> None:
    world = ChainWorld()
    fleet = world.create_fleet()
    robot = world.register(fleet, "robot/one")
    world.fund(robot, 10_000)
    channels = {}
    for payer, payee in ((robot, BOB), (ALICE, robot)):
        for use in ("close", "challenge", "settle"):
            sequence = world.account(payer).sequence  # type: ignore[union-attr]
            channel = channel_id(world.chain, account_of(payer), sequence)
            world.must(payer, opening(payee=account_of(payee)))
            channels[account_of(payer), use] = channel
    world.set_status("robot/one", status)

    def voucher(payer: PrivateKey, use: str) -> dict[str, Any]:
        channel = channels[account_of(payer), use]
        signed = sign_voucher(world.chain, channel, payer, 300)
        claim = Voucher(cumulative=300, signature=signed.signature)
        return {"channel": channel, "voucher": claim}

    world.must(robot, CloseChannel(**voucher(robot, "close")))
    world.must(robot, CloseChannel(**voucher(ALICE, "close")))
    for payer in (robot, ALICE):
        world.must(payer, CloseChannel(channel=channels[account_of(payer), "challenge"]))
        world.must(robot, ChallengeClose(**voucher(payer, "challenge")))
    world.advance(EXPIRY)
    for name in (
        (robot, "close"),
        (robot, "challenge"),
        (robot, "settle"),
        (ALICE, "challenge"),
        (ALICE, "settle"),
    ):
        payer, use = name
        world.must(robot, SettleChannel(channel=channels[account_of(payer), use]))
    assert world.balance(robot) == 10_000 - 2 * 300 + 2 * 300
    assert world.balance(BOB) == PEOPLE_MONEY + 2 * 300


def fill(world: ChainWorld, key: PrivateKey) -> None:
    """Let an account hold as many other assets as it can, and none of asset 0."""
    account = world.account(key)
    assert account is not None
    assets = tuple((asset, 1) for asset in range(100, 100 + MAX_ASSETS))
    rest = tuple(held for held in account.holdings if held[0] != 0)
    write_account(world.state, account_of(key), account._replace(holdings=rest + assets))
    world.state.keep()


class HoardingWorld(ChannelWorld):
    """Assets that no genesis knows are written into accounts; the rest is as ever."""

    def money(self) -> dict[int, int]:
        known = self.minted()
        total = dict.fromkeys(known, 0)
        for key, row in self.rows().items():
            if key[:1] == b"\x01":
                for asset, amount in Account.decode(row).holdings:
                    if asset in known:
                        total[asset] += amount
            elif key[:1] == b"\x30":
                total[0] += ChannelRecord.FromString(row).deposit
        total[0] += self.hoarded
        return total

    hoarded = 0


@pytest.mark.parametrize("hoarder", ["alice", "bob"])
def test_a_full_account_holds_up_nobodys_money(hoarder: str) -> None:
    """The other side fills its account with other assets, so that it cannot be paid."""
    world = HoardingWorld()
    key = known_key(hoarder)
    world.hoarded = world.balance(key)
    fill(world, key)
    gift = Transfer(recipient=account_of(key), amount=1)
    assert world.do(CAROL, gift).code == ResultCode.TOO_MANY_ASSETS
    assert world.close(BOB, 400) == ResultCode.OK
    assert world.record() is None
    assert (world.balance(ALICE), world.balance(BOB)) == (
        (DEPOSIT - 400, PEOPLE_MONEY + 400)
        if hoarder == "alice"
        else (PEOPLE_MONEY - DEPOSIT + DEPOSIT - 400, 400)
    )
    # The account goes on as any other.
    assert world.do(key, opening(payee=account_of(CAROL), deposit=100)).code == ResultCode.OK


def test_fees_are_paid_beside_the_deposit() -> None:
    world = ChannelWorld(min_fee=3)
    assert world.balance(ALICE) == PEOPLE_MONEY - DEPOSIT - 3
    assert world.close(BOB, 400) == ResultCode.OK
    assert world.balance(BOB) == PEOPLE_MONEY + 400 - 3
    assert world.balance(ALICE) == PEOPLE_MONEY - 400 - 3
    assert world.balance(known_key("treasury")) == 6
