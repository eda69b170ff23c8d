"""`quipu fleet up` with an exchange: a robot of the fleet buys into its own memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.ros.exchange_fleet import KEPT, check_kept, pool_of, write_fleet
from tests.ros.exchange_world import Acquiring, ExchangeWorld
from tests.ros.graph import Graph, ended, eventually
from tests.ros.ros_process import Ros

TOO_DEAR = 5


@pytest.fixture(autouse=True)
def _apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def graph(ros: Ros) -> Iterator[Graph]:
    """A peer on the fleet's domain."""
    with Graph(ros) as graph:
        yield graph


@pytest.fixture
def world(ros: Ros, tmp_path: Path, _apart: None) -> Iterator[ExchangeWorld]:
    """Sellers, and a chain that others may join."""
    with ExitStack() as held:
        yield ExchangeWorld(tmp_path, held, ros)


def test_a_fleets_robot_buys_into_its_memory(world: ExchangeWorld, graph: Graph) -> None:
    file, offered = write_fleet(world, world.root / "yard.yaml"), world.offered()
    dear = world.offered(chunk_price=1_000)
    home = file.with_suffix("") / "homes/r1"
    with world.storefront(), world.ros.start("quipu", "fleet", "up", file) as fleet:
        nodes = {"/gateway", "/storefront", "/settlement", "/r1/exchange", "/r1/memory"}
        eventually(lambda: nodes <= set(graph.ask("nodes")), lambda: fleet.output)
        assert "/r2/exchange" not in graph.ask("nodes")
        result = Acquiring(graph, "r1", offered).result()
        assert result["outcome"] == KEPT, (result, fleet.output)
        acquired = check_kept(home, result, world)
        # What the file lets each robot spend on one purchase is less than this one costs.
        result = Acquiring(graph, "r1", dear).result()
        assert result["outcome"] == TOO_DEAR, result
        # A goal for what is there already buys nothing.
        pool = world.balance(pool_of(world))
        again = Acquiring(graph, "r1", offered).result()
        assert (again["outcome"], again["record_id"]) == (KEPT, acquired.record_id.hex())
        assert world.balance(pool_of(world)) == pool
        assert ended(fleet, 2, 60.0) == 0, fleet.output
