"""A chain that nobody has at work here, read from its store.

It answers what a `ChainService` answers, as far as that takes no writer: what is under no
checkpoint yet cannot be proven, and nothing can be submitted.
"""

from __future__ import annotations

from typing import Final

from ledger.chain.engines.service import Block
from ledger.chain.leaf import LeafKind, decode_leaf
from ledger.chain.machine.block_rows import newest_header, read_block, read_genesis
from ledger.chain.machine.home import ChainReader
from ledger.chain.machine.proposal import Info
from ledger.chain.machine.receipts import ReceiptMaker
from ledger.errors import CorruptStoreError, NotFoundError
from ledger.log_reader import U64
from ledger.storage import Table


class StoredChain:
    """Reads a chain's home, beside a writer or without one."""

    def __init__(self, home: ChainReader) -> None:
        self._home: Final = home
        self._receipts: Final = ReceiptMaker(home.storage, home.log)

    def info(self) -> Info:
        """The newest durable block."""
        with self._home.storage.read() as transaction:
            genesis, header = read_genesis(transaction), newest_header(transaction)
        if header is None:
            return Info(genesis.chain, genesis.origin, 0, genesis.time_ns, genesis.chain, 1)
        return Info(
            genesis.chain,
            genesis.origin,
            header.height,
            header.time_ns,
            header.app_hash,
            header.log_size + 1,
        )

    def genesis(self) -> bytes:
        """The message of the chain's genesis."""
        with self._home.storage.read() as transaction:
            return read_genesis(transaction).encoded

    def block(self, height: int) -> Block:
        """A whole block. Raises `NotFoundError`, CorruptStoreError."""
        with self._home.storage.read() as transaction:
            stored = read_block(transaction, height)
            header = stored.header
            first, stop = U64.pack(header.first_transaction), U64.pack(header.log_size)
            leaves = [decode_leaf(leaf) for _, leaf in transaction.scan(Table.ENTRIES, first, stop)]
        if len(leaves) != header.transactions or len(stored.results) != len(leaves):
            raise CorruptStoreError(f"leaves of block {height} are missing")
        if any(kind is not LeafKind.TRANSACTION for kind, _ in leaves):
            raise CorruptStoreError(f"block {height} holds a leaf that is no transaction")
        return Block(header, [message for _, message in leaves], stored.results)

    def receipt(self, transaction: bytes) -> bytes:
        """The receipt of a transaction in a block. Raises `NotFoundError`."""
        return self._receipts.receipt(transaction)

    def answer(self, key: bytes, height: int | None = None) -> bytes:
        """What the state says of a key, with proof. Raises `NotFoundError`."""
        return self._receipts.answer(key, height)

    def checkpoint(self) -> bytes:
        """The newest checkpoint, a signed note. Raises `NotFoundError`."""
        note = self._home.log.latest_checkpoint()
        if note is None:
            raise NotFoundError("the chain has no checkpoint yet", hint="let an engine run")
        return note
