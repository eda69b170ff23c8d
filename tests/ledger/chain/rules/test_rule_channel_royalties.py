"""Channels of grants: whom they pay, and that royalties come out of every payout."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain.channel.identity import channel_id
from ledger.chain.channel.payword import PayWordChain
from ledger.chain.channel.voucher import sign_voucher
from ledger.chain.codes import ResultCode
from ledger.chain.rules.royalties import WHOLE, shares_of
from ledger.chain.state_keys import channel_key
from ledger.schema.chain_channel_pb2 import (
    ChallengeClose,
    ChannelRecord,
    CloseChannel,
    OpenChannel,
    PayWord,
    PayWordMode,
    SettleChannel,
    TopUpChannel,
    Voucher,
    VoucherMode,
)
from ledger.schema.chain_identity_pb2 import ROBOT_STATUS_FROZEN
from ledger.schema.chain_pb2 import EVENT_KIND_CHANNEL_CLOSED, EVENT_KIND_ROYALTY_PAID
from ledger.schema.chain_sharing_pb2 import Royalty
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.exchange_world import (
    ANYBODY,
    LIFETIME,
    MONEY,
    ROYALTIES,
    ExchangeWorld,
)
from tests.ledger.chain.rules.sharing_world import ROBOT, terms

SEED: Final = b"s" * 32
UNIT: Final = 37
LINKS: Final = 10
DEPOSIT: Final = 500


class StreamWorld(ExchangeWorld):
    """The buyer of an `ExchangeWorld` pays through a channel of its grant."""

    def __init__(self, *, by_links: bool = False, deposit: int = DEPOSIT, **terms_of: Any) -> None:
        super().__init__(**terms_of)
        self.by_links, self.deposit = by_links, deposit
        self.channel = self.next_channel()
        self.links = PayWordChain(self.channel, SEED, LINKS)

    def next_channel(self) -> bytes:
        account = self.account(self.buyer)
        sequence = account.sequence if account else 0
        return channel_id(self.chain, account_of(self.buyer), sequence)

    def opening(self, **fields: Any) -> OpenChannel:
        values: dict[str, Any] = {
            "payee": account_of(self.seller),
            "deposit": self.deposit,
            "expiry_height": self.height + 100,
            "challenge": 5,
            "grant": self.grant,
            **fields,
        }
        if self.by_links:
            values["payword"] = PayWordMode(w0=self.links.w0, unit=UNIT, count=LINKS)
        else:
            values["voucher"] = VoucherMode()
        return OpenChannel(**values)

    def open(self, who: str = "one time", **fields: Any) -> ResultCode:
        return self.code(self.key(who), self.opening(**fields))

    def opened(self) -> StreamWorld:
        assert self.open() == ResultCode.OK
        return self

    def stream(self) -> ChannelRecord | None:
        return self.state.read(ChannelRecord, channel_key(self.channel))

    def claim(self, amount: int) -> dict[str, Any]:
        if not amount:
            return {}
        if self.by_links:
            index = amount // UNIT
            return {"payword": PayWord(index=index, link=self.links.link(index).link)}
        signed = sign_voucher(self.chain, self.channel, self.buyer, amount)
        return {"voucher": Voucher(cumulative=amount, signature=signed.signature)}

    def close(self, amount: int, who: str = ROBOT) -> ResultCode:
        message = CloseChannel(channel=self.channel, **self.claim(amount))
        return self.code(self.key(who), message)


def expected(amount: int) -> tuple[tuple[int, int], list[int]]:
    """(seller, buyer) and the royalties' accounts once ``amount`` was paid out."""
    shares = [amount * parts // 10_000 for _, parts in ROYALTIES]
    return (amount - sum(shares), -amount), shares


def outcome(world: StreamWorld) -> tuple[tuple[int, int], list[int]]:
    return world.earned(), world.shares()


@pytest.mark.parametrize("by_links", [False, True])
def test_a_close_by_the_seller_pays_royalties(by_links: bool) -> None:
    world = StreamWorld(by_links=by_links).opened()
    amount = 9 * UNIT
    assert world.close(amount) == ResultCode.OK
    assert world.stream() is None
    assert outcome(world) == expected(amount)
    assert sorted(world.shares()) == [11, 33]
    told = [(e.subject, e.amount) for e in world.last.events if e.kind == EVENT_KIND_ROYALTY_PAID]
    assert told == list(zip([account for account, _ in ROYALTIES], world.shares(), strict=True))


@pytest.mark.parametrize("by_links", [False, True])
def test_so_does_every_other_way_to_be_paid(by_links: bool) -> None:
    # Closed by the buyer with too little, challenged, settled by anybody.
    world = StreamWorld(by_links=by_links).opened()
    assert world.close(UNIT, "one time") == ResultCode.OK
    challenge = ChallengeClose(channel=world.channel, **world.claim(4 * UNIT))
    assert world.code(ANYBODY, challenge) == ResultCode.OK
    world.advance(6)
    assert world.code(ANYBODY, SettleChannel(channel=world.channel)) == ResultCode.OK
    assert outcome(world) == expected(4 * UNIT)
    # Closed by the seller while the buyer's close could be challenged.
    world = StreamWorld(by_links=by_links).opened()
    assert world.close(UNIT, "one time") == ResultCode.OK
    assert world.close(2 * UNIT) == ResultCode.OK
    assert outcome(world) == expected(2 * UNIT)
    # Expired with a claim of the buyer's that nobody challenged.
    world = StreamWorld(by_links=by_links).opened()
    assert world.close(3 * UNIT, "one time") == ResultCode.OK
    world.advance(200)
    assert world.code(ANYBODY, SettleChannel(channel=world.channel)) == ResultCode.OK
    assert outcome(world) == expected(3 * UNIT)


def test_nothing_claimed_pays_nobody() -> None:
    world = StreamWorld().opened()
    world.advance(100)
    assert world.code(ANYBODY, SettleChannel(channel=world.channel)) == ResultCode.OK
    assert outcome(world) == ((0, 0), [0, 0])
    assert [event.kind for event in world.last.events] == [EVENT_KIND_CHANNEL_CLOSED]


def test_all_may_be_royalties() -> None:
    account, _ = ROYALTIES[0]
    world = StreamWorld(royalties=[Royalty(account=account, parts=10_000)]).opened()
    assert world.close(DEPOSIT) == ResultCode.OK
    assert world.earned() == (0, -DEPOSIT)
    assert world.balance(account) == DEPOSIT


def test_what_was_agreed_when_it_was_granted_stays_so() -> None:
    world = StreamWorld().opened()
    world.amend(world.granted.contract, terms=terms(royalties=[]))
    world.withdraw(world.granted.contract)
    # Were the grant another one by now, the channel would know its own.
    world.granted.terms.ClearField("royalties")
    world.write_grant()
    assert world.close(300) == ResultCode.OK
    assert outcome(world) == expected(300)


def test_a_channel_says_what_it_is_for() -> None:
    world = StreamWorld().opened()
    record = world.stream()
    assert record is not None
    assert record.grant == world.grant
    royalties = [(each.account, each.parts) for each in record.royalties]
    assert royalties == ROYALTIES
    # A top-up keeps it so.
    message = TopUpChannel(channel=world.channel, amount=7)
    assert world.code(world.buyer, message) == ResultCode.OK
    topped = world.stream()
    assert topped is not None
    assert (topped.deposit, topped.grant, list(topped.royalties)) == (
        DEPOSIT + 7,
        world.grant,
        list(record.royalties),
    )


def test_a_channel_of_no_grant_pays_the_payee_alone() -> None:
    world = StreamWorld()
    assert world.open(grant=b"") == ResultCode.OK
    assert world.close(300) == ResultCode.OK
    assert outcome(world) == ((300, -300), [0, 0])


class TestRefused:
    @pytest.mark.parametrize("grant", [b"g", bytes(31), bytes(33)])
    def test_what_is_no_id(self, grant: bytes) -> None:
        assert StreamWorld().open(grant=grant) == ResultCode.FIELD_REFUSED

    def test_a_grant_that_is_none(self) -> None:
        assert StreamWorld().open(grant=bytes(32)) == ResultCode.UNKNOWN_GRANT

    def test_somebody_elses_grant(self) -> None:
        world = StreamWorld()
        for who in ("alice", "authority", "bob"):
            assert world.open(who) == ResultCode.NOT_ALLOWED

    def test_another_payee_than_the_seller(self) -> None:
        world = StreamWorld()
        for who in ("authority", "bob", "carol"):
            payee = account_of(world.key(who))
            assert world.open(payee=payee) == ResultCode.CHANNEL_TERMS

    def test_another_asset(self) -> None:
        world = StreamWorld()
        world.fund(world.buyer, 1_000, asset=1)
        assert world.open(asset=1) == ResultCode.CHANNEL_TERMS

    def test_after_the_grant(self) -> None:
        world = StreamWorld()
        world.advance(LIFETIME)
        assert world.open() == ResultCode.OK
        world.advance()
        world.channel = world.next_channel()
        assert world.open() == ResultCode.CHANNEL_TERMS

    def test_of_a_robot_whose_log_forked(self) -> None:
        world = StreamWorld()
        world.set_status(ROBOT, ROBOT_STATUS_FROZEN)
        assert world.open() == ResultCode.ROBOT_FROZEN


parts = st.lists(st.integers(1, WHOLE), max_size=16).filter(lambda each: sum(each) <= WHOLE)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**64 - 1), parts)
def test_shares_are_the_whole_and_never_more_than_their_part(amount: int, of: list[int]) -> None:
    royalties = [
        Royalty(account=bytes([number]) * 32, parts=each) for number, each in enumerate(of, 1)
    ]
    shares, rest = shares_of(amount, royalties)
    assert sum(share for _, share in shares) + rest == amount
    assert all(share > 0 for _, share in shares)
    paid = dict(shares)
    for royalty in royalties:
        got = paid.get(royalty.account, 0)
        assert got * WHOLE <= amount * royalty.parts < (got + 1) * WHOLE
    # What rounding leaves over is the seller's: less than one unit a royalty.
    least = amount * (WHOLE - sum(of)) // WHOLE
    assert least <= rest <= least + len(of)


