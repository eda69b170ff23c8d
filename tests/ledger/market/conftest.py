"""A market of two fleets for the tests of the buying side; see `tests.fleet.sharing_market`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ledger.credentials.member_file import MemberFile
from ledger.exchange.swap_seller import EndedSwap
from tests.fleet.sharing_market import Offered
from tests.ledger.market.buyers_world import BuyersWorld
from tests.ledger.market.whole_seller import SELLING, WholeSeller
from tests.ledger.market.whole_trade import Trade


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuyersWorld]:
    """Two fleets, their chain at work, a recording to sell, and an audit at the end."""
    root = tmp_path_factory.mktemp("market")
    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        made = BuyersWorld(root, held)
        yield made
        assert made.audit(made.homes).findings == ()


@pytest.fixture
def seller(world: BuyersWorld) -> Iterator[WholeSeller]:
    """Of whole contents, beside the one of streams."""
    made = WholeSeller(world)
    yield made
    made.is_away = made.has_no_time = False
    # What is left of its sales ends, so that the books of the next test begin even.
    for _ in range(3):
        if all(isinstance(each, EndedSwap) for each in made.states()):
            break
        world.pass_blocks(SELLING.lock_blocks + 1)
        made.tend()
    assert all(isinstance(each, EndedSwap) for each in made.states())


@pytest.fixture
def trade(seller: WholeSeller, member: MemberFile, offered: Offered) -> Iterator[Trade]:
    """Of what the module has `offered` to its `member`."""
    made = Trade(seller, member, offered)
    yield made
    made.acquisition.close()
