"""Sellers and buyers that cheat, on the market's chain: what they try, and what it gets them.

A seller of a stream gets one chunk's price out of it at most; a seller of a whole content loses
its deposit; no complaint about an honest sale is taken; no claim is good for another channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import pytest

from ledger.chain.codes import ResultCode
from ledger.errors import LedgerError, MalformedError
from ledger.exchange.buyer import BadUnitError, SellerRefusedError
from ledger.exchange.fairswap import Complaint
from ledger.exchange.messages import Reason, Reply, UnitReply, encode_unit, parse_reply
from ledger.merkle.hashing import node_hash
from ledger.schema.chain_channel_pb2 import ChallengeClose, CloseChannel, SettleChannel
from ledger.schema.chain_exchange_pb2 import ComplainSale, ProposeSale
from ledger.schema.chain_pb2 import Transaction, TransactionBody
from ledger.wallet.key_file import read_key
from ledger.wallet.payer import close_message
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered, SharingMarket
from tests.fleet.stream_ends import StreamEnds
from tests.fleet.test_sharing_atomic import sell
from zkproofs import credential as zk

Change = Callable[[UnitReply, list[UnitReply]], UnitReply]


@pytest.fixture(scope="module")
def offered(market: SharingMarket) -> Offered:
    return market.offered(uses=200)


@pytest.fixture(scope="module")
def member(market: SharingMarket) -> zk.Credential:
    return market.member(robot_id=601)


def flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


# The seller of a stream


def wrong_key(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
    return replace(unit, secret=flipped(unit.secret)) if unit.secret else unit


def key_of_another_chunk(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
    secrets = [each.secret for each in before if each.secret]
    return replace(unit, secret=secrets[0]) if unit.secret and secrets else unit


def wrong_chunk(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
    return replace(unit, sealed=flipped(unit.sealed)) if unit.index == 1 else unit


def cut_chunk(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
    return replace(unit, sealed=unit.sealed[:-1]) if unit.index == 1 else unit


def chunks_in_another_order(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
    return replace(before[0], index=1, secret=unit.secret) if unit.index == 1 else unit


def a_chunk_twice(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
    return replace(before[0], secret=unit.secret) if unit.index == 1 else unit


def a_path_to_somewhere_else(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
    return replace(unit, path=(*map(flipped, unit.path),)) if unit.index == 1 else unit


def a_path_of_another_chunk(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
    return replace(unit, path=before[0].path) if unit.index == 1 else unit


class Lying:
    """The way to a seller that changes its units."""

    def __init__(self, ends: StreamEnds, change: Change) -> None:
        self.ends, self.change = ends, change
        self.units: list[UnitReply] = []

    def ask(self, request: bytes) -> Reply:
        reply = self.ends.ask(request)
        unit = parse_reply(reply)
        if not isinstance(unit, UnitReply):
            return reply
        self.units.append(unit)
        return encode_unit(self.change(unit, self.units))


@pytest.mark.parametrize(
    "change",
    [
        wrong_key,
        key_of_another_chunk,
        wrong_chunk,
        cut_chunk,
        chunks_in_another_order,
        a_chunk_twice,
        a_path_to_somewhere_else,
        a_path_of_another_chunk,
    ],
    ids=lambda change: change.__name__,
)
def test_a_seller_that_cheats_is_paid_one_chunk_too_much_at_most(
    market: SharingMarket, member: zk.Credential, offered: Offered, change: Change
) -> None:
    ends = StreamEnds(market, member, offered)
    with pytest.raises((BadUnitError, MalformedError)):
        ends.buy(Lying(ends, change))
    grant, kept = ends.bought.grant, ends.purchase.kept
    assert kept < grant.count
    assert ends.payer.paid <= grant.price_of(kept + 1)
    assert market.husky.content.startswith(ends.content()[: kept << 18])
    # Put right, it goes on, and nothing is paid twice.
    ends.buy()
    assert ends.content() == market.husky.content
    ends.seller_closes()
    assert ends.spent == grant.price
    ends.close()


def test_units_of_another_buyers_stream_open_for_nobody_else(
    market: SharingMarket, member: zk.Credential, offered: Offered
) -> None:
    """Who listens to one member's stream has nothing to sell to, or to read with, another."""
    first, second = (StreamEnds(market, member, offered) for _ in range(2))
    heard: list[UnitReply] = []

    class Listening(Lying):
        def ask(self, request: bytes) -> Reply:
            reply = super().ask(request)
            heard[:] = self.units
            return reply

    first.buy(Listening(first, lambda unit, _: unit))

    def borrowed(unit: UnitReply, before: list[UnitReply]) -> UnitReply:
        return heard[unit.index]

    with pytest.raises(LedgerError):
        second.buy(Lying(second, borrowed))
    assert second.purchase.kept == 0
    assert second.payer.paid <= second.bought.grant.price_of(1)
    for ends in (first, second):
        ends.close()


