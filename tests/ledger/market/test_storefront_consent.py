"""A storefront whose recording's consent is withdrawn, and that nobody told to erase anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.errors import RefusedError
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.messages import Reason
from ledger.exchange.sale_file import kept_sales
from ledger.exchange.swap_buyer import BuyingEnd
from ledger.exchange.swap_chain import BuyingTerms
from ledger.exchange.swap_driver import swap
from ledger.exchange.swap_file import swap_grants
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.market.sales_view import WHOLE, seller_folder
from ledger.market.storefront import Storefront
from ledger.market.swap_chain import ProvenSwapChain
from ledger.schema.chain_consent_pb2 import WithdrawConsent
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Robot
from tests.fleet.test_sharing_consent import consented
from tests.ledger.market.sellers_world import Asked, Customer, SellersWorld


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = SellersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


class Ward:
    """A robot, consent to what it recorded, and the storefront that sells that."""

    def __init__(self, world: SellersWorld, folder: Path, robot: Robot, consent: bytes) -> None:
        self.world, self.folder, self.robot, self.consent = world, folder, robot, consent

    def shop(self) -> Storefront:
        return self.world.storefront(self.folder, self.robot.home)

    def withdraw(self) -> None:
        self.world.must(self.world.authority, WithdrawConsent(consent=self.consent))

    @property
    def place(self) -> Path:
        return seller_folder(self.folder, self.world.seller_account)


@pytest.fixture
def ward(world: SellersWorld, tmp_path: Path) -> Ward:
    robot = world.robot(f"sellers.example/{world.name('ward')}", seed=8)
    return Ward(world, tmp_path / "shop", robot, consented(world, robot))


def refused(customer: Customer, shop: Storefront) -> Reason:
    with pytest.raises(SellerRefusedError) as refusal:
        customer.buy(Asked(shop))
    return refusal.value.reason


def test_what_was_granted_before_is_not_sold_after(world: SellersWorld, ward: Ward) -> None:
    """Neither for money nor for nothing; also by a storefront that was away meanwhile."""
    paying, free = world.customer(world.offered(ward.robot)), world.free_customer(ward.robot)
    with ward.shop() as shop:
        ward.withdraw()
        shop.look()
        assert refused(paying, shop) is refused(free, shop) is Reason.GONE
    with ward.shop() as shop:
        assert refused(paying, shop) is refused(free, shop) is Reason.GONE
        assert kept_sales(ward.place) == ()
        assert (paying.payer.paid, paying.purchase.kept, free.purchase.kept) == (0, 0, 0)
        # Given anew, it is sold again.
        consented(world, ward.robot)
        shop.look()
        paying.buy(Asked(shop))
        free.buy(Asked(shop))
        shop.look()


def test_open_streams_end_with_the_block(world: SellersWorld, ward: Ward) -> None:
    paying, free = world.customer(world.offered(ward.robot)), world.free_customer(ward.robot)
    with ward.shop() as shop:
        way = Asked(shop)

        def withdraw(kept: int) -> None:
            if kept == 1:
                ward.withdraw()
                shop.look()

        with pytest.raises(SellerRefusedError) as refusal:
            paying.buy(way, withdraw)
        assert refusal.value.reason is Reason.GONE
        # The chunk that was here, sealed, was paid; the next was neither given nor paid.
        assert paying.purchase.kept == 2 < paying.bought.grant.count
        assert paying.payer.paid == paying.bought.grant.price_of(2)
        assert refused(free, shop) is Reason.GONE
        assert free.purchase.kept == 0

        consent = consented(world, ward.robot)
        shop.look()

        def withdraw_again(kept: int) -> None:
            if kept == 1:
                world.must(world.authority, WithdrawConsent(consent=consent))
                shop.look()

        with pytest.raises(SellerRefusedError) as refusal:
            free.buy(way, withdraw_again)
        assert refusal.value.reason is Reason.GONE
        assert free.purchase.kept == 1
    # What was paid is the seller's, and is given again to whoever lost it.
    with ward.shop() as shop:
        assert refused(paying, shop) is Reason.GONE
        assert paying.payer.paid == paying.bought.grant.price_of(2)
        world.begin_close(paying)
        shop.look()


def test_no_atomic_sale_is_proposed(world: SellersWorld, ward: Ward) -> None:
    bought = world.granted(world.one_member, world.offered(ward.robot))
    world.fund(bought, bought.grant.price + 10 * FEE)
    purchase = SwapPurchase.create(world.root / world.name("whole"), bought.grant)
    world.held.callback(purchase.close)
    end = BuyingEnd(purchase, bought.wallet, ProvenSwapChain(world.proven), BuyingTerms())
    ward.withdraw()
    before = world.sequence(world.seller_account)
    with ward.shop() as shop:
        shop.look()
        with pytest.raises((SellerRefusedError, RefusedError)) as refusal:
            swap(end, Asked(shop), lambda height: shop.tend())
        assert isinstance(refusal.value, SellerRefusedError)
        assert refusal.value.reason is Reason.GONE
        shop.tend()
    assert swap_grants(ward.place / WHOLE) == ()
    assert world.sequence(world.seller_account) == before
