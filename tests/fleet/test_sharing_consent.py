"""Consent that is withdrawn while its recording is sold: the content goes, the books stay."""

from __future__ import annotations

import pytest

from ledger.chain.codes import ResultCode
from ledger.chain.ids import consent_id
from ledger.chain.notices import Held, notices
from ledger.chain.state_keys import consent_key
from ledger.errors import NotFoundError, RefusedError
from ledger.exchange.buyer import FetchingUnit, HeldUnit, OpeningStream, SellerRefusedError
from ledger.exchange.messages import Reason, encode_refused
from ledger.exchange.purchase import Purchase
from ledger.exchange.seller import ClosingSale
from ledger.exchange.swap_buyer import FetchingLeaves, FetchingMasked, OpeningSwap
from ledger.exchange.swap_driver import swap, where
from ledger.exchange.swap_payment import BoughtSwap, LockableSwap
from ledger.exchange.swap_seller import EndedSwap, LockedSwap
from ledger.experience.erasure import erase
from ledger.schema.chain_consent_pb2 import (
    CONSENT_STATUS_ERASED,
    CONSENT_STATUS_WITHDRAWN,
    AcknowledgeConsent,
    ConfirmErasure,
    ConsentRecord,
    GrantConsent,
    ReportErasure,
    WithdrawConsent,
)
from ledger.wallet.key_file import read_key
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import REWARD_AT_LEAST, Robot, SharingMarket
from tests.fleet.test_sharing_whole import SELLING, trade_of
from tests.ledger.chain.rules.chain_world import account_of


def test_consent_withdrawn_in_mid_sale_ends_it_after_one_chunk(market: SharingMarket) -> None:
    """Before anybody has erased anything."""
    robot = market.robot("sellers.example/clinic", seed=3)
    counter = market.counter_of(market.contents_of(robot))
    record_id, patient = robot.recorded.record_id, market.authority
    consent = consent_id(market.chain, account_of(patient), market.sequence(account_of(patient)))
    granted = GrantConsent(
        subject=b"s" * 32, origin=robot.origin, record_id=[record_id], purpose="training"
    )
    market.must(patient, granted)
    market.must(market.seller, AcknowledgeConsent(consent=consent))

    offered = market.offered(robot)
    bought = market.granted(market.member(robot_id=401), offered)
    payer = market.open_channel(bought)
    early = market.granted(market.member(robot_id=403), offered)
    early_payer = market.open_channel(early)
    purchase = Purchase.create(market.root / "mid-sale", bought.grant, payer.channel)
    opening = OpeningStream(purchase, bought.wallet, payer)
    fetching = opening.receive(counter.answer(opening.request()))
    assert isinstance(fetching, FetchingUnit)
    held = fetching.receive(counter.answer(fetching.request()))
    assert isinstance(held, HeldUnit)
    paid = held.pay()

    market.must(patient, WithdrawConsent(consent=consent))
    assert _status(market, consent) == CONSENT_STATUS_WITHDRAWN

    # The chunk that was here, sealed and paid, opens; no other comes, and none is paid.
    after = paid.receive(counter.answer(paid.request()))
    assert isinstance(after, FetchingUnit)
    assert purchase.kept == 1
    with pytest.raises(SellerRefusedError) as refusal:
        after.receive(counter.answer(after.request()))
    assert refusal.value.reason is Reason.GONE
    price = bought.grant.price_of(1)
    assert payer.paid == price

    # Whom the old offer brings gets nothing, and who had a grant already pays nothing; the
    # content is here all the while.
    late = market.ask(market.member(robot_id=402), offered)
    assert late == ResultCode.CONSENT_WITHDRAWN
    early_purchase = Purchase.create(market.root / "early", early.grant, early_payer.channel)
    begun = OpeningStream(early_purchase, early.wallet, early_payer)
    again = market.counter_of(market.contents_of(robot))
    with pytest.raises(SellerRefusedError) as refusal:
        begun.receive(again.answer(begun.request()))
    assert refusal.value.reason is Reason.GONE
    assert early_payer.paid == 0

    # Once it is erased, nothing more can be proven of it.
    erase(robot.home.experiences, [record_id], "consent was withdrawn")
    with pytest.raises(NotFoundError, match="no keys are kept"):
        market.offered(robot)

    # Both buyers find out, and the one that has a chunk says that it is gone.
    held = [Held(each.grant.grant, offered.offer) for each in (bought, early)]
    assert [notice.is_due for notice in notices(market, held)] == [True, True]
    key = read_key(bought.wallet.root / "key")
    market.must(key, ConfirmErasure(grant=bought.grant.grant))
    assert [notice.is_due for notice in notices(market, held)] == [False, True]

    # The erasure is an entry of the robot's log; anchored, it is the receipt.
    index = robot.home.log.size - 1
    market.anchor(robot)
    path = robot.home.log.prove_inclusion(index, robot.home.log.size)
    entry = robot.home.log.entry(index)
    report = ReportErasure(consent=consent, entry=entry, index=index, path=path)
    market.must(patient, report)
    assert _status(market, consent) == CONSENT_STATUS_ERASED

    earned = market.balance(market.seller_account)
    closing = counter.close_sale(bought.grant.grant)
    assert isinstance(closing, ClosingSale)
    message = closing.message()
    assert message is not None
    market.must(market.seller, message)
    assert market.balance(market.seller_account) == earned + price - FEE
    for each in (purchase, early_purchase):
        each.close()
    for end in (payer, early_payer):
        end.release()
    assert market.audit((robot.home.paths.root,)).findings == ()


