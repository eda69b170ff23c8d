"""A purchase whose price is locked, and that nobody goes on with, is spoken of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from ledger.chain.engines.server import ChainServer
from ledger.chain.machine.home import ChainPaths
from ledger.chain.proven.chain import ProvenChain
from ledger.exchange.swap_seller import LockedSwap, RevealedSwap
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Granted
from ledger.market.buying import AcquisitionCancelledError, acquire
from ledger.market.shelf import Shelf
from ledger.market.swapping import PriceLockedError
from ledger.market.wish import Mode, Wish
from tests.cli.robot import CommandServer, Robot
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ledger.market.whole_seller import BuyersService, WholeSeller


class Stopped:
    """A buyer at the command line that has stopped while its price was locked."""

    def __init__(self, root: Path, world: BuyersWorld, server: CommandServer) -> None:
        self.robot = Robot(root / "robot", server)
        self.shelf = Shelf(root / "purchases", world.chain)
        self.seller = WholeSeller(world)
        member = world.member_file(1)
        self.robot.extra.update(
            QUIPU_CHAIN=str(world.root / "chain"),
            QUIPU_PURCHASES=str(self.shelf.root.parent),
            QUIPU_CREDENTIAL=str(member.path),
            QUIPU_WALLET=str(world.root / "buyers"),
            XDG_CACHE_HOME=str(self.robot.folder / "cache"),
        )
        chain = ProvenChain(BuyersService(self.seller), world.trust)
        self.tools = world.tools(member, chain=chain, way=self.seller.way)

    def buys(self, offer: bytes) -> Acquisition:
        """Until the price is locked."""
        acquisition = self.shelf.begin(Wish(offer, "training", mode=Mode.WHOLE))

        def is_locked() -> bool:
            state = acquisition.state
            return isinstance(state, Granted) and any(
                isinstance(each, LockedSwap) and each.row.grant == state.grant
                for each in self.seller.states()
            )

        with acquisition, pytest.raises(PriceLockedError):
            acquire(acquisition, self.tools, cancelled=is_locked)
        return acquisition

    def said(self, *words: object) -> str:
        """On standard error, whatever became of it."""
        return self.robot.run("buy", *words).err


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BuyersWorld]:
    root = tmp_path / "market"
    root.mkdir()
    monkeypatch.setenv("QUIPU_PUBLISHED", str(root / "published"))
    with ExitStack() as held:
        world = BuyersWorld(root, held)
        held.enter_context(closing(ChainServer(world.engine, ChainPaths(root / "chain").socket)))
        yield world


def test_every_verb_says_so_until_somebody_goes_on(
    world: BuyersWorld, server: CommandServer, tmp_path: Path
) -> None:
    stopped = Stopped(tmp_path, world, server)
    offer, other = world.offered().offer, world.offered().offer
    acquisition = stopped.buys(offer)
    (locked,) = stopped.seller.states()
    assert isinstance(locked, LockedSwap)
    until = locked.record.reveal_height

    line = (
        f"the purchase of {offer.hex()[:8]}: its price is locked until block {until}:"
        " quipu buy --resume\n"
    )
    assert stopped.said("list") == line
    assert stopped.said("budget", "show") == line
    assert stopped.said("budget", "set", "--total", "9") == line
    assert stopped.said("order", other.hex()).startswith(line)
    assert "price locked, whole" in stopped.robot.run("buy", "list").out
    (row,) = stopped.robot.run("buy", "list", "--json").object["purchases"]
    assert (row["state"], row["stage"], row["locked_until"]) == ("price locked", "swapping", until)

    # While somebody goes on with it, nothing is said.
    with Acquisition.open(acquisition.folder):
        assert stopped.said("list") == ""
        assert "price locked, whole" in stopped.robot.did("buy", "list")

    # The key is shown: now it is for a complaint that time runs.
    stopped.seller.tend()
    (revealed,) = stopped.seller.states()
    assert isinstance(revealed, RevealedSwap)
    assert f"until block {revealed.record.complaint_height}:" in stopped.said("list")
    assert "its price" not in stopped.said("order", "--resume", offer.hex())
    assert stopped.said("list") == ""


def test_of_many_one_line_speaks_and_they_come_first(
    world: BuyersWorld, server: CommandServer, tmp_path: Path
) -> None:
    stopped = Stopped(tmp_path, world, server)
    offers = sorted(world.offered().offer for _ in range(3))
    # The first by name has nothing locked, and its seller is not there.
    begun = stopped.shelf.begin(Wish(offers[0], "training"))
    with begun, pytest.raises(AcquisitionCancelledError):
        acquire(begun, stopped.tools, cancelled=lambda: isinstance(begun.state, Granted))
    for offer in offers[1:]:
        stopped.buys(offer)
    first = min(
        each.record.complaint_height or each.record.reveal_height
        for each in stopped.seller.states()
        if isinstance(each, LockedSwap | RevealedSwap)
    )
    line = f"2 purchases: their prices are locked until block {first} or later"
    assert stopped.said("list") == f"{line}: quipu buy --resume\n"
    stopped.seller.tend()
    said = stopped.said("order", "--resume")
    going_on = re.findall(r"^going on with the purchase of (\w+)", said, re.MULTILINE)
    assert going_on == [each.hex()[:8] for each in (*offers[1:], offers[0])]
    assert "price" not in said
