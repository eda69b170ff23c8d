"""Receipts: a transaction is in a block, and this came of it.

`verify_receipt`, given the bytes of a Receipt and a `Trust`:

1. The message is in its one encoding.
2. Its header passes steps 2 to 5 of `signed_header`.
3. The result is in its one encoding; SHA256(0x00 || result) is leaf ``index`` of the tree
   of as many results as the *header* counts transactions, with its ``results_root``.
4. The transaction is in its one encoding, and its leaf hash is the one in the result.
5. If the result says that it was carried out, its signer has signed it for this chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.header import Header
from ledger.chain.light.signed_header import VerifiedHeader, require_size, verify_header
from ledger.chain.light.trust import Trust
from ledger.chain.result import Result
from ledger.chain.transaction import Transaction, parse_transaction
from ledger.ed25519 import PublicKey
from ledger.errors import MalformedError, VerificationError
from ledger.merkle.hashing import leaf_hash
from ledger.merkle.inclusion import verify_inclusion
from ledger.note import MAX_NOTE_SIZE
from ledger.schema.canonical import parse_message
from ledger.schema.chain_receipt_pb2 import Receipt

MAX_RECEIPT_BYTES: Final = MAX_NOTE_SIZE + (1 << 20)
"""Beyond it nothing is read, in bytes."""


@dataclass(frozen=True, slots=True)
class VerifiedReceipt:
    """What became of a transaction. Made by `verify_receipt`."""

    transaction: Transaction
    result: Result
    index: int
    """In its block, from 0."""
    signed: VerifiedHeader

    @property
    def header(self) -> Header:
        """The header of its block."""
        return self.signed.header

    @property
    def carried_out(self) -> bool:
        """Whether it did what it asked for; the result's code says why not."""
        return self.result.code == ResultCode.OK


def verify_receipt(data: bytes, trust: Trust) -> VerifiedReceipt:
    """Check a receipt, as the module says. Raises MalformedError, VerificationError."""
    require_size(data, MAX_RECEIPT_BYTES, "receipt")
    # 1. Form.
    message = parse_message(Receipt, data, "receipt")
    # 2. Header.
    signed = verify_header(message.header, message.header_path, message.checkpoint, trust)
    header = signed.header
    # 3. Result. How many there are is the header's, index what the receipt claims.
    result = Result.parse(message.result)
    verify_inclusion(
        leaf_hash(message.result),
        message.index,
        header.transactions,
        tuple(message.result_path),
        header.results_root,
    )
    # 4. Transaction.
    try:
        transaction = parse_transaction(trust.chain, message.transaction)
    except RefusalError as refusal:
        raise MalformedError(f"the receipt's transaction: {refusal.message}") from refusal
    if transaction.id != result.transaction:
        raise VerificationError("the receipt's result is of another transaction")
    # 5. Signature. What was refused may well have been refused for it.
    if result.code == ResultCode.OK:
        PublicKey(transaction.signer).verify(transaction.claim.signature, transaction.claim.message)
    return VerifiedReceipt(transaction, result, message.index, signed)
