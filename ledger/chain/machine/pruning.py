"""Forgetting attachments whose disputes are over.

An attachment is no part of a leaf: everything that is agreed on stays provable without it.
A replay then takes the recorded result of a transaction whose attachments are gone, and an
audit counts them. How long they are kept is each operator's own choice.
"""

from __future__ import annotations

from ledger.chain.codes import RefusalError
from ledger.chain.leaf import LeafKind, decode_leaf
from ledger.chain.machine.block_rows import read_block, read_genesis
from ledger.chain.transaction import parse_transaction
from ledger.errors import MalformedError
from ledger.log_reader import U64
from ledger.storage import ReadTransaction, Storage, Table, WriteTransaction


def prune_attachments(storage: Storage, height: int) -> int:
    """Forget the attachments that only blocks before ``height`` name; how many those were.

    Not to be called while a block is being committed. Raises NotFoundError for a height
    without a block, CorruptStoreError, StorageError with nothing forgotten.
    """
    with storage.read() as transaction:
        first = read_block(transaction, height).header.first_transaction
        stored = {name for name, _ in transaction.scan(Table.ATTACHMENTS)}
        old = stored - _named_from(transaction, first) if stored else set()

    def forget(writing: WriteTransaction) -> None:
        for name in sorted(old):
            writing.delete(Table.ATTACHMENTS, name)

    if old:
        storage.write(forget)
    return len(old)


def _named_from(transaction: ReadTransaction, index: int) -> set[bytes]:
    """The attachments that the transactions from leaf ``index`` on name."""
    chain = read_genesis(transaction).chain
    named: set[bytes] = set()
    for _, leaf in transaction.scan(Table.ENTRIES, U64.pack(index)):
        try:
            kind, message = decode_leaf(leaf)
            if kind is LeafKind.TRANSACTION:
                found = parse_transaction(chain, message).attachments
                named.update(name for name, _ in found)
        except (MalformedError, RefusalError):
            continue  # what is no transaction names nothing
    return named
