"""An operator that signs whatever it likes: leaves of any kind, under genuine checkpoints."""

from __future__ import annotations

from dataclasses import replace

from ledger.chain.genesis import Genesis
from ledger.chain.header import Header
from ledger.chain.leaf import LeafKind, encode_leaf
from ledger.chain.result import results_root
from ledger.checkpoint import Checkpoint, sign_checkpoint
from ledger.merkle.hashing import leaf_hash
from ledger.note import NoteSigner
from ledger.schema.chain_payment_pb2 import Transfer
from ledger.schema.chain_pb2 import Transaction
from ledger.schema.chain_receipt_pb2 import Receipt, SignedHeader
from tests.ledger.chain.rules.chain_world import (
    SECOND,
    START_NS,
    body_of,
    known_key,
    make_genesis,
)
from tests.ledger.merkle.naive_tree import NaiveTree


class LyingOperator:
    """Its tree, hash by hash; what it signs is well-formed, and true only if one wants it to be."""

    def __init__(self) -> None:
        self.genesis: Genesis = make_genesis()
        self.signer = NoteSigner(self.genesis.origin, known_key("operator"))
        self.leaves = [self.genesis.leaf]

    @property
    def tree(self) -> NaiveTree:
        return NaiveTree([leaf_hash(leaf) for leaf in self.leaves])

    def next_header(self, results: list[bytes] | None = None, height: int = 1) -> Header:
        """The header that would be right for the leaves so far, at a height."""
        size = len(self.leaves)
        return Header(
            chain=self.genesis.chain,
            height=height,
            time_ns=START_NS + height * SECOND,
            previous=self.genesis.chain,
            log_size=size,
            log_root=self.tree.mth(0, size),
            transactions=len(results or []),
            results_root=results_root(results or []),
            state_root=bytes(32),
        )

    @staticmethod
    def transaction_of(signer: bytes, signature: bytes) -> bytes:
        """A transaction in the name of any 32 bytes, with any signature."""
        body = body_of(Transfer(recipient=signer, amount=1), version=1, signer=signer)
        return Transaction(
            body=body.SerializeToString(deterministic=True), signature=signature
        ).SerializeToString(deterministic=True)

    def append(self, *leaves: bytes) -> None:
        self.leaves += leaves

    def append_header(self, header: Header, **changed: object) -> Header:
        header = replace(header, **changed)
        self.append(header.leaf)
        return header

    def note(self, size: int | None = None) -> bytes:
        size = size or len(self.leaves)
        root = self.tree.mth(0, size)
        return sign_checkpoint(Checkpoint(self.genesis.origin, size, root), [self.signer])

    def sign_header(self, header: Header, index: int, size: int | None = None) -> bytes:
        """The SignedHeader of a header at a leaf."""
        size = size or len(self.leaves)
        return SignedHeader(
            header=header.encode(),
            header_path=self.tree.path(index, 0, size),
            checkpoint=self.note(size),
        ).SerializeToString(deterministic=True)

    def receipt_of_block(self, transaction: bytes, results: list[bytes], index: int) -> bytes:
        """Append a block of one header over these results; the receipt of one of them."""
        self.append(*[encode_leaf(LeafKind.TRANSACTION, transaction)] * len(results))
        header = self.append_header(self.next_header(results))
        tree = NaiveTree([leaf_hash(result) for result in results])
        place = len(self.leaves) - 1
        return Receipt(
            transaction=transaction,
            result=results[index],
            index=index,
            result_path=tree.path(index, 0, len(results)),
            header=header.encode(),
            header_path=self.tree.path(place, 0, place + 1),
            checkpoint=self.note(),
        ).SerializeToString(deterministic=True)