# The seller, and the buyer, of a whole content


def test_no_complaint_about_an_honest_sale_is_taken(market: SharingMarket) -> None:
    sold = sell(market, robot_id=611)
    key = read_key(sold.bought.wallet.root / "key")
    count = sold.bought.grant.count
    assert count == 3
    units, content = sold.revealed._locked._units, sold.revealed._locked._content
    leaves = sold.revealed._locked._leaves

    def complaint(index: int, at: int, leaf_at: int, **fields: object) -> Complaint:
        masked = sold.masked[at]
        values = {
            "sale": sold.sale,
            "index": index,
            "unit": sha256(masked).digest(),
            "unit_path": units.path(at),
            "leaf": leaves[leaf_at],
            "leaf_path": content.path(leaf_at),
            **fields,
        }
        return Complaint(ComplainSale(**values), masked)  # type: ignore[arg-type]

    wrong = [
        # An index swap: another's place, another's leaf, or both.
        *(complaint(i, j, i) for i in range(3) for j in range(3) if i != j),
        *(complaint(i, i, j) for i in range(3) for j in range(3) if i != j),
        *(complaint(i, j, j) for i in range(3) for j in range(3) if i != j),
        complaint(3, 2, 2),
        complaint(2**64 - 1, 0, 0),
        # A node for a leaf.
        complaint(0, 0, 0, leaf=node_hash(leaves[0], leaves[1]), leaf_path=content.path(0)[1:]),
        complaint(1, 1, 1, leaf=node_hash(leaves[0], leaves[1]), leaf_path=content.path(1)[1:]),
        # The odd leaf counted twice.
        complaint(2, 2, 2, leaf_path=(leaves[2], *content.path(2))),
        complaint(3, 2, 2, leaf_path=(leaves[2], *content.path(2))),
    ]
    for each in wrong:
        code = market.do(key, each.message, [each.attachment])
        assert code == ResultCode.BAD_COMPLAINT
    for index in range(count):
        right = complaint(index, index, index)
        assert market.do(key, right.message, [right.attachment]) == ResultCode.UNIT_IS_RIGHT


def test_no_two_sales_on_the_chain_have_one_key(market: SharingMarket) -> None:
    for robot_id in (614, 615):
        sell(market, robot_id)
    hashes = []
    for height in range(1, market.height() + 1):
        for encoded in market.engine.block(height).transactions:
            body = TransactionBody.FromString(Transaction.FromString(bytes(encoded)).body)
            if body.WhichOneof("action") == "propose_sale":
                proposal: ProposeSale = body.propose_sale
                hashes.append(proposal.key_hash)
    assert len(hashes) >= 2
    assert len(set(hashes)) == len(hashes)


# Who claims what channels hold


