"""Kill a buyer of a whole content anywhere on its way: it has all of it for one price.

The buyer is a process of its own; the chain and the seller are this one's, behind their sockets.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.chain.engines.server import ChainServer
from ledger.chain.machine.home import ChainPaths
from ledger.chain.sponsorship import pool_account
from ledger.errors import NotFoundError
from ledger.exchange.messages import Reply
from ledger.exchange.socket_server import SocketServer
from ledger.home import open_home
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Kept
from ledger.market.buying import acquire
from ledger.market.wish import Mode, Wish
from ledger.schema.chain_payment_pb2 import Transfer
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError, kill_at_call
from tests.fleet.sharing_chain import FEE
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ledger.market.test_acquisition_killed import STEP, Buyer, most
from tests.ledger.market.whole_seller import WholeSeller

pytestmark = [
    # Python 3.12 warns of forks beside threads: the child uses none of this process's.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine"),
]

_TURN_S = 0.01


class WholeBuyer(Buyer):
    """Buys all at once."""

    def opened(self, folder: Path) -> Acquisition:
        try:
            return Acquisition.open(folder)
        except NotFoundError:
            return Acquisition.begin(folder, Wish(self.offer, "training", mode=Mode.WHOLE))


class TendedSeller(WholeSeller):
    """Does its part in a thread."""

    def __init__(self, world: BuyersWorld) -> None:
        super().__init__(world)
        self._turn, self._ended = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def ask(self, request: bytes) -> Reply:
        with self._turn:
            return super().ask(request)

    def close(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_TURN_S):
            with self._turn:
                self.tend()


@pytest.fixture(scope="module")
def buyer(world: BuyersWorld) -> Iterator[WholeBuyer]:
    world.must(world.authority, Transfer(recipient=pool_account(world.buyers), amount=10**6))
    path = ChainPaths(world.root / "chain").socket
    server = ChainServer(world.engine, path)
    seller = TendedSeller(world)
    with SocketServer(world.root / "storefront", seller.ask) as storefront:
        yield WholeBuyer(
            world,
            path,
            storefront.path,
            world.offered(uses=1_000).offer,
            world.member_file(1),
            world.budget(total=100_000),
            world.home("buyers.example/kea"),
        )
    seller.close()
    server.close()


def test_sigkill_on_the_way_to_a_home(buyer: WholeBuyer, tmp_path: Path) -> None:
    """At every eleventh changing call from the wish to the entry in the home's log."""
    world, spent = buyer.world, buyer.budget.standing().used()
    for kth in range(1, 2_000, STEP):
        pool, folder = world.pool, tmp_path / str(kth)
        try:
            status, seen = kill_at_call(lambda folder=folder: buyer.live(folder), kth)  # type: ignore[misc]
        except TraceError as error:
            pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
        assert buyer.budget.standing().used() <= spent + most(folder)
        with buyer.opened(folder) as acquisition, buyer.tools() as tools:
            end = acquire(acquisition, tools)
        assert isinstance(end, Kept)
        assert end.spent == end.grant.price + 2 * FEE
        assert world.pool == pool - end.spent - FEE, "something was paid twice"
        spent += end.spent
        standing = buyer.budget.standing()
        assert (standing.used(), dict(standing.reserved)) == (spent, {})
        with open_home(buyer.home) as home:
            named = home.experiences.tables.provenance(end.grant.grant)
            assert len(named) == 1, "it was kept twice"
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert kth > 10 * STEP
            return
    pytest.fail(f"an acquisition made {seen} calls")
