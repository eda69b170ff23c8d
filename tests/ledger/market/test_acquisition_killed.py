"""Kill a buyer anywhere on its way: nothing is paid twice, and the acquisition goes on.

The buyer is a process of its own; the chain and the seller are this one's, behind their sockets.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from ledger.chain.engines.client import ChainClient
from ledger.chain.engines.server import ChainServer
from ledger.chain.machine.home import ChainPaths
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.sponsorship import pool_account
from ledger.credentials.member_file import MemberFile
from ledger.errors import NotFoundError
from ledger.exchange.messages import Reply
from ledger.exchange.purchase import Purchase
from ledger.exchange.socket_client import SocketTransport
from ledger.exchange.socket_server import SocketServer
from ledger.exchange.transport import NoSellerError
from ledger.home import open_home
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Abandoned, Bought, Closed, Granted, Kept
from ledger.market.budget import Budget
from ledger.market.buying import NotYetError, abandon, acquire
from ledger.market.funding import PoolFunding
from ledger.market.keeping import find_kept
from ledger.market.tools import Tools
from ledger.market.wish import Wish
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.wallet.payer import PayerOpen
from ledger.wallet.wallet import End, Wallet
from tests.fault.syscall_killer import CHANGING_CALLS, TraceError, kill_at_call
from tests.fleet.sharing_chain import FEE
from tests.ledger.market.buyers_world import CHALLENGE_BLOCKS, BuyersWorld, at_home

pytestmark = [
    # Python 3.12 warns of forks beside threads: the child uses none of this process's.
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
    pytest.mark.skipif(CHANGING_CALLS is None, reason="SKIPPED: no call numbers for this machine"),
]

STEP = 11
"""Every how many-th write, sync and rename is one at which a buyer dies."""


@dataclass(frozen=True)
class Buyer:
    """A robot that buys in a process of its own."""

    world: BuyersWorld
    chain: Path
    """The socket of its engine."""
    storefront: Path
    offer: bytes
    member: MemberFile
    budget: Budget
    home: Path

    @contextmanager
    def tools(self) -> Iterator[Tools]:
        world = self.world
        with ChainClient(self.chain) as client:
            chain = ProvenChain(client, world.trust)
            paid = world.root / "paid"
            yield world.tools(
                self.member,
                chain=chain,
                funding=PoolFunding(chain, world.buyers_wallet, world.buyers, paid),
                way=lambda grant: SocketTransport(self.storefront),
                budget=self.budget,
                home=at_home(self.home),
            )

    def opened(self, folder: Path) -> Acquisition:
        try:
            return Acquisition.open(folder)
        except NotFoundError:
            return Acquisition.begin(folder, Wish(self.offer, "training"))

    def live(self, folder: Path) -> None:
        """What the process does that is killed."""
        with self.opened(folder) as acquisition, self.tools() as tools:
            acquire(acquisition, tools)

    def give_up(self, folder: Path) -> None:
        """The same of one that is given up."""
        with self.opened(folder) as acquisition, self.tools() as tools:
            abandon(acquisition, tools)


@pytest.fixture(scope="module")
def buyer(world: BuyersWorld) -> Iterator[Buyer]:
    world.must(world.authority, Transfer(recipient=pool_account(world.buyers), amount=10**6))
    path = ChainPaths(world.root / "chain").socket
    server = ChainServer(world.engine, path)
    with SocketServer(world.root / "storefront", world.counter.answer) as storefront:
        yield Buyer(
            world,
            path,
            storefront.path,
            world.offered(uses=1_000).offer,
            world.member_file(1),
            world.budget(total=100_000),
            world.home("buyers.example/kea"),
        )
    server.close()


def at_risk(folder: Path) -> int:
    """Units that were paid and are not here, as what a killed buyer left says."""
    if not (folder / "wallet" / "key").exists():
        return 0
    if isinstance(Acquisition.look(folder)[1], Bought | Closed):
        return 0
    wallet, paid, kept = Wallet.open(folder / "wallet"), 0, 0
    for channel, end in wallet.channels():
        assert end is End.PAYER
        state = wallet.payer(channel)
        paid = state.paid if isinstance(state, PayerOpen) else 0
        state.release()
    if not paid:
        return 0
    purchase = Purchase.open(folder / "purchase")
    kept, grant = purchase.kept, purchase.grant
    purchase.close()
    return sum(1 for units in range(kept, grant.count) if paid > grant.price_of(units))


def test_sigkill_on_the_way_to_a_home(buyer: Buyer, tmp_path: Path) -> None:
    """At every eleventh changing call from the wish to the entry in the home's log."""
    world, spent = buyer.world, buyer.budget.standing().used()
    for kth in range(1, 2_000, STEP):
        pool, folder = world.pool, tmp_path / str(kth)
        try:
            status, seen = kill_at_call(lambda folder=folder: buyer.live(folder), kth)  # type: ignore[misc]
        except TraceError as error:
            pytest.skip(f"SKIPPED, children cannot be traced here: {error}")
        assert at_risk(folder) <= 1
        assert buyer.budget.standing().used() <= spent + most(folder)
        with buyer.opened(folder) as acquisition, buyer.tools() as tools:
            end = acquire(acquisition, tools)
        assert isinstance(end, Kept)
        assert end.spent == end.grant.price + 2 * FEE
        assert world.pool == pool - end.spent - FEE, "something was paid twice"
        assert world.earned(end.grant) == end.grant.price
        spent += end.spent
        standing = buyer.budget.standing()
        assert (standing.used(), dict(standing.reserved)) == (spent, {})
        with open_home(buyer.home) as home:
            named = home.experiences.tables.provenance(end.grant.grant)
            assert len(named) == 1, "it was kept twice"
            assert find_kept(home.experiences, end.grant.chain, end.grant.grant) is not None
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            assert kth > 10 * STEP
            return
    pytest.fail(f"an acquisition made {seen} calls")


