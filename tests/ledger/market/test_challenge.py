"""The time that a seller has to answer a buyer's close: who leaves less of it gets nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from ledger.credentials.member_file import MemberFile
from ledger.errors import RefusedError
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.messages import Reason
from ledger.exchange.sale_file import kept_sales
from ledger.market.acquisition_states import Closed
from ledger.market.buying import acquire
from ledger.market.challenge import CHALLENGE_BLOCKS, challenge_on
from ledger.market.giving_up import abandon
from ledger.market.sale_note import SaleStage
from ledger.market.sales_view import list_sales, seller_folder
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.market.till import SellingSettings
from ledger.market.tools import AcquisitionCancelledError, Progress, Tools
from ledger.schema.chain_channel_pb2 import SettleChannel
from ledger.schema.chain_pb2 import Parameters
from tests.fleet.sharing_chain import FEE
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ledger.market.sellers_world import Asked, SellersWorld, view

AS_USUAL = SellingSettings()


@pytest.fixture(scope="module")
def sellers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    root = tmp_path_factory.mktemp("sellers")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        yield SellersWorld(root, held)


@pytest.fixture(scope="module")
def member(world: BuyersWorld) -> MemberFile:
    return world.member_file(1)


@pytest.fixture
def shop(world: BuyersWorld, tmp_path: Path) -> Iterator[Storefront]:
    """Of who changed no setting."""
    homes = SellingHomes((), (world.husky.home,))
    with Storefront(tmp_path / "shop", world.proven, [world.sellers_wallet], homes) as made:
        yield made


def as_usual(world: BuyersWorld, member: MemberFile, shop: Storefront) -> Tools:
    """What a buyer has that changed no setting either."""
    return world.tools(member, way=lambda grant: Asked(shop), challenge_blocks=None)


@pytest.mark.parametrize("challenge", [10, CHALLENGE_BLOCKS - 1])
def test_a_channel_that_leaves_too_little_time_gets_nothing(
    sellers: SellersWorld, tmp_path: Path, challenge: int
) -> None:
    customer = sellers.customer(challenge=challenge)
    with sellers.storefront(tmp_path / "shop", settings=AS_USUAL) as shop:
        with pytest.raises(SellerRefusedError) as refusal:
            customer.buy(Asked(shop))
        assert refusal.value.reason is Reason.NO_CHANNEL
        assert not list_sales(shop.folder)
        assert kept_sales(seller_folder(shop.folder, sellers.seller_account)) == ()
    assert (customer.payer.paid, customer.purchase.kept) == (0, 0)


def test_a_storefront_that_is_away_is_back_in_time(sellers: SellersWorld, tmp_path: Path) -> None:
    """The buyer has all, owns up to nothing, and makes blocks as fast as it can pay for them."""
    customer = sellers.customer(challenge=CHALLENGE_BLOCKS)
    with sellers.storefront(tmp_path / "shop", settings=AS_USUAL) as shop:
        customer.buy(Asked(shop))
    sellers.begin_close(customer, paid=0)
    sellers.pass_blocks(CHALLENGE_BLOCKS - 2)
    settle = SettleChannel(channel=customer.payer.channel)
    assert sellers.do(sellers.authority, settle) != 0, "the challenge is not over"
    before = sellers.paid_out
    with sellers.storefront(tmp_path / "shop", settings=AS_USUAL) as shop:
        shop.look()
        shop.look()
        assert view(shop.folder, customer.grant).stage is SaleStage.SETTLED
    assert sellers.paid_out == before + customer.price - FEE


def test_less_than_the_chain_asks_for_is_refused(sellers: SellersWorld, tmp_path: Path) -> None:
    least = sellers.proven.parameters.min_challenge
    settings = SellingSettings(least_challenge=least - 1)
    with pytest.raises(RefusedError, match="less than the chain's least"):
        sellers.storefront(tmp_path / "shop", settings=settings)
    with sellers.storefront(tmp_path / "shop", settings=SellingSettings(least)):
        pass


def test_what_the_chain_asks_for_is_asked_for() -> None:
    assert challenge_on(Parameters(min_challenge=1)) == CHALLENGE_BLOCKS
    assert challenge_on(Parameters(min_challenge=1_000)) == 1_000
    assert challenge_on(Parameters(min_challenge=5), 5) == 5
    with pytest.raises(RefusedError):
        challenge_on(Parameters(min_challenge=5), 4)


@pytest.mark.parametrize("lifetime", [20, 1_000])
def test_both_ends_as_they_come_trade_under_any_grant(
    world: BuyersWorld, member: MemberFile, shop: Storefront, lifetime: int
) -> None:
    """Also under one that is over long before a challenge would be."""
    tools = as_usual(world, member, shop)
    offered = world.offered(grant_lifetime=lifetime)
    acquisition = world.begin(offered.offer)
    state = acquire(acquisition, tools)
    assert isinstance(state, Closed)
    shop.look()
    shop.look()
    (sale,) = list_sales(shop.folder)
    assert (sale.stage, sale.earned) == (SaleStage.SETTLED, state.grant.price)
    acquisition.close()


def test_giving_up_waits_for_no_challenge_where_the_seller_is_there(
    world: BuyersWorld, member: MemberFile, shop: Storefront
) -> None:
    tools = replace(as_usual(world, member, shop), settle_wait_s=60.0)
    stopped = threading.Event()

    def told(progress: Progress) -> None:
        if progress.kept:
            stopped.set()

    acquisition = world.begin(world.offered().offer)
    with pytest.raises(AcquisitionCancelledError):
        acquire(acquisition, tools, told, stopped.is_set)
    height = world.height()
    with shop.watching():
        end = abandon(acquisition, tools)
    assert end.spent > 0
    assert world.height() < height + 20
    (sale,) = list_sales(shop.folder)
    assert sale.earned > 0
    acquisition.close()
