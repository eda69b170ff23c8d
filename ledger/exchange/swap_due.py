"""What is due on the chain for a seller's atomic sales, many at a time.

All its buyers can lock in one block, and each key has the same few blocks then. So keys go
together, the one whose time ends first in front, and wait for one block; what costs nobody
anything while it waits, refunds and settlements, goes together after them.

Nothing of this is on disk: what is due is due until the chain has it. A key that was shown
just before a crash is shown again at most, and the chain refuses that for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from ledger.chain.codes import ResultCode
from ledger.exchange.swap_seller import (
    LockedSwap,
    PreparedSwap,
    ProposedSwap,
    RevealedSwap,
    SwapDesk,
    SwapState,
    locked,
)

_ROUNDS: Final = 4
_OUT_OF_TURN: Final = (ResultCode.SEQUENCE_PAST, ResultCode.SEQUENCE_AHEAD)
"""Not refused for what it asks: another transaction of the account came or failed before it."""

DueSwap: TypeAlias = LockedSwap | ProposedSwap | RevealedSwap


def may_lock(state: SwapState) -> bool:
    """Whether the key of a sale that was seen so last may be due now, or later."""
    return isinstance(state, PreparedSwap | ProposedSwap | LockedSwap)


def keys_due(desk: SwapDesk, states: Iterable[SwapState]) -> list[LockedSwap]:
    """The sales whose key is to be shown now, that whose time ends first in front."""
    height = desk.chain.height()
    found = (locked(desk, each.row) for each in states if may_lock(each))
    due = [each for each in found if each is not None and each.is_due(height)]
    return sorted(due, key=lambda each: (each.record.reveal_height, each.row.sale))


def money_due(states: Iterable[SwapState], height: int) -> list[ProposedSwap | RevealedSwap]:
    """The sales whose deposit or price comes for the asking at this height."""
    return [
        each
        for each in states
        if isinstance(each, ProposedSwap | RevealedSwap) and each.is_due(height)
    ]


def carry_out(desk: SwapDesk, due: Sequence[DueSwap]) -> None:
    """Submit what each asks for, in this order, and wait for the block.

    What does not come into it, for another transaction of the account or a refusal of one in
    front, is tried again a few times, and then is the next turn's. Raises as the chain does.
    """
    left: Sequence[DueSwap] = due
    for _ in range(_ROUNDS):
        height = desk.chain.height()
        left = [each for each in left if each.is_due(height)]
        if not left:
            return
        codes = desk.chain.submit_all(desk.wallet, [each.body(height) for each in left])
        left = [each for each, code in zip(left, codes, strict=True) if code in _OUT_OF_TURN]