steps = st.lists(
    st.tuples(
        st.sampled_from(("seller", "buyer", "challenge", "settle", "wait", "top up")),
        st.integers(0, DEPOSIT + 20),
    ),
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(st.booleans(), steps)
def test_money_is_conserved_whatever_happens(by_links: bool, taken: list[tuple[str, int]]) -> None:
    """`ChainWorld` adds up all money after each step; here, who has it in the end."""
    world = StreamWorld(by_links=by_links).opened()
    before = world.balance(world.seller) + world.balance(world.buyer) + sum(world.shares())
    for what, amount in taken:
        claimed = min(amount // UNIT, LINKS) * UNIT if by_links else amount
        if what == "seller":
            world.close(claimed)
        elif what == "buyer":
            world.close(claimed, "one time")
        elif what == "challenge" and claimed:
            world.code(ANYBODY, ChallengeClose(channel=world.channel, **world.claim(claimed)))
        elif what == "settle":
            world.code(ANYBODY, SettleChannel(channel=world.channel))
        elif what == "top up":
            world.code(world.buyer, TopUpChannel(channel=world.channel, amount=amount + 1))
        else:
            world.advance(1 + amount % 9)
        record = world.stream()
        if record is None:
            break
    record = world.stream()
    if record is not None:
        world.advance(200)
        assert world.code(ANYBODY, SettleChannel(channel=world.channel)) == ResultCode.OK
    paid = MONEY - world.balance(world.buyer)
    assert outcome(world) == expected(paid)
    after = world.balance(world.seller) + world.balance(world.buyer) + sum(world.shares())
    assert after == before + DEPOSIT
