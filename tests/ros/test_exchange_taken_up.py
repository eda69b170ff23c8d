"""A robot that was killed while its price is locked goes on by itself, with nobody's goal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.chain.state_keys import sale_key
from ledger.exchange.swap_purchase import BuyingStage, ChosenSale, chosen_sale
from ledger.home import create_home, open_home
from ledger.market.acquisition import Acquisition
from ledger.market.acquisition_states import Abandoned, Kept, Swapping
from ledger.schema.chain_exchange_pb2 import SaleRecord
from tests.fleet.sharing_chain import FEE
from tests.fleet.test_sharing_atomic import DEPOSIT
from tests.ros.exchange_world import Acquiring, ExchangeWorld
from tests.ros.graph import Graph, eventually
from tests.ros.ros_process import ROOT, Ros

WHOLE = 1
MORTAL = ROOT / "tests/ros/mortal_buyer.py"


@pytest.fixture
def world(ros: Ros, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeWorld]:
    """Sellers, buyers and their chain."""
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as held:
        yield ExchangeWorld(tmp_path, held, ros)


def killed_while_locked(world: ExchangeWorld, member: Path, **parameters: str) -> Path:
    """The folder of a purchase whose buyer is not there any more."""
    offered = world.offered()
    with Graph(world.ros) as graph, world.buyer("r1", member, MORTAL, "locked", **parameters) as r1:
        Acquiring(graph, "r1", offered, mode=WHOLE)
        r1.wait(60.0)
    (folder,) = world.folders("r1")
    assert isinstance(Acquisition.look(folder)[1], Swapping)
    assert sale_of(folder).stage is BuyingStage.LOCKING
    return folder


def sale_of(folder: Path) -> ChosenSale:
    sale = chosen_sale(folder / "purchase")
    assert sale is not None
    return sale


def besides(graph: Graph) -> str | None:
    """How many purchases the exchange node says that it goes on with, when it spoke last."""
    for array in reversed(graph.heard("/diagnostics")):
        for status in array["status"]:
            for value in status["values"]:
                if status["name"].endswith(": exchange") and value["key"] == "besides":
                    return str(value["value"])
    return None


def test_the_recording_is_in_the_home(world: ExchangeWorld) -> None:
    home = world.root / "kea"
    create_home(home, "buyers.example/kea")
    member = world.enrolled(1)
    with world.storefront(), world.gateway():
        folder = killed_while_locked(world, member, home=str(home))
        with world.buyer("r1", member, home=str(home)) as r1:
            eventually(lambda: isinstance(Acquisition.look(folder)[1], Kept), lambda: r1.output)
            eventually(lambda: "is over: kept" in r1.output, lambda: r1.output)
    kept = Acquisition.look(folder)[1]
    assert isinstance(kept, Kept)
    assert world.content_of(folder) == world.husky.content
    with open_home(home) as reader:
        assert len(reader.experiences.tables.provenance(kept.grant.grant)) == 1


def test_a_cheat_is_complained_of(world: ExchangeWorld) -> None:
    pool, member = world.pool, world.enrolled(1)
    with world.storefront(cheats=True), world.gateway():
        folder = killed_while_locked(world, member)
        # Its key is there, and nobody has complained of it.
        key = sale_key(sale_of(folder).sale)

        def is_shown() -> bool:
            record = world.proven.read(SaleRecord, key)
            return record is not None and bool(record.key)

        eventually(is_shown)
        assert world.pool < pool
        with world.buyer("r1", member) as r1:
            eventually(
                lambda: isinstance(Acquisition.look(folder)[1], Abandoned), lambda: r1.output
            )
            eventually(lambda: "the seller cheats" in r1.output, lambda: r1.output)
            with Graph(world.ros) as graph:
                graph.listen("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", latched=False)
                eventually(lambda: besides(graph) == "0", lambda: r1.output)
    assert world.proven.read(SaleRecord, key) is None
    # The price and the deposit; the fees of request, funding, lock, complaint and paying back.
    assert pool + DEPOSIT - 6 * FEE <= world.pool < pool + DEPOSIT
