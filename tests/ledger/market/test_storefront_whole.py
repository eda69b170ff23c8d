"""A storefront sells whole contents too: its price locked, its key shown, everything paid."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.chain.state_keys import offer_key
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.deed import Deed, Promise
from ledger.exchange.messages import Reason, Refused, Reply, encode_refused, parse_reply
from ledger.exchange.session import Session
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_chain import BuyingTerms, SellingTerms
from ledger.exchange.swap_cipher import Part
from ledger.exchange.swap_deed import ask_for_deed
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_messages import encode_part_fetch
from ledger.exchange.swap_payment import BoughtSwap
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.market.sale_note import SaleStage
from ledger.market.sales_view import SaleView, list_sales
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.market.swap_chain import ProvenSwapChain
from ledger.market.till import SellingSettings
from ledger.schema.chain_sharing_pb2 import OfferRecord
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Bought, Offered
from tests.ledger.market.sellers_world import Asked, SellersWorld

TERMS = SellingSettings(2, whole=SellingTerms(40, 20, 5, 2, FEE))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = SellersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


class Trade:
    """A grant that is bought whole, from storefronts that come and go."""

    def __init__(self, world: SellersWorld, folder: Path, offered: Offered | None = None) -> None:
        self.world, self.folder = world, folder
        self.bought: Bought = world.granted(world.one_member, offered or world.offered())
        world.fund(self.bought, self.bought.grant.price + 10 * FEE)
        self.purchase = SwapPurchase.create(world.root / world.name("whole"), self.bought.grant)
        world.held.callback(self.purchase.close)
        self.shop = world.storefront(folder, settings=TERMS)
        self.restarts = 0

    def end(self) -> BuyingEnd:
        chain = ProvenSwapChain(self.world.proven)
        return BuyingEnd(self.purchase, self.bought.wallet, chain, BuyingTerms())

    def ask(self, request: bytes) -> Reply:
        return self.shop.answer(request)

    def wait(self, height: int) -> None:
        """The storefront tends its sales, and then is another one."""
        self.shop.tend()
        self.shop.close()
        self.shop = self.world.storefront(self.folder, settings=TERMS)
        self.shop.tend()
        self.restarts += 1
        self.world.pass_blocks(max(0, height + 1 - self.world.height()))

    @property
    def view(self) -> SaleView:
        (found,) = [each for each in list_sales(self.folder) if each.grant == self.grant]
        return found

    @property
    def grant(self) -> bytes:
        return self.bought.grant.grant


def test_a_whole_content_is_sold_across_restarts(world: SellersWorld, tmp_path: Path) -> None:
    before = world.paid_out
    trade = Trade(world, tmp_path / "shop")
    bought = swap(trade.end(), trade, trade.wait)
    assert isinstance(bought, BoughtSwap)
    assert trade.restarts >= 2
    record = world.read(OfferRecord, offer_key(trade.view.offer))
    assert record is not None
    deed = ask_for_deed(trade.end(), trade, Promise.of_record(record))
    assert isinstance(deed, Deed)
    assert deed.entry == world.husky.home.log.entry(world.husky.recorded.index)
    assert len(deed.openings) == 3
    (placed,) = bought.purchase.place(tmp_path / "placed", [("all", len(world.husky.content))])
    assert placed.read_bytes() == world.husky.content
    seen = trade.view
    assert (seen.stage, seen.is_atomic, seen.is_whole) == (SaleStage.CLOSING, True, True)
    assert seen.origin == world.husky.origin
    world.pass_blocks(TERMS.whole.complaint_blocks + 1)
    trade.shop.tend()
    trade.shop.tend()
    seen = trade.view
    assert (seen.stage, seen.earned) == (SaleStage.SETTLED, seen.price)
    trade.shop.close()
    # The contract's own transactions, the proposal, the key and the settlement cost a fee each.
    assert world.paid_out == before + seen.price - 5 * FEE


def test_what_nobody_locks_earns_nothing(world: SellersWorld, tmp_path: Path) -> None:
    trade = Trade(world, tmp_path / "shop")

    class LeftError(Exception):
        pass

    def leave(height: int) -> None:
        trade.wait(height)
        if trade.restarts > 1:
            raise LeftError

    with pytest.raises(LeftError):
        swap(trade.end(), _NothingComes(trade), leave)
    world.pass_blocks(TERMS.whole.lock_blocks + 1)
    for _ in range(3):
        trade.shop.tend()
    seen = trade.view
    assert (seen.stage, seen.earned, seen.units, seen.lost) == (SaleStage.UNSOLD, 0, 0, 0)
    trade.shop.close()


class _NothingComes:
    """The seller's agreement is lost each time."""

    def __init__(self, trade: Trade) -> None:
        self.trade = trade

    def ask(self, request: bytes) -> Reply:
        self.trade.ask(request)
        return encode_refused(Reason.NOT_YET)


def test_who_asks_what(world: SellersWorld, tmp_path: Path) -> None:
    with world.storefront(tmp_path / "shop", settings=TERMS) as shop:
        stranger = encode_part_fetch(Session(bytes(16), b"m", b"k"), Part.UNIT, 0)
        assert parse_reply(shop.answer(stranger)) == Refused(Reason.NO_SESSION)
    trade = Trade(world, tmp_path / "other")
    trade.shop.close()
    with (
        Storefront(tmp_path / "none", world.proven, [], SellingHomes((), ())) as shop,
        pytest.raises(SellerRefusedError) as refusal,
    ):
        swap(trade.end(), Asked(shop), lambda height: None)
    assert refusal.value.reason is Reason.NO_GRANT
