"""What an engine reads from its chain's store: blocks, receipts, answers, proofs.

Receipts and answers stand under a checkpoint. Where the newest block has none yet, it is
signed when the first of them is asked for.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from ledger.chain.engines.outcomes import Included
from ledger.chain.engines.service import Block, BlockEvents
from ledger.chain.leaf import LeafKind, decode_leaf
from ledger.chain.machine.block_rows import block_of_leaf, find_transaction, read_block
from ledger.chain.machine.receipts import ReceiptMaker
from ledger.chain.machine.writer import ChainWriter
from ledger.errors import CorruptStoreError, NotFoundError
from ledger.log_reader import U64
from ledger.storage import Table

MOST_BLOCKS: Final = 64
"""Of how many blocks the events are told at once."""
EVENT_BYTES: Final = 1 << 20
"""Beyond this much of results no further block is added."""


class ChainQueries:
    """Reads a chain beside its engine. Calls may come from any thread."""

    def __init__(self, home: ChainWriter) -> None:
        self._home = home
        self._receipts = ReceiptMaker(home.storage, home.log)
        self._signing = threading.Lock()
        self._signed_size = 0
        self._signed_s = float("-inf")

    def sign(self, period_s: float) -> None:
        """Sign a checkpoint unless the newest block has one, or the last is younger.

        ``period_s`` in seconds. Raises as `Log.checkpoint`.
        """
        with self._signing:
            size = self._home.machine.info().log_size
            if size <= self._signed_size or time.monotonic() < self._signed_s + period_s:
                return
            self._home.checkpoint()
            self._signed_size, self._signed_s = size, time.monotonic()

    def receipt(self, transaction: bytes) -> bytes:
        """See `ChainService.receipt`."""
        self.sign(0)
        return self._receipts.receipt(transaction)

    def answer(self, key: bytes, height: int | None) -> bytes:
        """See `ChainService.answer`."""
        self.sign(0)
        return self._receipts.answer(key, height)

    def signed_header(self, height: int | None) -> bytes:
        """See `ChainService.signed_header`."""
        self.sign(0)
        return self._receipts.signed_header(height)

    def checkpoint(self) -> bytes:
        """See `ChainService.checkpoint`."""
        self.sign(0)
        note = self._home.log.latest_checkpoint()
        if note is None:
            raise NotFoundError("the chain has no checkpoint yet")
        return note

    def block(self, height: int) -> Block:
        """See `ChainService.block`."""
        with self._home.storage.read() as transaction:
            stored = read_block(transaction, height)
            header = stored.header
            first, stop = U64.pack(header.first_transaction), U64.pack(header.log_size)
            leaves = [leaf for _, leaf in transaction.scan(Table.ENTRIES, first, stop)]
        if len(leaves) != header.transactions:
            raise CorruptStoreError(f"leaves of block {height} are missing")
        read = [decode_leaf(leaf) for leaf in leaves]
        if any(kind is not LeafKind.TRANSACTION for kind, _ in read):
            raise CorruptStoreError(f"block {height} holds a leaf that is no transaction")
        return Block(header, [message for _, message in read], stored.results)

    def events(self, from_height: int) -> list[BlockEvents]:
        """The blocks from a height on that are there, some of them."""
        newest = self._home.machine.info().height
        found: list[BlockEvents] = []
        room = EVENT_BYTES
        for height in range(from_height, min(newest, from_height + MOST_BLOCKS - 1) + 1):
            with self._home.storage.read() as transaction:
                stored = read_block(transaction, height)
            room -= sum(map(len, stored.results))
            if found and room < 0:
                break
            found.append(BlockEvents(stored.header, stored.results))
        return found

    def included(self, name: bytes) -> Included:
        """Where the transaction with this id is. Raises NotFoundError."""
        with self._home.storage.read() as transaction:
            index = find_transaction(transaction, name)
            stored = read_block(transaction, block_of_leaf(transaction, index))
        place = index - stored.header.first_transaction
        return Included(stored.header.height, name, stored.results[place])

    def consistency(self, old_size: int, new_size: int) -> tuple[bytes, ...]:
        """See `ChainService.consistency`."""
        return self._home.log.prove_consistency(old_size, new_size)
