"""A price is taken for returned only where that is proven: what was paid for is not let go."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.sale_end import Ending, SaleEnd
from ledger.errors import RefusedError
from ledger.exchange.swap_driver import where
from ledger.exchange.swap_payment import (
    AwaitingKey,
    BoughtSwap,
    EndNotShownError,
    ReturnedSwap,
)
from ledger.exchange.swap_purchase import BuyingStage
from tests.ledger.chain.rules.exchange_world import DEPOSIT, PRICE
from tests.ledger.exchange.swap_world import CONTENT, SELLING, SwapWorld, WorldChain, buy_until


class Withholding(WorldChain):
    """Shows neither key nor end, as long as it is told so; and hears from where it is asked."""

    def __init__(self, world: SwapWorld, key: bool, end: bool) -> None:
        super().__init__(world.world)
        self.transactions, self.results = world.chain.transactions, world.chain.results  # type: ignore[misc]
        self.key, self.end = key, end
        self.asked: list[int] = []

    def revealed_key(self, sale: bytes, hashed: bytes, from_height: int) -> bytes | None:
        self.asked.append(from_height)
        return super().revealed_key(sale, hashed, from_height) if self.key else None

    def ended(self, sale: bytes, from_height: int) -> SaleEnd | None:
        self.asked.append(from_height)
        return super().ended(sale, from_height) if self.end else None


@pytest.fixture
def world(tmp_path: Path) -> SwapWorld:
    """The price is locked, and the buyer away."""
    world = SwapWorld(tmp_path)
    buy_until(world, AwaitingKey)
    world.leave()
    return world


def stage(world: SwapWorld) -> BuyingStage:
    assert world.purchase is not None
    assert world.purchase.sale is not None
    return world.purchase.sale.stage


@pytest.mark.parametrize("shows_end", [False, True], ids=["no end", "the end"])
def test_what_was_paid_for_is_kept_until_the_key_is_shown(
    world: SwapWorld, shows_end: bool
) -> None:
    world.finish_seller()
    masked = (world.root / "bought" / "masked").stat().st_size
    world.buyer_chain = Withholding(world, key=False, end=shows_end)
    for _ in range(2):
        with pytest.raises(EndNotShownError) as not_shown:
            world.buy()
        assert isinstance(not_shown.value, RefusedError)
        assert "take the purchase up again" in not_shown.value.hint
        assert stage(world) is BuyingStage.LOCKING
    assert (world.root / "bought" / "masked").stat().st_size == masked > len(CONTENT)
    world.buyer_chain = world.chain
    assert isinstance(world.buy(), BoughtSwap)
    assert world.received() == CONTENT
    assert world.world.earned()[1] == -PRICE


def test_a_refund_that_is_not_shown_is_none_yet(world: SwapWorld) -> None:
    # Somebody else has asked for what is due.
    world.pass_blocks(SELLING.reveal_blocks)
    end = world.begin()
    refund = where(end)
    refund.refund()  # type: ignore[union-attr]
    end.chain = Withholding(world, key=True, end=False)
    with pytest.raises(EndNotShownError, match="does not say how it ended"):
        where(end)
    assert stage(world) is BuyingStage.LOCKING
    ended = world.buy()
    assert isinstance(ended, ReturnedSwap)
    assert ended.end is not None
    assert ended.end.ending is Ending.REFUNDED
    assert world.world.earned() == (-DEPOSIT, DEPOSIT)
    # Of one that is taken up later it is not looked for again.
    assert world.buy() == ReturnedSwap(world.purchase)  # type: ignore[arg-type]


def test_blocks_before_the_grant_are_not_asked_for(world: SwapWorld) -> None:
    world.finish_seller()
    end = world.begin()
    withholding = end.chain = Withholding(world, key=False, end=True)
    end.granted = 2
    with pytest.raises(EndNotShownError, match="the price was paid"):
        where(end)
    assert withholding.asked == [2, 2]
