"""Who complains too late hears what became of its money, whoever else has complained before."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.codes import ResultCode
from ledger.errors import RefusedError
from ledger.exchange.swap_driver import where
from ledger.exchange.swap_payment import (
    AwaitingKey,
    LateComplaintError,
    OpeningUnits,
    ReturnedSwap,
)
from ledger.exchange.swap_purchase import SwapPurchase
from ledger.exchange.swap_seller import RevealedSwap
from ledger.schema.chain_exchange_pb2 import SettleSale
from tests.ledger.chain.rules.chain_world import name_attachments
from tests.ledger.chain.rules.exchange_world import ANYBODY, DEPOSIT, PRICE
from tests.ledger.exchange.swap_world import SELLING, SwapWorld, buy_until, cheating

ROYALTIES = 17 + 53
WRONG = 2


@pytest.fixture
def world(tmp_path: Path) -> SwapWorld:
    """The cheat's key is out, and its buyer is away."""
    world = cheating(tmp_path, WRONG)
    buy_until(world, AwaitingKey)
    world.leave()
    (state,) = world.counter.tend()
    assert isinstance(state, RevealedSwap)
    return world


def complain_for(world: SwapWorld) -> None:
    """Somebody else complains, who has the unit too."""
    state = world.counter.swap(world.grant_id)
    assert isinstance(state, RevealedSwap)
    world.leave()
    purchase = SwapPurchase.open(world.root / "bought")
    assert purchase.units is not None
    complaint = purchase.units.revealed(state.row.key).complain(WRONG, purchase.masked_unit(WRONG))
    purchase.close()
    given = [complaint.attachment]
    signed = world.world.sign(ANYBODY, complaint.message, attachments=name_attachments(given))
    assert world.chain.submit(signed, given) is ResultCode.OK


@pytest.mark.parametrize("has_key", [False, True], ids=["away all the time", "with the key"])
def test_the_money_is_back_where_somebody_else_complained(world: SwapWorld, has_key: bool) -> None:
    if has_key:
        assert isinstance(where(world.begin()), OpeningUnits)
    complain_for(world)
    world.pass_blocks(2 * SELLING.complaint_blocks)
    for _ in range(2):
        ended = world.buy()
        assert isinstance(ended, ReturnedSwap)
    assert ended.purchase.opened.kept == 0
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)


def test_the_price_is_lost_where_it_was_settled(world: SwapWorld) -> None:
    state = world.counter.swap(world.grant_id)
    assert state is not None
    world.pass_blocks(SELLING.complaint_blocks + 1)
    # Not yet, and soon.
    with pytest.raises(LateComplaintError, match="over") as late:
        world.buy()
    assert "price is lost" in late.value.hint
    settle = world.world.sign(ANYBODY, SettleSale(sale=state.row.sale))
    assert world.chain.submit(settle) is ResultCode.OK
    with pytest.raises(LateComplaintError, match="over"):
        world.buy()
    assert world.world.earned() == (PRICE - ROYALTIES, -PRICE)


def test_nothing_is_said_of_an_end_that_is_not_shown(
    world: SwapWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    complain_for(world)
    with monkeypatch.context() as patch:
        patch.setattr(world.chain, "ended", lambda sale, from_height: None)
        with pytest.raises(RefusedError, match="does not say how it ended"):
            world.buy()
    assert isinstance(world.buy(), ReturnedSwap)
