"""Receipts, answers and signed headers: what a chain hands to whoever has only keys.

Each stands under the newest checkpoint that is stored, with a path from there to the
header; ``ledger/schema/chain_receipt.proto`` has the messages, `ledger.chain.light` what
is checked of them.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind
from ledger.chain.machine.block_rows import (
    StoredBlock,
    block_of_leaf,
    find_transaction,
    newest_height,
    read_block,
    read_header,
    read_leaf,
)
from ledger.chain.state.hashing import leaf_preimage
from ledger.chain.state.store import heights, open_state
from ledger.checkpoint import Checkpoint
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError
from ledger.log_reader import LogReader, tile_source
from ledger.merkle.compact_range import CompactRange
from ledger.merkle.hashing import leaf_hashes
from ledger.merkle.inclusion import prove_inclusion
from ledger.merkle.reader import NodeAddress
from ledger.merkle.tiles import TileReader
from ledger.schema.canonical import serialize_message
from ledger.schema.chain_receipt_pb2 import Receipt, SignedHeader, StateAnswer
from ledger.storage import ReadTransaction, Storage, Table

CACHED_BLOCKS: Final = 8
"""Of how many blocks the results and the tree over them stay in memory."""

_MAX_PATHS: Final = 4_096
_WAIT: Final = "wait for the next checkpoint"


@dataclass(frozen=True, slots=True)
class _Block:
    """A block with the tree over its results, which it reads as a `HashReader`."""

    stored: StoredBlock
    rows: Sequence[Sequence[bytes]] = field(repr=False)
    """``rows[level][index]``: every complete subtree over the results."""

    @classmethod
    def of(cls, stored: StoredBlock) -> _Block:
        rows = CompactRange().grow(leaf_hashes(stored.results)).rows
        return cls(stored, rows)

    @property
    def header(self) -> Header:
        return self.stored.header

    def read_hashes(self, addresses: Sequence[NodeAddress]) -> list[bytes]:
        return [self.rows[level][index] for level, index in addresses]


class ReceiptMaker:
    """Makes the receipts and answers of a chain. Calls may come from any thread.

    Its methods raise NotFoundError for what is not there, no longer kept, or under no
    checkpoint yet, and StorageError and its kin.
    """

    def __init__(self, storage: Storage, log: LogReader) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._blocks: OrderedDict[int, _Block] = OrderedDict()
        self._note = b""
        self._checkpoint = Checkpoint(log.origin, 0, bytes(32))
        self._header_paths: dict[int, tuple[bytes, ...]] = {}

    def receipt(self, transaction_id: bytes) -> bytes:
        """That a transaction is in a block and what came of it: a serialised Receipt."""
        with self._lock, self._storage.read() as transaction:
            index = find_transaction(transaction, transaction_id)
            block = self._block_of_leaf(transaction, index)
            place = index - block.header.first_transaction
            path = self._header_path(transaction, block.header)
            message = Receipt(
                transaction=read_leaf(transaction, index, LeafKind.TRANSACTION),
                result=block.stored.results[place],
                index=place,
                result_path=prove_inclusion(place, block.header.transactions, block),
                header=block.header.encode(),
                header_path=path,
                checkpoint=self._note,
            )
        return serialize_message(message, "receipt")

    def answer(self, key: bytes, height: int | None = None) -> bytes:
        """What the state after a block says of a key: a serialised StateAnswer.

        Without a height it is that of the newest block under a checkpoint. Raises
        MalformedError for a key that no state can have.
        """
        leaf_preimage(key, b"")
        with self._lock, self._storage.read() as transaction:
            header = self._signed_header(transaction, height)
            message = StateAnswer(
                proof=open_state(transaction, header.height).prove(key).to_bytes(),
                header=header.encode(),
                header_path=self._header_path(transaction, header),
                checkpoint=self._note,
            )
        return serialize_message(message, "answer")

    def signed_header(self, height: int | None = None) -> bytes:
        """A header under a checkpoint: a serialised SignedHeader. Heights as in `answer`."""
        with self._lock, self._storage.read() as transaction:
            header = self._signed_header(transaction, height)
            message = SignedHeader(
                header=header.encode(),
                header_path=self._header_path(transaction, header),
                checkpoint=self._note,
            )
        return serialize_message(message, "signed header")

    def _signed_header(self, transaction: ReadTransaction, height: int | None) -> Header:
        """The header at a height, or the newest one that the newest checkpoint covers."""
        if height is not None:
            return read_header(transaction, height)[1]
        self._read_checkpoint(transaction)
        kept = heights(transaction)
        oldest = max(1, kept.oldest) if kept else 1
        for candidate in range(newest_height(transaction), oldest - 1, -1):
            index, header = read_header(transaction, candidate)
            if index < self._checkpoint.size:
                return header
        raise NotFoundError("no block that is kept is under a checkpoint", hint=_WAIT)

    def _block(self, transaction: ReadTransaction, height: int) -> _Block:
        block = self._blocks.pop(height, None) or _Block.of(read_block(transaction, height))
        self._blocks[height] = block
        if len(self._blocks) > CACHED_BLOCKS:
            self._blocks.popitem(last=False)
        return block

    def _block_of_leaf(self, transaction: ReadTransaction, index: int) -> _Block:
        for height, block in self._blocks.items():
            if block.header.first_transaction <= index < block.header.log_size:
                return self._block(transaction, height)
        return self._block(transaction, block_of_leaf(transaction, index))

    def _header_path(self, transaction: ReadTransaction, header: Header) -> tuple[bytes, ...]:
        """The path from a header's leaf to ``self._checkpoint``, which is the newest."""
        self._read_checkpoint(transaction)
        size = self._checkpoint.size
        if header.log_size >= size:
            raise NotFoundError(f"block {header.height} is under no checkpoint yet", hint=_WAIT)
        path = self._header_paths.get(header.height)
        if path is None:
            if len(self._header_paths) >= _MAX_PATHS:
                self._header_paths.clear()
            reader = TileReader(tile_source(transaction), size)
            path = prove_inclusion(header.log_size, size, reader)
            self._header_paths[header.height] = path
        return path

    def _read_checkpoint(self, transaction: ReadTransaction) -> None:
        row = transaction.last(Table.CHECKPOINTS)
        note = row[1] if row else b""
        if note == self._note:
            return
        try:
            checkpoint = Checkpoint.of_note(note)
        except MalformedError as error:
            raise CorruptStoreError(f"the newest checkpoint: {error.message}") from error
        self._note, self._checkpoint = note, checkpoint
        self._header_paths.clear()
