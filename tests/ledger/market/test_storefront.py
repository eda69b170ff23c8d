"""A storefront on a real chain: it sells out of homes, is paid in time, and forgets in the end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sponsorship import pool_account
from ledger.chain.state_keys import PARAMETERS_KEY
from ledger.errors import LockedError, VerificationError
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.deed import Deed
from ledger.exchange.messages import Reason, Refused, Reply, encode_fetch, parse_reply
from ledger.exchange.sale_file import kept_sales, sale_path
from ledger.exchange.session import Session
from ledger.market.sale_note import SaleStage
from ledger.market.sales_view import list_sales, seller_folder
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.schema.chain_channel_pb2 import SettleChannel
from ledger.schema.chain_grant_pb2 import PruneGrants
from ledger.schema.chain_identity_pb2 import SetSponsorship
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.wallet.wallet import End
from tests.fleet.sharing_chain import FEE
from tests.ledger.market.sellers_world import (
    BRISK,
    Asked,
    Customer,
    HalfwayError,
    SellersWorld,
    view,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SellersWorld]:
    """Whatever is sold, the audit finds nothing afterwards."""
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = SellersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


@pytest.fixture
def shop(world: SellersWorld, tmp_path: Path) -> Iterator[Storefront]:
    with world.storefront(tmp_path / "shop") as storefront:
        yield storefront


def place_of(shop: Storefront, world: SellersWorld) -> Path:
    return seller_folder(shop.folder, world.seller_account)


def test_what_is_whole_is_paid_out_at_the_next_look(world: SellersWorld, shop: Storefront) -> None:
    customer = world.customer(world.offered(grant_lifetime=30))
    whole = customer.buy(Asked(shop))
    assert isinstance(whole.deed, Deed)
    assert whole.deed.entry == world.husky.home.log.entry(world.husky.recorded.index)
    seen = view(shop.folder, customer.grant)
    assert (seen.stage, seen.earned, seen.units) == (
        SaleStage.OPEN,
        customer.price,
        seen.count,
    )
    assert (seen.origin, seen.index) == (world.husky.origin, world.husky.recorded.index)
    assert seen.is_whole

    before = world.paid_out
    shop.look()
    assert world.paid_out == before + customer.price - FEE
    assert world.channel(customer.payer.channel) is None
    assert view(shop.folder, customer.grant).stage is SaleStage.CLOSING
    shop.look()
    seen = view(shop.folder, customer.grant)
    assert (seen.stage, seen.earned) == (SaleStage.SETTLED, customer.price)
    # What was paid is given until the grant is over, and a little note remains.
    customer.buy(Asked(shop))
    assert kept_sales(place_of(shop, world)) == (customer.grant,)
    world.pass_blocks(30)
    shop.look()
    assert kept_sales(place_of(shop, world)) == ()
    assert view(shop.folder, customer.grant) == seen
    assert (customer.payer.channel, End.PAYEE) not in world.sellers_wallet.channels()
    assert world.paid_out == before + customer.price - FEE, "nothing was submitted twice"


def test_a_payers_close_is_answered(world: SellersWorld, shop: Storefront) -> None:
    customer = world.customer()
    paid = customer.buy_some(Asked(shop), 2)
    before = world.paid_out
    world.begin_close(customer, paid=0)
    shop.look()
    assert world.paid_out == before + paid - FEE
    shop.look()
    seen = view(shop.folder, customer.grant)
    assert (seen.stage, seen.earned, seen.units) == (SaleStage.SETTLED, paid, 2)


def test_a_close_that_says_all_is_ended_without_a_claim(
    world: SellersWorld, shop: Storefront
) -> None:
    customer = world.customer()
    paid = customer.buy_some(Asked(shop), 1)
    before = world.paid_out
    world.begin_close(customer)
    shop.look()
    shop.look()
    assert world.paid_out == before + paid - FEE
    assert view(shop.folder, customer.grant).earned == paid


def test_a_close_that_was_seen_too_late_pays_what_it_says(
    world: SellersWorld, shop: Storefront
) -> None:
    """The storefront was away for the whole challenge: the book says what came of it."""
    customer = world.customer()
    paid = customer.buy_some(Asked(shop), 1)
    assert paid
    before = world.paid_out
    world.begin_close(customer, paid=0)
    world.pass_blocks(6)
    shop.look()
    shop.look()
    seen = view(shop.folder, customer.grant)
    assert (seen.stage, seen.earned) == (SaleStage.SETTLED, 0)
    assert world.paid_out == before - FEE


def test_somebody_else_settles_before_the_storefront_looks(
    world: SellersWorld, shop: Storefront
) -> None:
    customer = world.customer()
    paid = customer.buy_some(Asked(shop), 1)
    world.begin_close(customer)
    world.pass_blocks(6)
    before = world.paid_out
    world.must(world.authority, SettleChannel(channel=customer.payer.channel))
    assert world.paid_out == before + paid
    shop.look()
    assert view(shop.folder, customer.grant).stage is SaleStage.SETTLED
    assert world.paid_out == before + paid


def test_a_channel_is_closed_before_it_expires(world: SellersWorld, shop: Storefront) -> None:
    customer = world.customer(expiry_height=world.height() + 40, challenge=5)
    expiry = customer.payer.terms.expiry_height
    paid = customer.buy_some(Asked(shop), 2)
    shop.look()
    assert view(shop.folder, customer.grant).stage is SaleStage.OPEN
    world.pass_blocks(expiry - 5 - world.height() - 1)
    before = world.paid_out
    shop.look()
    assert world.paid_out == before, "it may still be paid through"
    world.pass_blocks(1)
    shop.look()
    assert world.paid_out == before + paid - FEE
    assert world.height() < expiry
    with pytest.raises(SellerRefusedError) as refusal:
        customer.buy(Asked(shop))
    assert refusal.value.reason is Reason.CHANNEL_ENDS


def test_a_buyer_that_went_away_is_waited_for_until_the_grant_is_over(
    world: SellersWorld, shop: Storefront
) -> None:
    customer = world.customer(world.offered(grant_lifetime=20))
    paid = customer.buy_some(Asked(shop), 1)
    over = customer.bought.grant.expiry_height
    world.pass_blocks(over + 5 - world.height())
    before = world.paid_out
    shop.look()
    assert world.paid_out == before
    world.pass_blocks(1)
    shop.look()
    assert world.paid_out == before + paid - FEE
    shop.look()
    assert kept_sales(place_of(shop, world)) == ()


def test_who_pays_nothing_costs_nothing(world: SellersWorld, shop: Storefront) -> None:
    """No fee is paid for a channel that earned nothing, and it is forgotten all the same."""
    customer = world.customer(
        world.offered(grant_lifetime=10), expiry_height=world.height() + 30, challenge=5
    )

    class NoMore:
        def ask(self, request: bytes) -> Reply:
            if customer.payer.paid:
                raise HalfwayError
            return shop.answer(request)

    with pytest.raises(HalfwayError):
        customer.buy(NoMore())
    before = world.paid_out
    shop.look()
    assert kept_sales(place_of(shop, world)) == (customer.grant,)
    world.pass_blocks(customer.payer.terms.expiry_height - world.height())
    shop.look()
    assert kept_sales(place_of(shop, world)) == ()
    seen = view(shop.folder, customer.grant)
    assert (seen.stage, seen.earned, seen.units) == (SaleStage.SETTLED, 0, 0)
    assert world.paid_out == before


def test_sales_that_end_together_are_closed_together(world: SellersWorld, shop: Storefront) -> None:
    customers = [world.customer(world.offered()) for _ in range(4)]
    for customer in customers:
        customer.buy(Asked(shop))
    before, height = world.paid_out, world.height()
    shop.look()
    assert world.paid_out == before + sum(each.price - FEE for each in customers)
    assert world.height() <= height + 2
    shop.look()
    assert all(view(shop.folder, each.grant).stage is SaleStage.SETTLED for each in customers)


def test_an_operator_closes_a_sale(world: SellersWorld, shop: Storefront) -> None:
    customer = world.customer()
    paid = customer.buy_some(Asked(shop), 1)
    before = world.paid_out
    shop.close_sale(customer.grant)
    shop.look()
    assert world.paid_out == before + paid - FEE


# Restarts


def test_a_restart_takes_everything_up(world: SellersWorld, tmp_path: Path) -> None:
    customer = world.customer()
    folder = tmp_path / "shop"
    with world.storefront(folder) as shop:
        paid = customer.buy_some(Asked(shop), 1)
    world.begin_close(customer, paid=0)
    before = world.paid_out
    with world.storefront(folder) as shop:
        assert view(folder, customer.grant).stage is SaleStage.OPEN
        shop.look()
        assert world.paid_out == before + paid - FEE
    # Killed before the payment was noted.
    with world.storefront(folder) as shop:
        shop.look()
    seen = view(folder, customer.grant)
    assert (seen.stage, seen.earned) == (SaleStage.SETTLED, paid)
    with world.storefront(folder) as shop:
        shop.look()
    assert view(folder, customer.grant) == seen
    assert world.paid_out == before + paid - FEE


def test_buying_goes_on_across_restarts(world: SellersWorld, tmp_path: Path) -> None:
    customer = world.customer()
    folder = tmp_path / "shop"
    for units in (1, 2):
        with world.storefront(folder) as shop:
            customer.buy_some(Asked(shop), units)
            shop.look()
    with world.storefront(folder) as shop:
        assert isinstance(customer.buy(Asked(shop)).deed, Deed)
        assert view(folder, customer.grant).is_whole


class ReplyLost:
    """The reply to the payment for unit ``unit`` does not arrive."""

    def __init__(self, shop: Storefront, customer: Customer, unit: int) -> None:
        self.shop, self.customer, self.unit = shop, customer, unit

    def ask(self, request: bytes) -> Reply:
        reply = self.shop.answer(request)
        if self.customer.payer.paid >= self.customer.bought.grant.price_of(self.unit + 1):
            raise HalfwayError
        return reply


def test_what_is_paid_is_given_when_the_chain_has_pruned_the_grant(
    world: SellersWorld, tmp_path: Path
) -> None:
    customer = world.customer(world.offered(grant_lifetime=10))
    folder = tmp_path / "shop"
    with world.storefront(folder) as shop, pytest.raises(HalfwayError):
        customer.buy(ReplyLost(shop, customer, 1))
    assert customer.purchase.kept == 1
    world.pass_blocks(customer.bought.grant.expiry_height + 1 - world.height())
    world.must(world.authority, PruneGrants(grants=[customer.grant]))
    assert world.grant(customer.grant) is None
    with world.storefront(folder) as shop:
        with pytest.raises(SellerRefusedError) as refusal:
            customer.buy(Asked(shop))
        assert customer.purchase.kept == 2
        assert refusal.value.reason is Reason.GONE
        assert view(folder, customer.grant).origin == world.husky.origin


def test_one_storefront_has_a_folder(world: SellersWorld, shop: Storefront) -> None:
    with pytest.raises(LockedError):
        world.storefront(shop.folder)


def test_one_sales_trouble_is_not_the_others(
    world: SellersWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "shop"
    good, bad = world.customer(), world.customer()
    with world.storefront(folder) as shop:
        paid = good.buy_some(Asked(shop), 1)
        bad.buy_some(Asked(shop), 1)
    path = sale_path(seller_folder(folder, world.seller_account), bad.grant)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    for customer in (good, bad):
        world.begin_close(customer, paid=0)
    before = world.paid_out
    with world.storefront(folder) as shop:
        shop.look()
        assert "cannot be taken up" in caplog.text
        assert world.paid_out == before + paid - FEE
        # Once it is put right, the next look takes it up.
        path.write_bytes(whole)
        world.pass_blocks(1)
        shop.look()
        assert world.paid_out == before + 2 * (paid - FEE)


class Older:
    """The engine, showing a row as it was before."""

    def __init__(self, world: SellersWorld, key: bytes) -> None:
        self._engine, self._key, self._old = world.engine, key, world.engine.answer(key)

    def answer(self, key: bytes) -> bytes:
        return self._old if key == self._key else self._engine.answer(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


def test_a_storefront_that_is_started_again_is_shown_nothing_older(
    world: SellersWorld, tmp_path: Path
) -> None:
    known = tmp_path / "known"
    known.mkdir()
    older = Older(world, PARAMETERS_KEY)
    homes = SellingHomes((), (world.husky.home,))

    def front(service: Any, folder: Path | None) -> Storefront:
        chain = ProvenChain(service, world.trust, folder)
        return Storefront(tmp_path / "front", chain, [world.sellers_wallet], homes)

    world.pass_blocks(2)
    with front(world.engine, known) as first:
        first.look()
    with front(older, None) as forgetful:
        forgetful.look()  # whoever remembers nothing is shown what is old
    with pytest.raises(VerificationError, match="old"), front(older, known) as again:
        again.look()


# Who asks what


def test_requests_that_are_nobodys(world: SellersWorld, shop: Storefront) -> None:
    for request, reason in (
        (b"", Reason.MALFORMED),
        (encode_fetch(Session(bytes(16), b"m", b"k"), 0, None), Reason.NO_SESSION),
    ):
        assert parse_reply(shop.answer(request)) == Refused(reason)
    # A grant of another seller's offer.
    stray = world.customer(payee=world.seller_account)
    with world.storefront(shop.folder.with_name("other")) as other:
        other._wallets.clear()
        other._tills.clear()
        with pytest.raises(SellerRefusedError) as refusal:
            stray.buy(Asked(other))
    assert refusal.value.reason is Reason.NO_GRANT


def test_a_recording_whose_home_is_not_here_is_sold_once_it_is(
    world: SellersWorld, tmp_path: Path
) -> None:
    customer = world.customer()
    homes = SellingHomes((), ())
    with Storefront(tmp_path / "shop", world.proven, [world.sellers_wallet], homes, BRISK) as shop:
        with pytest.raises(SellerRefusedError) as refusal:
            customer.buy(Asked(shop))
        assert refusal.value.reason is Reason.GONE
        assert not list_sales(shop.folder)
        homes._homes[world.husky.origin] = world.husky.home
        assert isinstance(customer.buy(Asked(shop)).deed, Deed)


def test_a_home_that_goes_away_in_mid_sale(world: SellersWorld, tmp_path: Path) -> None:
    customer = world.customer()
    with world.storefront(tmp_path / "shop") as shop:
        paid = customer.buy_some(Asked(shop), 1)
    homes = SellingHomes((), ())
    with Storefront(tmp_path / "shop", world.proven, [world.sellers_wallet], homes, BRISK) as shop:
        with pytest.raises(SellerRefusedError) as refusal:
            customer.buy(Asked(shop))
        assert refusal.value.reason is Reason.GONE
        assert customer.payer.paid <= paid + customer.bought.grant.chunk_price
        homes._homes[world.husky.origin] = world.husky.home
        customer.buy(Asked(shop))


def test_many_buy_at_once_while_the_chain_is_watched(world: SellersWorld, tmp_path: Path) -> None:
    customers = [world.customer() for _ in range(4)]
    before = world.paid_out
    pause = threading.Event()
    with world.storefront(tmp_path / "shop") as shop, shop.watching():
        with ThreadPoolExecutor(4) as threads:
            bought = list(threads.map(lambda each: each.buy(Asked(shop)), customers))
        assert all(isinstance(each.deed, Deed) for each in bought)
        for _ in range(2_000):
            if all(each.stage is SaleStage.SETTLED for each in shop.sales):
                break
            pause.wait(0.01)
            world.pass_blocks(1)
        assert len(shop.sales) == 4
        assert {each.stage for each in shop.sales} == {SaleStage.SETTLED}
    assert world.paid_out == before + sum(each.price - FEE for each in customers)


# A robot's own key


def test_a_robot_sells_under_its_own_key(world: SellersWorld, tmp_path: Path) -> None:
    """It has no money at first: its fleet's pool pays the fee of the first close."""
    robot = world.robot("sellers.example/spot", seed=3)
    account = bytes(robot.key.public_key)
    pool = pool_account(world.sellers)
    world.must(world.seller, Transfer(recipient=pool, amount=100))
    world.must(world.seller, SetSponsorship(fleet=world.sellers, period=1_000, amount=5))
    offered = world.offered_by_robot(robot)
    customer = world.customer(offered)
    assert customer.bought.grant.seller == account
    settings = replace(BRISK, sponsor=world.sellers)
    with world.storefront(tmp_path / "shop", robot.home, settings=settings) as shop:
        assert account in shop.accounts
        whole = customer.buy(Asked(shop))
        assert isinstance(whole.deed, Deed)
        had = world.balance(account)
        assert had < FEE
        shop.look()
        shop.look()
        assert world.balance(account) == had + customer.price
        seen = view(shop.folder, customer.grant)
        assert (seen.seller, seen.stage, seen.earned) == (
            account,
            SaleStage.SETTLED,
            customer.price,
        )
    # No file of the storefront has the robot's secret.
    secret = robot.key.to_pem().splitlines()[1]
    files = [path for path in (tmp_path / "shop").rglob("*") if path.is_file()]
    assert not [path for path in files if secret in path.read_bytes()]
    # After a restart the key is found again, and with it everything that was sold.
    with world.storefront(tmp_path / "shop", robot.home, settings=settings) as shop:
        customer.buy(Asked(shop))
        assert (tmp_path / "shop" / account.hex() / "wallet" / "account").exists()


def test_sales_whose_key_is_not_here_are_said_to_be(
    world: SellersWorld, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "shop"
    (folder / world.buyers.hex()).mkdir(parents=True)
    with world.storefront(folder):
        assert "its key is not here" in caplog.text
