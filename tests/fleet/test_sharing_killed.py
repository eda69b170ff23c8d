"""A stream between fleets whose seller or buyer dies at every step, for a while or for good.

At each request, before it arrived and after its reply was made, one side ends or both do.
Nobody ever has more than one chunk at risk; whoever comes back goes on, and whoever is left
alone closes the channel and has what is its own.
"""

from __future__ import annotations

import pytest

from ledger.exchange.messages import Reply
from ledger.exchange.seller import OpenSale
from tests.fleet.sharing_chain import FEE
from tests.fleet.sharing_market import Offered, SharingMarket
from tests.fleet.stream_ends import CHALLENGE, StreamEnds
from zkproofs import credential as zk

STEPS = range(1, 6)
"""The opening, a request for each of three units, and one for the last secret."""


class KilledError(Exception):
    """Where a process of the test ends."""


class Deadly:
    """A way to the seller on which the k-th request, or its reply, is the last."""

    def __init__(self, ends: StreamEnds, kth: int, after: bool) -> None:
        self.ends, self.kth, self.after = ends, kth, after

    def ask(self, request: bytes) -> Reply:
        self.kth -= 1
        if not self.kth and not self.after:
            raise KilledError
        reply = self.ends.ask(request)
        if not self.kth:
            raise KilledError
        return reply


@pytest.fixture(scope="module")
def offered(market: SharingMarket) -> Offered:
    return market.offered(uses=200)


@pytest.fixture(scope="module")
def member(market: SharingMarket) -> zk.Credential:
    return market.member(robot_id=501)


def dead(ends: StreamEnds, kth: int, after: bool) -> None:
    """Trade until somebody dies, and see what is at risk."""
    with pytest.raises(KilledError):
        ends.buy(Deadly(ends, kth, after))
    grant, kept = ends.bought.grant, ends.purchase.kept
    sale = ends.counter.sale(grant.grant)
    earned = sale.earned if sale is not None else 0
    assert earned <= ends.payer.paid <= grant.price_of(min(kept + 1, grant.count))
    # All that the seller gave away, it was paid for.
    assert earned >= grant.price_of(kept)


@pytest.mark.parametrize(
    ("side", "links"),
    [("buyer", False), ("buyer", True), ("seller", False), ("seller", True), ("both", False)],
)
def test_a_side_that_dies_at_any_step_goes_on(
    market: SharingMarket, member: zk.Credential, offered: Offered, side: str, links: bool
) -> None:
    for kth in STEPS:
        # Each step in one mode before its request, in the other after its reply.
        ends = StreamEnds(market, member, offered, links)
        dead(ends, kth, after=(kth % 2 == 0) is links)
        if side != "buyer":
            ends.restart_seller()
        if side != "seller":
            ends.restart_buyer()
        ends.buy()
        assert ends.content() == market.husky.content
        ends.seller_closes()
        assert ends.spent == ends.bought.grant.price
        assert market.balance(market.seller_account) == ends.seller_had + ends.spent - FEE
        ends.close()


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "reply lost"])
def test_a_buyer_that_never_comes_back_paid_for_what_it_has(
    market: SharingMarket, member: zk.Credential, offered: Offered, after: bool
) -> None:
    for kth in STEPS:
        ends = StreamEnds(market, member, offered)
        dead(ends, kth, after)
        ends.leave()
        sale = ends.counter.sale(ends.bought.grant.grant)
        if not isinstance(sale, OpenSale):
            # It never asked: only the channel's expiry gives the deposit back.
            assert (kth, after) == (1, False)
            continue
        kept = ends.purchase.kept
        ends.restart_seller()
        assert ends.counter.resume(ends.bought.grant.grant) is not None
        ends.seller_closes()
        grant = ends.bought.grant
        # The seller has what was paid, the rest is the one-time key's again.
        assert grant.price_of(kept) <= ends.spent <= grant.price_of(min(kept + 1, grant.count))
        assert market.balance(market.seller_account) == ends.seller_had + ends.spent - FEE
        ends.counter.close()


@pytest.mark.parametrize("after", [False, True], ids=["request lost", "reply lost"])
def test_a_seller_that_never_comes_back_costs_one_chunk_at_most(
    market: SharingMarket, member: zk.Credential, offered: Offered, after: bool
) -> None:
    for kth in STEPS:
        ends = StreamEnds(market, member, offered)
        dead(ends, kth, after)
        ends.counter.close()
        ends.restart_buyer()
        grant, kept, paid = ends.bought.grant, ends.purchase.kept, ends.payer.paid
        ends.buyer_closes()
        assert ends.spent == paid
        assert paid - grant.price_of(kept) in (0, grant.price_of(kept + 1) - grant.price_of(kept))
        gained = market.balance(market.seller_account) - ends.seller_had
        assert gained == paid + CHALLENGE + 1  # and what the blocks were made with
        ends.purchase.close()
