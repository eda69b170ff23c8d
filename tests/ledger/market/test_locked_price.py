"""Which purchases cannot wait for somebody to ask for them, and until when."""

from __future__ import annotations

import pytest

from ledger.credentials.member_file import MemberFile
from ledger.exchange.swap_purchase import BuyingStage, ChosenSale, SwapPurchase
from ledger.exchange.swap_seller import LockedSwap, RevealedSwap
from ledger.market import swapping
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Bought, Closed, Funded, Swapping
from ledger.market.buying import AcquisitionCancelledError, acquire
from ledger.market.locked_price import cannot_wait, is_past_help, locked_sale, locked_until
from ledger.market.shelf import Shelved
from ledger.market.swapping import PriceLockedError
from tests.fleet.sharing_market import Offered
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ledger.market.test_acquisition_steps import DiedError, mortal
from tests.ledger.market.whole_seller import SELLING, KilledError
from tests.ledger.market.whole_trade import Trade


@pytest.fixture(scope="module")
def offered(world: BuyersWorld) -> Offered:
    return world.offered(uses=1_000)


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


def shelved(trade: Trade) -> Shelved:
    folder = trade.acquisition.folder
    return Shelved(folder, *Acquisition.look(folder))


def test_nothing_is_at_stake_before_the_lock(trade: Trade) -> None:
    assert not cannot_wait(shelved(trade))
    trade.stopped_at(lambda: type(trade.acquisition.state) is Funded)
    assert not cannot_wait(shelved(trade))
    with pytest.raises(AcquisitionCancelledError):
        heard: list[int] = []
        acquire(trade.acquisition, trade.tools, lambda p: heard.append(p.kept), lambda: 2 in heard)
    assert isinstance(shelved(trade).state, Swapping)
    assert not cannot_wait(shelved(trade))
    assert locked_sale(shelved(trade)) is None
    assert not is_past_help(trade.tools.chain, shelved(trade))


def test_a_deadline_is_that_of_what_comes_next(trade: Trade) -> None:
    chain = trade.tools.chain
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    (locked,) = trade.seller.states()
    assert isinstance(locked, LockedSwap)
    sale = locked_sale(shelved(trade))
    assert sale is not None
    assert sale.stage is BuyingStage.LOCKING
    assert locked_until(chain, sale) == locked.record.reveal_height
    trade.seller.tend()
    (revealed,) = trade.seller.states()
    assert isinstance(revealed, RevealedSwap)
    assert locked_until(chain, sale) == revealed.record.complaint_height
    # It goes on without its seller for as long as it takes: the key is in the blocks.
    trade.world.pass_blocks(SELLING.complaint_blocks + 1)
    trade.seller.tend()
    assert locked_until(chain, sale) == 0
    assert cannot_wait(shelved(trade))
    assert not is_past_help(chain, shelved(trade))


def test_a_lock_that_never_left_is_past_help_when_no_block_takes_it(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed when it was written that the price is locked, and before anybody was asked."""
    chain, write = trade.tools.chain, swapping.SwapPurchase.write

    def about_to_lock(purchase: SwapPurchase, sale: ChosenSale) -> None:
        write(purchase, sale)
        if sale.stage is BuyingStage.LOCKING:
            raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(swapping.SwapPurchase, "write", about_to_lock)
        acquire(trade.acquisition, trade.tools)
    sale = locked_sale(shelved(trade))
    assert sale is not None
    assert locked_until(chain, sale) == sale.lock_height
    assert not is_past_help(chain, shelved(trade))
    trade.seller.has_no_time = True
    trade.world.pass_blocks(sale.lock_height - trade.world.height())
    assert is_past_help(chain, shelved(trade))
    assert cannot_wait(shelved(trade))


def test_what_was_paid_is_brought_home_and_no_damaged_file_is_in_the_way(
    trade: Trade, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(PriceLockedError):
        acquire(trade.acquisition, trade.tools, cancelled=trade.is_locked)
    path = trade.acquisition.folder / "purchase" / "sale"
    good = path.read_bytes()
    path.write_bytes(b"no sale")
    assert locked_sale(shelved(trade)) is None
    path.write_bytes(good)
    for at, left in ((Bought, Swapping), (Closed, Bought)):
        with monkeypatch.context() as patch, pytest.raises(DiedError):
            mortal(patch, at)
            acquire(trade.reopened(), trade.tools)
        assert type(shelved(trade).state) is left
        assert cannot_wait(shelved(trade))
        assert locked_sale(shelved(trade)) is None
    acquire(trade.reopened(), trade.tools)
    assert not cannot_wait(shelved(trade))
