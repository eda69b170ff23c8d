"""The chain as either side of an atomic sale asks it: records with their proofs."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from ledger.chain.codes import ResultCode
from ledger.chain.proven.chain import ProvenChain
from ledger.chain.result import Result
from ledger.chain.sale_end import SaleEnd, sale_end
from ledger.chain.state_keys import sale_key
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

    def revealed_key(self, sale: bytes, hashed: bytes) -> bytes | None:
        """The key of a sale that has ended, out of the blocks.

        Blocks are the engine's word; the key is proven by the hash that was locked.
        """
        for block in self._chain.blocks(1):
            if any(
                event.kind == EVENT_KIND_KEY_REVEALED and event.subject == sale
                for result in block.results
                for event in result.events
            ):
                transactions = self._chain.block(block.height).transactions
                return find_key(self.chain, transactions, sale, hashed)
        return None

    def ended(self, sale: bytes, from_height: int) -> SaleEnd | None:
        """How a sale ended, looked for in blocks from a height on; None for one that has not.

        Blocks, which are the engine's word, say which transactions were about the sale; what
        came of each is read again from its receipt, with its proof.
        """
        proven: list[Result] = []
        for block in self._chain.blocks(from_height):
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
