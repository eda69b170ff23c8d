"""Transactions of one account that are submitted together, one sequence after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from ledger.chain.codes import ResultCode

_ROUNDS: Final = 4

Name = TypeVar("Name")
Wanted = TypeVar("Wanted")


def submit_in_turn(
    wanted: Mapping[Name, Wanted],
    sequence: int,
    submit: Callable[[Mapping[Name, Wanted], int], Mapping[Name, ResultCode]],
) -> None:
    """Have all that is wanted wait for a block, behind what waits of the account already.

    ``submit`` signs with this sequence and the following ones, submits, and says what was
    refused, by name. What was refused because somebody else's transaction of this account has
    its sequence, goes behind that: a few times, and then it is to be wanted again later.
    """
    for _ in range(_ROUNDS):
        if not wanted:
            return
        refused = submit(wanted, sequence)
        sequence += len(wanted)
        wanted = {
            name: wanted[name] for name, code in refused.items() if code is ResultCode.SEQUENCE_PAST
        }
