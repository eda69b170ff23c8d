"""A buyer that pays out of its own wallet: exactly, once, and what is left is its own again."""

from __future__ import annotations

from ledger.market.acquisition_states import Closed
from ledger.market.buying import acquire
from ledger.market.own_funding import OwnFunding
from tests.fleet.sharing_chain import FEE
from tests.ledger.market.buyers_world import BuyersWorld


def test_the_wallet_pays_the_price_and_its_fees_and_no_more(world: BuyersWorld) -> None:
    wallet = world.buyers_wallet
    own = OwnFunding(world.proven, wallet, world.root / world.name("own"))
    offered = world.offered()
    member = world.member_file(71)
    before, pool = world.balance(wallet.account), world.pool
    with world.begin(offered.offer) as acquisition:
        end = acquire(acquisition, world.tools(member, funding=own, rest_to=wallet.account))
    assert isinstance(end, Closed)
    # The request is the pool's to pay, and nothing of what the wallet paid went there.
    assert world.pool == pool - FEE
    assert world.balance(wallet.account) == before - end.spent - FEE
    assert end.spent == end.grant.price + 2 * FEE
    # Asked again it pays nothing more.
    sequence = world.sequence(wallet.account)
    own.fund(end.grant.grant, end.grant.buyer, end.grant.asset, end.grant.price)
    assert world.sequence(wallet.account) == sequence
