"""`quipu fleet up` with an exchange: a robot of the fleet buys into its own memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from ledger.chain.fleets import fleet_id
from ledger.chain.sponsorship import pool_account
from ledger.experience.entry import parse_entry
from ledger.experience.kinds import Acquisition
from ledger.experience.restore import restore
from ledger.home import open_home
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.wallet.wallet import Wallet
from tests.ros.exchange_world import Acquiring, ExchangeWorld
from tests.ros.graph import Graph, ended, eventually
from tests.ros.ros_process import Ros

KEPT, TOO_DEAR = 1, 5


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


def write_fleet(world: ExchangeWorld) -> Path:
    """A fleet of two robots on the sellers' chain; one of them buys."""
    directory = world.root / "yard"
    directory.mkdir()
    authority = Wallet.create(directory / "wallets" / "authority").account
    world.must(world.seller, Transfer(recipient=authority, amount=100_000))
    file = world.root / "yard.yaml"
    file.write_text(
        f"""\
fleet: example.com/yard
directory: {directory}
domain_id: {world.ros.domain}
discovery: localhost
engine: {{settlement: {world.socket}, trust: {world.trust_file}, fleet: yard}}
exchange:
  domain_id: {world.market.domain}
  level: 3
  spend: {{purchase: 100}}
quorum: none
topics: [/nothing]
robots:
  - name: r1
  - name: r2
    exchange: false
"""
    )
    said = json.loads(world.ros.run("quipu", "fleet", "init", file, "--json"))
    assert said["settlement"]["enrolled"] == ["r1"]
    world.must(world.seller, Transfer(recipient=pool_of(world), amount=100_000))
    return file


def pool_of(world: ExchangeWorld) -> bytes:
    """The account of the fleet's pool."""
    return pool_account(fleet_id(world.chain, "yard"))


def test_a_fleets_robot_buys_into_its_memory(world: ExchangeWorld, graph: Graph) -> None:
    file, offered = write_fleet(world), world.offered()
    dear = world.offered(chunk_price=1_000)
    home = world.root / "yard/homes/r1"
    with world.storefront(), world.ros.start("quipu", "fleet", "up", file) as fleet:
        nodes = {"/gateway", "/storefront", "/settlement", "/r1/exchange", "/r1/memory"}
        eventually(lambda: nodes <= set(graph.ask("nodes")), lambda: fleet.output)
        assert "/r2/exchange" not in graph.ask("nodes")
        result = Acquiring(graph, "r1", offered).result()
        assert result["outcome"] == KEPT, (result, fleet.output)
        with open_home(home) as reader:
            entries = [parse_entry(reader.log.entry(at)).kind for at in range(reader.log.size)]
            (acquired,) = (each for each in entries if isinstance(each, Acquisition))
            assert acquired.record_id.hex() == result["record_id"]
            assert acquired.grant.hex() == result["grant"]
            restored = restore(reader.experiences, acquired.record_id, world.root / "restored")
            whole = b"".join(path.read_bytes() for path in restored.paths)
        assert whole == world.husky.content
        # What the file lets each robot spend on one purchase is less than this one costs.
        result = Acquiring(graph, "r1", dear).result()
        assert result["outcome"] == TOO_DEAR, result
        # A goal for what is there already buys nothing.
        pool = world.balance(pool_of(world))
        again = Acquiring(graph, "r1", offered).result()
        assert (again["outcome"], again["record_id"]) == (KEPT, acquired.record_id.hex())
        assert world.balance(pool_of(world)) == pool
        assert ended(fleet, 2, 60.0) == 0, fleet.output