def most(folder: Path) -> int:
    """What a killed acquisition may have reserved or spent: its price and its fees."""
    try:
        _, state = Acquisition.look(folder)
    except NotFoundError:
        return 0
    return state.grant.price + 6 * FEE if isinstance(state, Granted) else 53 + 6 * FEE


class TwoUnits:
    """The way to a seller that is gone after one unit, when two are paid."""

    def __init__(self, storefront: Path) -> None:
        self.way, self.left = SocketTransport(storefront), 3

    def __enter__(self) -> TwoUnits:
        return self

    def __exit__(self, *_: object) -> None:
        self.way.close()

    def ask(self, request: bytes) -> Reply:
        self.left -= 1
        if self.left < 0:
            raise NoSellerError("nobody is there")
        return self.way.ask(request)


def killed(buyer: Buyer, folder: Path, kth: int) -> int:
    """Give an acquisition up in a process that dies at its ``kth`` call; how it ended."""

    def work() -> None:
        with suppress(NotYetError):
            buyer.give_up(folder)

    try:
        return kill_at_call(work, kth)[0]
    except TraceError as error:
        pytest.skip(f"SKIPPED, children cannot be traced here: {error}")


def test_sigkill_while_it_is_given_up(buyer: Buyer, tmp_path: Path) -> None:
    """At every eleventh changing call, of the close first, then of what brings the rest back."""
    world = buyer.world
    for kth in range(2, 400, STEP):
        pool, spent, folder = world.pool, buyer.budget.standing().used(), tmp_path / str(kth)
        with (
            buyer.opened(folder) as acquisition,
            buyer.tools() as tools,
            pytest.raises(NoSellerError),
        ):
            acquire(acquisition, replace(tools, way=lambda grant: TwoUnits(buyer.storefront)))
        first = killed(buyer, folder, kth)
        with (
            buyer.opened(folder) as acquisition,
            buyer.tools() as tools,
            pytest.raises(NotYetError),
        ):
            abandon(acquisition, tools)
        world.pass_blocks(CHALLENGE_BLOCKS)
        second = killed(buyer, folder, kth)
        with buyer.opened(folder) as acquisition, buyer.tools() as tools:
            assert abandon(acquisition, tools) == Abandoned(36 + 4 * FEE)
        assert world.pool == pool - FEE - 36 - 4 * FEE, "something is lost"
        standing = buyer.budget.standing()
        assert (standing.used(), dict(standing.reserved)) == (spent + 36 + 4 * FEE, {})
        if os.WIFEXITED(first) and os.WIFEXITED(second):
            assert (os.WEXITSTATUS(first), os.WEXITSTATUS(second)) == (0, 0)
            assert kth > 20
            return
    pytest.fail("giving up made too many calls")
