"""How long a buyer has for its complaint: the longer, the more units it has to look through."""

from __future__ import annotations

from pathlib import Path

import pytest

from ledger.chain.genesis import MAX_BLOCKS
from ledger.errors import RefusedError
from ledger.exchange import swap_chain
from ledger.exchange.swap_chain import BuyingTerms, SellingTerms, complaint_window
from ledger.exchange.swap_payment import BoughtSwap
from tests.ledger.chain.rules.exchange_world import UNITS
from tests.ledger.exchange.swap_world import BUYING, SELLING, SwapWorld, proposals

GIB = 4_096
"""Units."""
BLOCK_S, SLOW_UNIT_S = 0.2, 0.0125
"""An engine that makes blocks as fast as it does, and 20 MiB a second."""


def test_many_units_get_more_blocks() -> None:
    assert complaint_window(20, 1) == 20
    assert complaint_window(20, GIB) == 276
    for count in (GIB // 4, GIB, 64 * GIB):
        assert (complaint_window(20, count) - 20) * BLOCK_S >= count * SLOW_UNIT_S
    assert complaint_window(20, 10**12) == MAX_BLOCKS


@pytest.mark.parametrize("count", [1, 15, 16, 1_599, 1_600, GIB, 1_000 * GIB])
def test_what_a_seller_proposes_by_itself_is_what_a_buyer_agrees_to(count: int) -> None:
    least = BuyingTerms(least_complaint_blocks=20).least_complaint_blocks_of(count)
    assert SellingTerms().complaint_blocks_of(count) >= least


def test_a_window_that_is_too_short_for_the_size_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(swap_chain, "_UNITS_A_BLOCK", 2)
    world = SwapWorld(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(SellingTerms, "complaint_blocks_of", lambda terms, _: terms.complaint_blocks)
        with pytest.raises(RefusedError, match="leaves 6 blocks for complaints; 8 at least for 5"):
            world.buy()
    assert world.purchase is not None
    assert world.purchase.sale is None


def test_both_reckon_by_the_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(swap_chain, "_UNITS_A_BLOCK", 2)
    world = SwapWorld(tmp_path)
    assert isinstance(world.buy(), BoughtSwap)
    (proposal,) = proposals(world)
    assert proposal.complaint_blocks == SELLING.complaint_blocks + UNITS // 2
    assert BUYING.least_complaint_blocks == SELLING.complaint_blocks
