"""All presentations of a block verified together, before it is carried out.

What a presentation claims is read from the state before the block. If the block itself
changes that, say the fleet's issuer key, the rule has another claim, for which there is no
verdict here, and verifies it by itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ledger.chain.codes import RefusalError
from ledger.chain.presentation_claim import PresentationClaim
from ledger.chain.presentations import verify_claims
from ledger.chain.rules import ACTIONS
from ledger.chain.transaction import Transaction
from ledger.chain.working_state import WorkingState

MAX_ANONYMOUS: Final = 64
"""Anonymous requests in a block. Whoever sends false ones pays nothing for them."""


def verify_presentations(
    chain: bytes, state: WorkingState, transactions: Iterable[Transaction]
) -> dict[PresentationClaim, bool]:
    """The verdicts on what a block's signed transactions present, by ``state`` before it.

    Raises RefusedError on a machine that cannot verify presentations.
    """
    claims: list[PresentationClaim] = []
    for transaction in transactions:
        action = ACTIONS.get(transaction.action)
        if action is None or action.presents is None:
            continue
        try:
            action.check(transaction.message)
            claims.append(action.presents(state, chain, transaction.body))
        except RefusalError:
            # The rule says why when its turn comes.
            continue
    return dict(zip(claims, verify_claims(claims), strict=True)) if claims else {}
