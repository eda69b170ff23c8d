"""The chain as either side of an atomic sale asks it: records with their proofs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.engines.service import BlockEvents
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.result import Result
from ledger.chain.sale_end import SaleEnd, sale_end
from ledger.chain.state_keys import sale_key
from ledger.errors import NotFoundError
from ledger.exchange.swap_chain import find_key
from ledger.schema.chain_exchange_pb2 import SaleRecord
from ledger.schema.chain_pb2 import EVENT_KIND_KEY_REVEALED


class ProvenSwapChain:
    """A `ledger.exchange.swap_chain.SwapChain`. Methods raise as `ProvenChain` does."""

    def __init__(self, chain: ProvenChain) -> None:
        self._chain: Final = chain

    @property
    def chain(self) -> bytes:
        """Its id, 32 bytes."""
        return self._chain.chain

    def height(self) -> int:
        """The height that is proven now."""
        return self._chain.height()

    def sequence(self, account: bytes) -> int:
        """How many transactions of an account were carried out."""
        return self._chain.sequence(account)

    def sale(self, sale: bytes) -> SaleRecord | None:
        """The record of a sale, or None for one that is not there, or no more."""
        return self._chain.read(SaleRecord, sale_key(sale))

    def revealed_key(self, sale: bytes, hashed: bytes, from_height: int) -> bytes | None:
        """The key of a sale that has ended, out of the blocks from a height on.

        Blocks are the engine's word, which may keep the key back; the key is proven by the
        hash that was locked.
        """
        for block in self._blocks(from_height):
            if any(
                event.kind == EVENT_KIND_KEY_REVEALED and event.subject == sale
                for result in block.results
                for event in result.events
            ):
                try:
                    transactions = self._chain.block(block.height).transactions
                except NotFoundError:
                    continue
                key = find_key(self.chain, transactions, sale, hashed)
                if key is not None:
                    return key
        return None

    def ended(self, sale: bytes, from_height: int) -> SaleEnd | None:
        """How a sale ended, looked for in blocks from a height on; None for one that has not.

        Blocks, which are the engine's word, say which transactions were about the sale; what
        came of each is read again from its receipt, with its proof.
        """
        proven: list[Result] = []
        for block in self._blocks(from_height):
            for encoded in block.encoded:
                if sale not in encoded:
                    continue
                found = self._chain.receipt(Result.parse(encoded).transaction)
                if found is not None and found.receipt is not None:
                    proven.append(found.receipt.result)
        return sale_end(sale, proven)

    def submit(self, transaction: bytes, attachments: Sequence[bytes] = ()) -> ResultCode:
        """Have a transaction carried out, and say what became of it."""
        named = {sha256(each).digest(): each for each in attachments}
        return self._chain.submit(transaction, named).code

    def _blocks(self, from_height: int) -> Iterator[BlockEvents]:
        """From a height on, those that the engine has: after a snapshot it has none before it."""
        height, newest = max(1, from_height), self.height()
        if not self._has(height):
            # The last height that is not there, and one behind which all are.
            missing, there = height, newest + 1
            while there - missing > 1:
                middle = (missing + there) // 2
                if self._has(middle):
                    there = middle
                else:
                    missing = middle
            height = max(height, there)
        yield from self._chain.blocks(height)

    def _has(self, height: int) -> bool:
        try:
            self._chain.service.events(height, 0.0)
        except NotFoundError:
            return False
        return True
