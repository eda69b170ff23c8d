"""A robot's recording sold to another fleet's member who does not say who it is.

The whole way in one process: a hidden reward that is proven, a grant, a channel, the content
chunk by chunk, the money, and an audit that finds every book whole.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.state_keys import contract_version_key, grant_key, offer_key
from ledger.exchange.buyer import (
    BoughtContent,
    FetchingUnit,
    HeldUnit,
    OpeningStream,
    PaidUnit,
    SellerRefusedError,
)
from ledger.exchange.deed import Deed, Promise
from ledger.exchange.messages import Reason
from ledger.exchange.purchase import Purchase
from ledger.exchange.seller import ClosingSale
from ledger.exchange.transport import InProcess, buy
from ledger.experience.content_root import chunk_count
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import CommitmentKind, Experience, RewardSource
from ledger.schema.chain_grant_pb2 import GrantRecord
from ledger.schema.chain_sharing_pb2 import (
    AmendContract,
    ContractVersion,
    OfferRecord,
    WithdrawContract,
)
from ledger.wallet.payer import PayerOpen, PayWordOffer
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Bought, SharingMarket

CHUNK_PRICE, RECORD_PRICE = 1, 50
"""Of the template, in hundredths."""


def purchase_of(market: SharingMarket, bought: Bought, payer: PayerOpen) -> Purchase:
    return Purchase.create(market.root / market.name("bought"), bought.grant, payer.channel)


def close_channel(market: SharingMarket, bought: Bought, payer: PayerOpen) -> None:
    """The seller claims what it was paid; the chain pays it, and the rest goes back."""
    closing = market.counter.close_sale(bought.grant.grant)
    assert isinstance(closing, ClosingSale)
    message = closing.message()
    assert message is not None
    market.must(market.seller, message)
    assert market.channel(payer.channel) is None
    closing.forget()
    payer.forget()


@pytest.mark.parametrize("by_links", [False, True], ids=["vouchers", "links"])
def test_a_member_buys_a_recording_without_a_name(
    market: SharingMarket, tmp_path: Path, by_links: bool
) -> None:
    offered = market.offered()
    offer = market.read(OfferRecord, offer_key(offered.offer))
    assert offer is not None
    (reward,) = offer.qualities
    assert (reward.low + reward.offset) * 10 >= 8 * reward.scale
    assert offer.kind == "episode"

    member = market.member(robot_id=11 + by_links)
    pool, rich = market.pool, market.balance(bytes(market.authority.public_key))
    bought = market.granted(member, offered)
    grant = bought.grant
    assert market.pool == pool - FEE
    assert market.balance(bytes(market.authority.public_key)) == rich
    count = chunk_count(len(market.husky.content))
    assert (grant.count, grant.price) == (count, RECORD_PRICE + count * CHUNK_PRICE)
    assert count > 2

    links = PayWordOffer(unit=1, count=grant.price) if by_links else None
    earned = market.balance(market.seller_account)
    payer = market.open_channel(bought, links)
    spare = market.balance(bought.wallet.account)
    purchase = purchase_of(market, bought, payer)
    heard: list[tuple[int, int]] = []
    whole = buy(
        purchase,
        bought.wallet,
        payer,
        InProcess(market.counter),
        lambda kept: heard.append((kept, payer.paid)),
        Promise.of_record(offer),
    )
    assert isinstance(whole, BoughtContent)
    # One chunk ahead at most: the next one is paid once it is here, sealed.
    assert [kept for kept, _ in heard] == list(range(1, count + 1))
    assert all(paid <= grant.price_of(kept) for kept, paid in heard)

    entry = parse_entry(market.husky.home.log.entry(offer.index)).kind
    assert isinstance(entry, Experience)
    assert entry.content_root == grant.content_root == offer.content_root
    # With it goes what the offer only bounded, opened.
    assert isinstance(whole.deed, Deed)
    opened = whole.deed.opening(CommitmentKind(reward.kind), RewardSource(reward.source))
    assert opened is not None
    assert opened.value >= reward.low
    placed = whole.place(tmp_path / "files", whole.deed.files)
    assert b"".join(path.read_bytes() for path in placed) == market.husky.content

    close_channel(market, bought, payer)
    purchase.close()
    assert market.balance(market.seller_account) == earned + grant.price - FEE
    assert market.balance(bought.wallet.account) == spare
    assert market.audit(market.homes).findings == ()


def test_a_buyer_that_stops_paying_gets_no_more_chunks(market: SharingMarket) -> None:
    bought = market.granted(market.member(robot_id=21), market.offered())
    payer = market.open_channel(bought)
    spare, earned = market.balance(bought.wallet.account), market.balance(market.seller_account)
    purchase = purchase_of(market, bought, payer)
    held = _held(market, bought, payer, purchase)
    paid = held.pay()
    held = _as_held(paid.receive(market.counter.answer(paid.request())))
    assert purchase.kept == 1
    unpaid = PaidUnit(held._stream, held._unit, held._stream.claim)
    for _ in range(2):
        with pytest.raises(SellerRefusedError) as refusal:
            unpaid.receive(market.counter.answer(unpaid.request()))
        assert refusal.value.reason is Reason.UNPAID
    assert purchase.kept == 1
    price = bought.grant.price_of(1)
    close_channel(market, bought, payer)
    purchase.close()
    assert market.balance(market.seller_account) == earned + price - FEE
    assert market.balance(bought.wallet.account) == spare + bought.grant.price - price


def test_an_amended_contract_does_not_change_what_was_bought(market: SharingMarket) -> None:
    offered = market.offered()
    bought = market.granted(market.member(robot_id=31), offered)
    before = market.read(GrantRecord, grant_key(bought.grant.grant))
    policy, terms = market.template()
    terms.chunk_price, terms.record_price, terms.uses = 1_000, 10_000, 1
    amended = AmendContract(
        contract=offered.contract,
        policy=policy.replace("proven_min_level >= 3", "proven_min_level >= 5"),
        terms=terms,
    )
    assert amended.policy != policy
    market.must(market.seller, amended)
    assert market.read(ContractVersion, contract_version_key(offered.contract, 2)) is not None

    # Others ask under the new version, and the one who has a grant has it as it was.
    other = market.member(robot_id=32)
    assert market.ask(other, offered) == ResultCode.POLICY_DENIES
    assert market.read(GrantRecord, grant_key(bought.grant.grant)) == before
    assert market.grant(bought.grant.grant) == bought.grant
    _buys_all(market, bought)
    # One who may have it under the new version has the one use that this gives, at its price.
    high = market.member(robot_id=33, level=6)
    assert market.ask(high, offered, min_level=5, use=1) == ResultCode.OVER_USES
    dear = market.granted(high, offered, min_level=5)
    assert dear.grant.price == 10_000 + dear.grant.count * 1_000


def test_a_withdrawn_contract_leaves_what_was_bought(market: SharingMarket) -> None:
    offered = market.offered()
    bought = market.granted(market.member(robot_id=41), offered)
    market.must(market.seller, WithdrawContract(contract=offered.contract))
    _buys_all(market, bought)


def test_a_grant_that_is_over_buys_nothing(market: SharingMarket) -> None:
    bought = market.granted(market.member(robot_id=51), market.offered(grant_lifetime=3))
    payer = market.open_channel(bought)
    market.pass_blocks(bought.grant.expiry_height + 1 - market.height())
    purchase = purchase_of(market, bought, payer)
    opening = OpeningStream(purchase, bought.wallet, payer)
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(market.counter.answer(opening.request()))
    assert refusal.value.reason is Reason.NO_GRANT
    assert payer.paid == 0
    purchase.close()
    payer.release()


def _buys_all(market: SharingMarket, bought: Bought) -> None:
    """The buyer gets all of it, for the price that its grant says."""
    payer = market.open_channel(bought)
    earned = market.balance(market.seller_account)
    purchase = purchase_of(market, bought, payer)
    buy(purchase, bought.wallet, payer, InProcess(market.counter))
    assert (purchase.folder / "content").read_bytes() == market.husky.content
    close_channel(market, bought, payer)
    purchase.close()
    assert market.balance(market.seller_account) == earned + bought.grant.price - FEE


def _held(market: SharingMarket, bought: Bought, payer: PayerOpen, purchase: Purchase) -> HeldUnit:
    opening = OpeningStream(purchase, bought.wallet, payer)
    fetching = opening.receive(market.counter.answer(opening.request()))
    assert isinstance(fetching, FetchingUnit)
    return _as_held(fetching.receive(market.counter.answer(fetching.request())))


def _as_held(state: object) -> HeldUnit:
    assert isinstance(state, HeldUnit)
    return state
