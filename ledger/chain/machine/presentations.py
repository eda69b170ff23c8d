"""All presentations of a block verified together, before it is carried out.

What a presentation claims is read from the state before the block. If the block itself
changes that, say the fleet's issuer key, the rule has another claim, for which there is no
verdict here, and verifies it by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from ledger.chain.codes import RefusalError
from ledger.chain.presentation_claim import PresentationClaim
from ledger.chain.presentations import verify_claims
from ledger.chain.rules.registry import ACTIONS
from ledger.chain.transaction import Transaction
from ledger.chain.working_state import WorkingState

MAX_ANONYMOUS: Final = 64
"""Anonymous requests in a block. Whoever sends false ones pays nothing for them."""

MAX_REMEMBERED: Final = 4 * MAX_ANONYMOUS
"""Verdicts that are kept: of as many as may wait."""


class PresentationVerdicts:
    """Verifies what blocks present, and remembers the newest verdicts.

    A transaction that a block had no time for is not verified again for the next one.
    """

    def __init__(self, chain: bytes) -> None:
        self._chain = chain
        self._known: dict[PresentationClaim, bool] = {}

    def of(
        self, state: WorkingState, transactions: Iterable[Transaction]
    ) -> Mapping[PresentationClaim, bool]:
        """The verdicts on what a block's signed transactions present, by ``state`` before it.

        Raises RefusedError on a machine that cannot verify presentations.
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

    def _claims(
        self, state: WorkingState, transactions: Iterable[Transaction]
    ) -> Iterator[PresentationClaim]:
        for transaction in transactions:
            action = ACTIONS.get(transaction.action)
            if action is None or action.presents is None:
                continue
            try:
                action.check(transaction.message)
                yield action.presents(state, self._chain, transaction.body)
            except RefusalError:
                # The rule says why when its turn comes.
                continue
