"""Prices in another asset than fees: each is paid in its own, and what is left of both is back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ledger.chain.genesis import Genesis
from ledger.chain.sponsorship import pool_account
from ledger.errors import RefusedError
from ledger.exchange.transport import NoSellerError
from ledger.market.acquisition_states import Abandoned
from ledger.market.budget import Budget, Limits
from ledger.market.buying import NotYetError, abandon, acquire
from ledger.schema.chain_payment_pb2 import Asset, Transfer
from ledger.schema.chain_pb2 import Allocation
from ledger.schema.chain_pb2 import Genesis as GenesisMessage
from tests.fleet import sharing_chain
from tests.fleet.sharing_chain import FEE, RICH
from tests.ledger.market.buyers_world import CHALLENGE_BLOCKS, BuyersWorld, Faulty

GOLD = 7


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BuyersWorld]:
    """A market whose chain has a second asset, of which the buyers' pool has some."""
    root, plain = tmp_path_factory.mktemp("market"), sharing_chain._genesis

    def with_gold(*rich: bytes) -> Genesis:
        message = GenesisMessage()
        message.CopyFrom(plain(*rich).message)
        message.assets.append(Asset(id=GOLD, symbol="AU", decimals=0))
        message.allocations.extend(
            Allocation(account=account, asset=GOLD, amount=RICH) for account in sorted(rich)
        )
        message.allocations.sort(key=lambda each: (each.account, each.asset))
        return Genesis.make(message)

    with pytest.MonkeyPatch.context() as patch, ExitStack() as held:
        patch.setenv("QUIPU_PUBLISHED", str(root / "published"))
        patch.setattr(sharing_chain, "_genesis", with_gold)
        made = BuyersWorld(root, held)
        pool = pool_account(made.buyers)
        made.must(made.authority, Transfer(asset=GOLD, recipient=pool, amount=1_000))
        yield made
        assert made.audit(made.homes).findings == ()


def gold(world: BuyersWorld) -> int:
    return world.proven.balance(pool_account(world.buyers), GOLD)


def test_prices_and_fees_of_two_assets(world: BuyersWorld) -> None:
    offered, member = world.offered(asset=GOLD, uses=5), world.member_file(1)
    budget = Budget.create(world.root / "gold" / "budget", Limits(total=106), GOLD)
    tools = world.tools(member, budget=budget)
    before, pool = gold(world), world.pool
    with world.begin(offered.offer) as acquisition:
        end = acquire(acquisition, tools)
    assert (end.spent, gold(world)) == (53, before - 53)
    assert world.pool == pool - 4 * FEE  # the request, the channel, and giving back of each
    assert world.earned(end.grant) == 53
    assert budget.standing().used() == 53

    way = Faulty(world, good=3)
    with world.begin(offered.offer) as acquisition:
        with pytest.raises(NoSellerError):
            acquire(acquisition, world.tools(member, budget=budget, way=lambda grant: way))
        with pytest.raises(NotYetError):
            abandon(acquisition, tools)
        world.pass_blocks(CHALLENGE_BLOCKS)
        assert abandon(acquisition, tools) == Abandoned(36)
    assert gold(world) == before - 53 - 36
    assert budget.standing().used() == 53 + 36

    plain = world.tools(member, budget=world.budget(total=1_000))
    with world.begin(offered.offer) as acquisition, pytest.raises(RefusedError, match="asset 7"):
        acquire(acquisition, plain)
