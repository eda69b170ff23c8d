"""Kill a storefront anywhere: what was earned is paid out, once, and the book says so."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.server import ChainServer
from ledger.chain.light.trust_file import encode_trust
from ledger.chain.proven.chain import ProvenChain
from ledger.exchange.buyer import SellerRefusedError
from ledger.exchange.deed import Deed
from ledger.exchange.messages import Reason
from ledger.exchange.sale_file import kept_sales
from ledger.exchange.socket_client import SocketTransport
from ledger.experience.erasure import erase
from ledger.market.sale_note import SaleStage
from ledger.market.sales_view import seller_folder
from ledger.market.selling_homes import SellingHomes
from ledger.market.storefront import Storefront
from ledger.wallet.wallet import Wallet
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError, kill_at_call
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Robot
from tests.ledger.market.sellers_world import Asked, Customer, SellersWorld, view
from tests.ledger.market.storefront_process import running

# Python 3.12 warns of forks beside threads; the child uses none of them.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")

EVERY = 3
"""Of the calls of a life, the killing ones."""


class ServedWorld(SellersWorld):
    """The chain is served to other processes."""

    def __init__(self, root: Path, held: ExitStack) -> None:
        super().__init__(root, held)
        self.socket = root / "chain.sock"
        held.callback(ChainServer(self.engine, self.socket).close)
        (root / "trust").write_bytes(encode_trust(self.trust))

    def settings(self, folder: Path, robot: Robot) -> Path:
        path = self.root / self.name("settings")
        path.write_text(
            json.dumps(
                {
                    "chain": str(self.socket),
                    "trust": str(self.root / "trust"),
                    "folder": str(folder),
                    "homes": [str(robot.home.paths.root)],
                    "wallets": [str(self.root / "sellers")],
                }
            )
        )
        return path


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedWorld]:
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = ServedWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


def look_twice(world: ServedWorld, folder: Path) -> None:
    """What a life does: takes up what there was, closes what is due, and sees it closed."""
    with ChainClient(world.socket) as client:
        chain = ProvenChain(client, world.trust)
        wallet = Wallet.open(world.root / "sellers")
        with Storefront(folder, chain, [wallet], SellingHomes(())) as shop:
            shop.look()
            shop.look()


def sold_some(world: ServedWorld, folder: Path, lifetime: int) -> tuple[Customer, int]:
    """A sale whose payer says that it paid nothing."""
    customer = world.customer(world.offered(grant_lifetime=lifetime), challenge=100)
    with world.storefront(folder) as shop:
        paid = customer.buy_some(Asked(shop), 1)
    world.begin_close(customer, paid=0)
    return customer, paid


@pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine")
@pytest.mark.parametrize("is_over", [False, True], ids=["closing", "forgetting"])
def test_sigkill_at_changing_calls(world: ServedWorld, tmp_path: Path, is_over: bool) -> None:
    """From taking up the sale to the book that says what it brought, or to its last file."""
    for kth in range(1 + is_over, 400, EVERY):
        folder = tmp_path / str(kth)
        customer, paid = sold_some(world, folder, 2 if is_over else 500)
        if is_over:
            world.pass_blocks(3)
        before = world.paid_out
        try:
            status, _ = kill_at_call(lambda folder=folder: look_twice(world, folder), kth)  # type: ignore[misc]
        except TraceError as error:
            pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
        look_twice(world, folder)
        seen = view(folder, customer.grant)
        assert (seen.stage, seen.earned) == (SaleStage.SETTLED, paid)
        assert world.paid_out == before + paid - FEE, "a fee was paid twice, or a claim lost"
        left = kept_sales(seller_folder(folder, world.seller_account))
        assert left == (() if is_over else (customer.grant,))
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert kth > 15
            return
    pytest.fail("a life has no end")


def test_a_process_that_is_killed_after_every_unit(world: ServedWorld, tmp_path: Path) -> None:
    """It reads the home beside the owner, sells at its socket, and is killed again and again."""
    folder = tmp_path / "shop"
    settings = world.settings(folder, world.husky)
    customer, before = world.customer(), world.paid_out
    lives: list[int] = []
    with running(settings, folder) as shop, SocketTransport(shop.socket) as way:

        def another_life(kept: int) -> None:
            shop.kill()
            shop.start()
            lives.append(kept)

        whole = customer.buy(way, another_life)
        assert isinstance(whole.deed, Deed)
        assert lives == list(range(1, customer.bought.grant.count + 1))
        wait_until(lambda: world.channel(customer.payer.channel) is None)
        shop.kill()
        shop.start()
        world.pass_blocks(1)
        wait_until(lambda: view(folder, customer.grant).stage is SaleStage.SETTLED)
        assert shop.end() == 0
    assert world.paid_out == before + customer.price - FEE
    assert view(folder, customer.grant).earned == customer.price


def test_an_erasure_by_the_owner_is_seen_by_the_next_request(
    world: ServedWorld, tmp_path: Path
) -> None:
    robot = world.robot("sellers.example/erased", seed=5)
    folder = tmp_path / "shop"
    customer = world.customer(world.offered(robot))
    with (
        running(world.settings(folder, robot), folder) as shop,
        SocketTransport(shop.socket) as way,
    ):
        customer.buy_some(way, 1)
        erase(robot.home.experiences, [robot.recorded.record_id])
        with pytest.raises(SellerRefusedError) as refusal:
            customer.buy(way)
    assert refusal.value.reason is Reason.GONE


def wait_until(holds: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(3_000):
        if holds():
            return
        pause.wait(0.01)
    pytest.fail("it never came to be")
