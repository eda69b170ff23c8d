"""All proofs of a block verified together, before it is carried out.

Those of members who do not say who they are, and those of offers' hidden qualities. What a
presentation claims is read from the state before the block. If the block itself
changes that, say the fleet's issuer key, the rule has another claim, for which there is no
verdict here, and verifies it by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ledger.chain.codes import RefusalError
from ledger.chain.presentations import Claim, verify_claims
from ledger.chain.rules.registry import ACTIONS
from ledger.chain.transaction import Transaction
from ledger.chain.working_state import WorkingState

MAX_ANONYMOUS: Final = 64
"""Anonymous requests in a block. Whoever sends false ones pays nothing for them."""

MAX_OFFERS: Final = 64
"""Offers of a block whose proofs are verified together; further ones each in its turn."""

MAX_REMEMBERED: Final = 4 * (MAX_ANONYMOUS + MAX_OFFERS)
"""Verdicts that are kept: of as many as four blocks have."""


class PresentationVerdicts:
    """Verifies what blocks present and prove, and remembers the newest verdicts.

    A transaction that a block had no time for is not verified again for the next one.
    """

    def __init__(self, chain: bytes) -> None:
        self._chain = chain
        self._known: dict[Claim, bool] = {}

    def of(self, state: WorkingState, transactions: Iterable[Transaction]) -> Mapping[Claim, bool]:
        """The verdicts on what a block's signed transactions prove, by ``state`` before it.

        Raises RefusedError on a machine that cannot verify proofs.
        """
        claims = list(self._claims(state, transactions))
        unknown = [claim for claim in claims if claim not in self._known]
        verdicts = {claim: self._known[claim] for claim in claims if claim in self._known}
        if unknown:
            verdicts |= zip(unknown, verify_claims(unknown), strict=True)
        if claims:
            newest = {**self._known, **verdicts}
            self._known = dict(list(newest.items())[-MAX_REMEMBERED:])
        return verdicts

    def _claims(self, state: WorkingState, transactions: Iterable[Transaction]) -> Iterator[Claim]:
        offers = 0
        for transaction in transactions:
            action = ACTIONS.get(transaction.action)
            if action is None or (action.presents is None and action.proves is None):
                continue
            claim: Claim | None = None
            try:
                action.check(transaction.message)
                if action.presents is not None:
                    claim = action.presents(state, self._chain, transaction.body)
                elif action.proves is not None and offers < MAX_OFFERS:
                    claim = action.proves(self._chain, transaction.signer, transaction.message)
                    offers += claim is not None
            except RefusalError:
                # The rule says why when its turn comes.
                continue
            if claim is not None:
                yield claim
