"""Nodes that trade, started again, are shown an older copy of their chain: all refuse it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from ledger.chain.engines.embedded import EmbeddedEngine
from ledger.chain.engines.server import ChainServer
from ledger.chain.engines.settings import EngineSettings
from tests.ros.exchange_world import GATEWAY, Acquiring, ExchangeWorld
from tests.ros.graph import Graph
from tests.ros.ros_process import Ros

BOUGHT, FAILED = 2, 8
UNAVAILABLE = 3
OLDER = "are of one history"
FUND = "quipu_interfaces/srv/FundGrant"


@pytest.fixture
def world(ros: Ros, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeWorld]:
    """Sellers, buyers and their chain."""
    monkeypatch.setenv("QUIPU_PUBLISHED", str(tmp_path / "published"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with ExitStack() as held:
        yield ExchangeWorld(tmp_path, held, ros)


@contextmanager
def served(copy: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A chain's home as it was when it was copied, at a socket of its own."""
    with monkeypatch.context() as patched, ExitStack() as held:
        # Its operator means to: what it published later does not hold it back.
        patched.setenv("QUIPU_PUBLISHED", str(copy.with_suffix(".published")))
        settings = EngineSettings(block_period_s=0.0, signature_processes=0)
        engine = held.enter_context(EmbeddedEngine.open(copy, settings))
        socket = copy.with_suffix(".sock")
        held.callback(ChainServer(engine, socket).close)
        yield socket


def test_no_node_believes_an_older_chain_than_it_has_seen(
    world: ExchangeWorld, ros: Ros, monkeypatch: pytest.MonkeyPatch
) -> None:
    offered, member, older = world.offered(), world.enrolled(1), world.root / "older"
    shutil.copytree(world.root / "chain", older)
    with (
        world.storefront(),
        world.gateway(),
        world.buyer("r1", member),
        Graph(ros) as graph,
    ):
        bought = Acquiring(graph, "r1", offered).result()
        assert bought["outcome"] == BOUGHT
    for folder in (world.sales, world.root / "paid", world.purchases("r1")):
        assert (folder / f"{world.chain.hex()}.head").is_file()
    with served(older, monkeypatch) as socket:
        shown = {"chain.socket": str(socket)}
        with (
            world.storefront(**shown) as selling,
            world.gateway(**shown),
            world.buyer("r1", member, **shown),
            Graph(ros) as graph,
        ):
            assert OLDER in selling.output
            assert "sells for" not in selling.output
            result = Acquiring(graph, "r1", offered, again=True).result()
            assert result["outcome"] == FAILED, result
            assert OLDER in result["error_msg"]
            grant = {"grant": bought["grant"], "account": "00" * 32, "asset": 0, "amount": 1}
            answer = graph.call(f"{GATEWAY}/fund_grant", FUND, **grant)
            assert answer["error_code"] == UNAVAILABLE
            assert OLDER in answer["error_msg"]
