"""What came of the transactions that were decided lately, by their ids.

The newest blocks are kept in memory with what was dropped beside them, so that the many who
wait for a block need not read it. For one thread at a time: its engine holds a lock.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from ledger.chain.codes import ResultCode
from ledger.chain.engines.service import Dropped, Inclusion
from ledger.chain.machine.proposal import Finalized
from ledger.chain.result import Result

MOST_INCLUDED: Final = 100_000
MOST_DROPPED: Final = 10_000


class Included(NamedTuple):
    """Where a transaction is, and its encoded result."""

    height: int
    transaction: bytes
    result: bytes

    def inclusion(self) -> Inclusion:
        """The same, read. Raises MalformedError."""
        # A result of success without events is its id alone.
        if self.result == Result(self.transaction, ResultCode.OK).encode():
            return Inclusion(self.transaction, self.height, ResultCode.OK)
        result = Result.parse(self.result)
        return Inclusion(result.transaction, self.height, result.code, result.events)


class Outcomes:
    """The newest decisions; older blocks are in the store."""

    def __init__(self) -> None:
        self._blocks: deque[Finalized] = deque()
        self._block_of: dict[bytes, tuple[Finalized, int]] = {}
        self._dropped: OrderedDict[bytes, Dropped] = OrderedDict()

    def include(self, block: Finalized) -> None:
        """Note what a durable block holds."""
        self._blocks.append(block)
        for place, transaction in enumerate(block.ids):
            self._block_of[transaction] = block, place
        while len(self._block_of) > MOST_INCLUDED and len(self._blocks) > 1:
            for transaction in self._blocks.popleft().ids:
                self._block_of.pop(transaction, None)

    def drop(self, dropped: Sequence[Dropped]) -> None:
        """Note that transactions are in no block."""
        for each in dropped:
            self._dropped[each.transaction] = each
            if len(self._dropped) > MOST_DROPPED:
                self._dropped.popitem(last=False)

    def forget_dropped(self, transaction: bytes) -> None:
        """Forget that a transaction was dropped: it waits once more."""
        self._dropped.pop(transaction, None)

    def find(self, transaction: bytes) -> Included | Dropped | None:
        """What came of a transaction, or None where that is not remembered."""
        found = self._block_of.get(transaction)
        if found is None:
            return self._dropped.get(transaction)
        block, place = found
        return Included(block.header.height, transaction, block.results[place])