def test_nothing_is_granted_or_sold_once_consent_is_withdrawn(market: SharingMarket) -> None:
    """Of a consent that the sellers' fleet acknowledged; what is locked ends as it would have."""
    robot, patient = market.robot("sellers.example/ward", seed=4, seconds=4.0), market.authority
    consent = consented(market, robot)
    offered, member = market.offered(robot, uses=9), market.member(robot_id=411)
    contents = market.contents_of(robot)
    # Four have a grant: one has locked, one has everything and has not, one has a channel, and
    # one has not asked for its sale yet.
    locked, lockable, stream, unasked = (
        market.granted(member, offered, use=use) for use in range(4)
    )
    for bought in (locked, lockable):
        market.fund(bought, bought.grant.price + 10 * FEE)
    first, second = (trade_of(market, bought, contents) for bought in (locked, lockable))
    payer = market.open_channel(stream)
    market.fund(unasked, unasked.grant.price + 10 * FEE)
    third = trade_of(market, unasked, contents)

    class WithdrawnError(Exception):
        pass

    def stop(height: int) -> None:
        if first.look():
            raise WithdrawnError
        first.wait(height)

    with pytest.raises(WithdrawnError):
        swap(first.begin(), first, stop)
    assert [type(each) for each in first.look()] == [LockedSwap]
    end = second.begin()
    while not isinstance(state := where(end), LockableSwap):
        assert isinstance(state, OpeningSwap | FetchingLeaves | FetchingMasked)
        reply = second.ask(state.request())
        if reply == encode_refused(Reason.NOT_YET):
            second.counter.tend()
        else:
            state.receive(reply)

    market.must(patient, WithdrawConsent(consent=consent))
    assert market.ask(member, offered, use=4) == ResultCode.CONSENT_WITHDRAWN
    posting = market.posting(market.deploy(), robot, REWARD_AT_LEAST)
    assert market.do(market.seller, posting) == ResultCode.CONSENT_WITHDRAWN
    # What nobody has paid for yet, nobody can pay for any more.
    with pytest.raises(RefusedError, match="CONSENT_WITHDRAWN"):
        state.lock()
    assert second.gained()[1] == 0
    # What nobody has asked for yet is not proposed, and through the channel nothing is sold.
    with pytest.raises(SellerRefusedError) as refusal:
        swap(third.begin(), third, third.wait)
    assert refusal.value.reason is Reason.GONE
    assert third.look() == ()
    purchase = Purchase.create(market.root / "late", stream.grant, payer.channel)
    opening = OpeningStream(purchase, stream.wallet, payer)
    with pytest.raises(SellerRefusedError) as refusal:
        opening.receive(market.counter_of(contents).answer(opening.request()))
    purchase.close()
    assert refusal.value.reason is Reason.GONE
    assert payer.paid == 0
    # What was paid for before is given, and the channel pays what it paid, and no more.
    assert isinstance(swap(first.begin(), first, first.wait), BoughtSwap)
    assert first.gained()[1] == -locked.grant.price - FEE
    market.pass_blocks(SELLING.lock_blocks)
    for made in (first, second, third):
        made.counter.tend()
        assert all(isinstance(each, EndedSwap) for each in made.look())
        assert made.purchase is not None
        made.purchase.close()
    assert second.gained()[1] == 0
    payer.release()
    # Whoever asked again, with consent that was given anew, is granted it.
    consented(market, robot)
    assert market.ask(member, offered, use=4) == ResultCode.OK
    assert market.audit((robot.home.paths.root,)).findings == ()


def consented(market: SharingMarket, robot: Robot) -> bytes:
    """The patient's consent to a robot's recording, which the sellers' fleet acknowledges."""
    patient = account_of(market.authority)
    consent = consent_id(market.chain, patient, market.sequence(patient))
    granted = GrantConsent(
        subject=b"w" * 32,
        origin=robot.origin,
        record_id=[robot.recorded.record_id],
        purpose="training",
    )
    market.must(market.authority, granted)
    market.must(market.seller, AcknowledgeConsent(consent=consent))
    return consent


def _status(market: SharingMarket, consent: bytes) -> int:
    record = market.read(ConsentRecord, consent_key(consent))
    assert record is not None
    return record.status
