"""Who gets nothing is told why in one line, and nobody was asked where that is clear."""

from __future__ import annotations

import pytest

from ledger.chain.codes import ResultCode
from ledger.market.buying import acquire
from ledger.market.refusal import GrantRefusedError
from tests.ledger.market.buyers_world import BuyersWorld


@pytest.mark.parametrize(
    ("level", "purpose", "words"),
    [
        (2, "training", "asks for a higher level than this member has"),
        (3, "resale", "does not let this member have this recording for this purpose"),
        (2, "resale", "does not let this member have this recording for this purpose"),
    ],
)
def test_a_level_that_is_too_low_is_told_from_a_wrong_purpose(
    world: BuyersWorld, level: int, purpose: str, words: str
) -> None:
    tools = world.tools(world.member_file(80 + 10 * level + len(purpose), level))
    with world.begin(world.offered().offer, purpose) as acquisition:
        with pytest.raises(GrantRefusedError, match=words) as refusal:
            acquire(acquisition, tools)
        assert refusal.value.code is ResultCode.POLICY_DENIES
        assert refusal.value.asked is False
        assert refusal.value.hint
