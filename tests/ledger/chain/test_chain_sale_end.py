"""How a sale ended, told from the results of the rules' own transactions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ledger.chain.result import Result
from ledger.chain.sale_end import Ending, SaleEnd, sale_end
from ledger.schema.chain_exchange_pb2 import (
    LockSale,
    ProposeSale,
    RefundSale,
    RevealKey,
    SettleSale,
)
from tests.ledger.chain.rules.chain_world import account_of
from tests.ledger.chain.rules.exchange_world import (
    ANYBODY,
    COMPLAINT,
    DEPOSIT,
    LOCK,
    PRICE,
    REVEAL,
    ROYALTIES,
    ExchangeWorld,
)
from tests.ledger.exchange.fairswap_world import KEY

Step = Callable[[ExchangeWorld], Result]
SHARES = tuple((account, PRICE * parts // 10_000) for account, parts in ROYALTIES)


def propose(world: ExchangeWorld) -> Result:
    message: ProposeSale = world.proposal()
    return world.do(world.seller, message)


def lock(world: ExchangeWorld) -> Result:
    return world.do(world.buyer, LockSale(sale=world.sale))


def reveal(world: ExchangeWorld) -> Result:
    return world.do(world.seller, RevealKey(sale=world.sale, key=KEY))


def settle(world: ExchangeWorld) -> Result:
    world.advance(COMPLAINT + 1)
    return world.do(ANYBODY, SettleSale(sale=world.sale))


def complain(world: ExchangeWorld) -> Result:
    complaint = world.complaint(0)
    return world.do(ANYBODY, complaint.message, given=[complaint.attachment])


def refund(world: ExchangeWorld) -> Result:
    world.advance(max(LOCK, REVEAL) + 1)
    return world.do(ANYBODY, RefundSale(sale=world.sale))


def spoil(masked: list[bytes]) -> None:
    masked[0] = bytes([masked[0][0] ^ 1]) + masked[0][1:]


@pytest.mark.parametrize(
    ("steps", "expected", "lost"),
    [
        ((propose, lock, reveal, settle), (Ending.SETTLED, PRICE, SHARES), 0),
        ((propose, lock, reveal, complain), (Ending.COMPLAINED, PRICE + DEPOSIT, ()), DEPOSIT),
        ((propose, lock, refund), (Ending.REFUNDED, PRICE + DEPOSIT, ()), DEPOSIT),
        ((propose, refund), (Ending.REFUNDED, DEPOSIT, ()), 0),
        ((propose, lock, reveal), None, 0),
        ((propose,), None, 0),
    ],
    ids=["settled", "complained", "no key", "nobody locked", "key is out", "proposed"],
)
def test_each_end(
    steps: tuple[Step, ...], expected: tuple[Ending, int, tuple[tuple[bytes, int], ...]], lost: int
) -> None:
    world = ExchangeWorld(spoil) if complain in steps else ExchangeWorld()
    results = []
    for step in steps:
        results.append(step(world))
        assert results[-1].code == 0
        world.advance()
    end = sale_end(world.sale, results)
    seller = account_of(world.seller)
    if expected is None:
        assert end is None
        return
    assert end == SaleEnd(*expected, DEPOSIT)
    assert end.lost(PRICE) == lost
    royalties = sum(share for _, share in end.royalties)
    assert (end.paid, end.earned_by(seller)) == (
        (PRICE, PRICE - royalties) if end.ending is Ending.SETTLED else (0, 0)
    )
    # A share of the seller's own is no loss; another sale's end is none of this one.
    assert end.earned_by(SHARES[0][0]) == end.earned_by(seller) + dict(end.royalties).get(
        SHARES[0][0], 0
    )
    assert sale_end(bytes(32), results) is None


def test_a_deposit_as_high_as_the_price() -> None:
    """Whether anybody had locked follows from the proposal's deposit."""
    world = ExchangeWorld(deposit=PRICE)
    results = [propose(world), refund(world)]
    end = sale_end(world.sale, results)
    assert end is not None
    assert end.lost(PRICE) == 0