def test_a_claim_is_good_for_its_channel_alone(
    market: SharingMarket, member: zk.Credential, offered: Offered
) -> None:
    """Replay across channels, claims beyond what there is, and one payment twice."""
    first, second = (StreamEnds(market, member, offered) for _ in range(2))
    best = first.payer.pay(30)
    assert market.do(market.seller, close_message(second.channel, best)) == ResultCode.BAD_CLAIM
    links = StreamEnds(market, member, offered, links=True)
    links.payer.pay(5)
    link = links.payer.newest()
    closing = close_message(links.channel, link)
    beyond = CloseChannel()
    beyond.CopyFrom(closing)
    for index in (6, links.bought.grant.price + 1, 65_536):
        beyond.payword.index = index
        assert market.do(market.seller, beyond) == ResultCode.BAD_CLAIM
    market.must(market.seller, close_message(first.channel, best))
    # The same claim once more finds no channel, and brings nothing.
    had = market.balance(market.seller_account)
    code = market.do(market.seller, close_message(first.channel, best))
    assert code == ResultCode.UNKNOWN_CHANNEL
    assert market.balance(market.seller_account) == had
    for ends in (first, second, links):
        ends.close()


def test_a_stale_close_is_answered_and_its_race_is_won_by_nobody(
    market: SharingMarket, member: zk.Credential, offered: Offered
) -> None:
    ends = StreamEnds(market, member, offered)
    key = read_key(ends.bought.wallet.root / "key")
    early = ends.payer.pay(10)
    late = ends.payer.pay(40)
    market.must(key, close_message(ends.channel, early))
    challenge = ChallengeClose(channel=ends.channel, voucher=close_message(b"", late).voucher)
    market.must(market.seller, challenge)
    # Of equal claims, or smaller ones, the first stays.
    assert market.do(market.seller, challenge) == ResultCode.CLAIM_NOT_HIGHER
    stale = ChallengeClose(channel=ends.channel, voucher=close_message(b"", early).voucher)
    assert market.do(key, stale) == ResultCode.CLAIM_NOT_HIGHER
    record = market.channel(ends.channel)
    assert record is not None
    market.pass_blocks(record.closing_height - market.height())
    # Too late to answer; and whoever settles, it is paid as it was answered.
    assert market.do(market.seller, challenge) == ResultCode.CHALLENGE_OVER
    had = market.balance(market.seller_account)
    market.must(market.authority, SettleChannel(channel=ends.channel))
    assert market.balance(market.seller_account) == had + 50
    assert market.do(key, SettleChannel(channel=ends.channel)) == ResultCode.UNKNOWN_CHANNEL
    ends.close()


def test_what_is_not_claimed_before_its_channel_expires_is_the_payers(
    market: SharingMarket, member: zk.Credential, offered: Offered
) -> None:
    """Whoever comes first after the expiry; so a seller takes nothing in the last blocks."""
    ends = StreamEnds(market, member, offered, lasting=9)
    key = read_key(ends.bought.wallet.root / "key")
    best = ends.payer.pay(ends.bought.grant.price_of(1))
    record = market.channel(ends.channel)
    assert record is not None
    market.pass_blocks(record.expiry_height - record.challenge - market.height())
    # One challenge window before its end the seller takes nothing more through it.
    with pytest.raises(SellerRefusedError) as refusal:
        ends.buy()
    assert refusal.value.reason is Reason.CHANNEL_ENDS
    assert market.do(key, SettleChannel(channel=ends.channel)) == ResultCode.CHANNEL_STATE
    market.pass_blocks(record.expiry_height - market.height())
    had, rich = market.balance(market.seller_account), market.balance(ends.wallet.account)
    market.must(key, SettleChannel(channel=ends.channel))
    late = market.do(market.seller, close_message(ends.channel, best))
    assert late == ResultCode.UNKNOWN_CHANNEL
    assert market.balance(market.seller_account) == had
    assert market.balance(ends.wallet.account) == rich + ends.bought.grant.price - FEE
    ends.close()
