"""What a store keeps of each block beside its leaves.

::

    BLOCKS        u64be(height) -> u64be(index of the header's leaf) || results
                  results: u32be(length) || result, for each transaction (`result`); none
                  for the first block of a chain that was restored from a snapshot
    TRANSACTIONS  the first 16 bytes of an id -> u64be(leaf index)
    ATTACHMENTS   SHA-256 -> the bytes
    META          chain_genesis -> the genesis message

All of it can be made again from the leaves, but for attachments that were pruned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.leaf import ID_SIZE, LeafKind, decode_leaf, leaf_id
from ledger.chain.result import join_results, split_results
from ledger.errors import CorruptStoreError, MalformedError, NotFoundError
from ledger.log_reader import U64, read_first_entry
from ledger.storage import ReadTransaction, Table, WriteTransaction

GENESIS: Final = b"chain_genesis"
ID_PREFIX: Final = 16


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as it is stored."""

    header_index: int
    """The leaf of its header."""
    header: Header
    results: list[bytes] = field(repr=False)
    """Encoded, one a transaction."""


def put_genesis(transaction: WriteTransaction, genesis: Genesis) -> None:
    """Write the genesis where `read_genesis` finds it."""
    transaction.put(Table.META, GENESIS, genesis.encoded)


def read_genesis(transaction: ReadTransaction) -> Genesis:
    """The chain's genesis. Raises CorruptStoreError where there is none, or not a good one."""
    row = transaction.get(Table.META, GENESIS)
    if row is None:
        raise CorruptStoreError("the store has no chain in it", hint="make one: quipu chain init")
    try:
        return Genesis.parse(row)
    except MalformedError as error:
        raise CorruptStoreError(f"the chain's genesis is damaged: {error.message}") from error


def put_block(
    transaction: WriteTransaction, header: Header, ids: Sequence[bytes], results: Sequence[bytes]
) -> None:
    """Write a block's row and where its transactions are."""
    first = header.first_transaction
    rows = sorted((name[:ID_PREFIX], U64.pack(first + n)) for n, name in enumerate(ids))
    transaction.put_many(Table.TRANSACTIONS, rows)
    row = U64.pack(header.log_size) + join_results(results)
    transaction.put(Table.BLOCKS, U64.pack(header.height), row)


def put_attachments(transaction: WriteTransaction, attachments: Mapping[bytes, bytes]) -> None:
    """Write attachments by their SHA-256."""
    transaction.put_many(Table.ATTACHMENTS, sorted(attachments.items()))


def read_block(transaction: ReadTransaction, height: int) -> StoredBlock:
    """The block at a height. Raises NotFoundError, CorruptStoreError."""
    row = _block_row(transaction, height)
    index = _number(row[: U64.size])
    header, results = _header(transaction, index), split_results(row[U64.size :])
    if len(results) != header.transactions:
        if index == read_first_entry(transaction):
            raise NotFoundError(
                f"of block {height} only the header is here: it is where a snapshot was taken",
                hint="ask whoever has the whole chain",
            )
        raise CorruptStoreError(f"block {height} has not one result for each transaction")
    return StoredBlock(index, header, results)


def read_header(transaction: ReadTransaction, height: int) -> tuple[int, Header]:
    """The header of a block and its leaf index. Raises NotFoundError, CorruptStoreError."""
    index = _number(_block_row(transaction, height)[: U64.size])
    return index, _header(transaction, index)


def put_snapshot_header(transaction: WriteTransaction, header: Header) -> None:
    """Write the row of a block of which nothing but the header is here."""
    transaction.put(Table.BLOCKS, U64.pack(header.height), U64.pack(header.log_size))


def newest_height(transaction: ReadTransaction) -> int:
    """The height of the newest block; 0 before the first."""
    row = transaction.last(Table.BLOCKS)
    return 0 if row is None else _number(row[0])


def block_of_leaf(transaction: ReadTransaction, index: int) -> int:
    """The height of the block that leaf ``index`` is in. Raises NotFoundError."""
    first = transaction.take(Table.BLOCKS, b"\x00", 1)
    # The first block whose header is at the leaf or after it.
    low = _number(first[0][0]) if first else 1
    high = newest = newest_height(transaction)
    while low < high:
        middle = (low + high) // 2
        if _header_index(transaction, middle) < index:
            low = middle + 1
        else:
            high = middle
    if low > newest or not 0 < index <= _header_index(transaction, low):
        raise NotFoundError(f"leaf {index} is in no block of this chain")
    return low


def newest_header(transaction: ReadTransaction) -> Header | None:
    """The header of the newest block, or None before the first."""
    row = transaction.last(Table.BLOCKS)
    return None if row is None else _header(transaction, _number(row[1][: U64.size]))


def find_transaction(transaction: ReadTransaction, name: bytes) -> int:
    """Leaf index of the transaction with this id. Raises NotFoundError, CorruptStoreError."""
    row = transaction.get(Table.TRANSACTIONS, name[:ID_PREFIX]) if len(name) == ID_SIZE else None
    if row is None:
        raise NotFoundError(f"no transaction {name.hex()} in this chain")
    index: int = U64.unpack(row)[0]
    if leaf_id(LeafKind.TRANSACTION, read_leaf(transaction, index, LeafKind.TRANSACTION)) != name:
        raise NotFoundError(f"no transaction {name.hex()} in this chain")
    return index


def read_leaf(transaction: ReadTransaction, index: int, kind: LeafKind) -> bytes:
    """The message of a leaf of a kind. Raises CorruptStoreError."""
    leaf = transaction.get(Table.ENTRIES, U64.pack(index))
    if leaf is None:
        raise CorruptStoreError(f"leaf {index} of the chain is missing")
    try:
        found, message = decode_leaf(leaf)
    except MalformedError as error:
        raise CorruptStoreError(f"leaf {index} of the chain: {error.message}") from error
    if found is not kind:
        raise CorruptStoreError(f"leaf {index} of the chain is a {found.name.lower()}")
    return message


def _block_row(transaction: ReadTransaction, height: int) -> bytes:
    row = transaction.get(Table.BLOCKS, U64.pack(height)) if 0 < height < 1 << 63 else None
    if row is None:
        newest = newest_height(transaction)
        if read_first_entry(transaction) and 0 < height < newest:
            raise NotFoundError(
                f"block {height} is older than the snapshot that this chain was restored from",
                hint="ask whoever has the whole chain",
            )
        raise NotFoundError(f"there is no block {height}")
    return row


def _header_index(transaction: ReadTransaction, height: int) -> int:
    row = transaction.get(Table.BLOCKS, U64.pack(height))
    if row is None:
        raise CorruptStoreError(f"block {height} is missing")
    return _number(row[: U64.size])


def _number(row: bytes) -> int:
    if len(row) != U64.size:
        raise CorruptStoreError("the row of a block is damaged")
    number: int = U64.unpack(row)[0]
    return number


def _header(transaction: ReadTransaction, index: int) -> Header:
    try:
        return Header.parse(read_leaf(transaction, index, LeafKind.HEADER))
    except MalformedError as error:
        raise CorruptStoreError(f"header at leaf {index}: {error.message}") from error
