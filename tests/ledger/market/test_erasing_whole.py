"""Consent is withdrawn while a recording is bought whole: first the money, then the receipt."""

from __future__ import annotations

import pytest

from ledger.chain.ids import consent_id
from ledger.exchange.swap_seller import EndedSwap, LockedSwap
from ledger.market.acquisition_states import Abandoned, Swapping
from ledger.market.buying import NotYetError, acquire
from ledger.market.erasing import erase_bought, notice_to
from ledger.market.swapping import PriceLockedError
from ledger.schema.chain_consent_pb2 import AcknowledgeConsent, GrantConsent, WithdrawConsent
from tests.fleet.sharing_chain import FEE
from tests.fleet.test_sharing_atomic import DEPOSIT
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ledger.market.whole_seller import WholeSeller
from tests.ledger.market.whole_trade import Trade


def withdraw(world: BuyersWorld) -> None:
    """Whoever is in the recording takes consent back."""
    signer = account_of(world.authority)
    consent = consent_id(world.chain, signer, world.sequence(signer))
    message = GrantConsent(
        subject=b"s" * 32,
        origin=world.husky.origin,
        record_id=[world.husky.recorded.record_id],
        purpose="training",
    )
    world.must(world.authority, message)
    world.must(world.seller, AcknowledgeConsent(consent=consent))
    world.must(world.authority, WithdrawConsent(consent=consent))


def test_what_a_sale_needs_is_erased_once_its_price_is_back(world: BuyersWorld) -> None:
    seller = WholeSeller(world)
    trade = Trade(seller, world.member_file(1), world.offered())
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    (locked,) = seller.states()
    assert isinstance(locked, LockedSwap)
    seller.has_no_time = True
    withdraw(world)
    with pytest.raises(NotYetError) as until:
        erase_bought(trade.reopened(), trade.tools)
    assert until.value.until == locked.record.reveal_height
    assert type(trade.acquisition.state) is Swapping
    assert (trade.acquisition.folder / "purchase").is_dir()

    world.pass_blocks(max(0, locked.record.reveal_height - world.height()))
    assert erase_bought(trade.acquisition, trade.tools).is_confirmed
    assert trade.acquisition.state == Abandoned(0)
    assert not (trade.acquisition.folder / "purchase").exists()
    trade.settled(3 * FEE - DEPOSIT + FEE)
    notice = notice_to(trade.reopened(), trade.tools)
    assert notice is not None
    assert notice.confirmed_height
    trade.acquisition.close()
    seller.has_no_time = False
    seller.tend()
    assert all(isinstance(each, EndedSwap) for each in seller.states())
