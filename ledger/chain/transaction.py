"""Transactions: what an account signs, and how strangers' bytes become one.

::

    Transaction = { 1: body, 2: signature }                    (protobuf, at most 60,000 bytes)
    signature   = Ed25519(signer, "quipu/transaction/v1\\0" || chain id || body)
    id          = SHA256(0x00 || 0x02 || Transaction)          its leaf hash

``ledger/schema/chain.proto`` says what is in a body. Parsing reads form alone: nothing here
knows a state, and the signature is a claim until `SignatureClaim` is checked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from google.protobuf.message import Message

from ledger.chain.codes import RefusalError, ResultCode
from ledger.chain.leaf import ID_SIZE, LeafKind, leaf_id
from ledger.ed25519 import KEY_SIZE, SIGNATURE_SIZE, PrivateKey
from ledger.errors import MalformedError
from ledger.schema import chain_pb2
from ledger.schema.canonical import parse_message, serialize_message

VERSION: Final = 1
MAX_TRANSACTION_BYTES: Final = 60_000
MAX_ATTACHMENTS: Final = 4
MAX_ATTACHMENT_BYTES: Final = 1 << 20
SIGNATURE_TAG: Final = b"quipu/transaction/v1\0"


class SignatureClaim(NamedTuple):
    """A signature to be checked: that ``signature`` is ``key``'s over ``message``."""

    key: bytes
    signature: bytes
    message: bytes


class Transaction(NamedTuple):
    """A transaction of good form. Whether it was signed, `claim` says."""

    encoded: bytes
    id: bytes
    claim: SignatureClaim
    sequence: int
    expiry_height: int
    fee: int
    sponsor: bytes
    attachments: tuple[tuple[bytes, int], ...]
    """(SHA-256, size in bytes) of each."""
    action: str
    """Which of the body's actions it is; a key of `ledger.chain.rules.ACTIONS`."""
    message: Message

    @property
    def signer(self) -> bytes:
        """The account, 32 bytes."""
        return self.claim.key

    @property
    def body(self) -> bytes:
        """The serialised body, as it was signed."""
        return self.claim.message[len(SIGNATURE_TAG) + ID_SIZE :]


def parse_transaction(chain: bytes, encoded: bytes) -> Transaction:
    """Read a transaction that is said to be of a chain.

    Raises RefusalError: `TOO_LARGE`, `MALFORMED`, `UNKNOWN_VERSION`, `UNKNOWN_ACTION`,
    `FIELD_REFUSED`.
    """
    if len(encoded) > MAX_TRANSACTION_BYTES:
        raise RefusalError(
            ResultCode.TOO_LARGE,
            f"a transaction of {len(encoded)} bytes; {MAX_TRANSACTION_BYTES} at most",
        )
    try:
        encoded_body, signature = _split(encoded)
        body = parse_message(chain_pb2.TransactionBody, encoded_body, "transaction's body")
    except MalformedError as error:
        raise RefusalError(ResultCode.MALFORMED, error.message) from error
    if body.version != VERSION:
        raise RefusalError(ResultCode.UNKNOWN_VERSION, f"a transaction of version {body.version}")
    action = body.WhichOneof("action")
    if action is None:
        raise RefusalError(ResultCode.UNKNOWN_ACTION, "a transaction that asks for nothing")
    signer, sponsor = body.signer, body.sponsor
    if len(signer) != KEY_SIZE or len(signature) != SIGNATURE_SIZE:
        raise RefusalError(ResultCode.FIELD_REFUSED, "a signer is 32 bytes, a signature 64")
    if len(sponsor) not in (0, ID_SIZE):
        raise RefusalError(ResultCode.FIELD_REFUSED, "a sponsor is the 32 bytes of a fleet's id")
    return Transaction(
        encoded,
        leaf_id(LeafKind.TRANSACTION, encoded),
        SignatureClaim(signer, signature, SIGNATURE_TAG + chain + encoded_body),
        body.sequence,
        body.expiry_height,
        body.fee,
        sponsor,
        _attachments(body.attachments) if body.attachments else (),
        action,
        getattr(body, action),
    )


def sign_transaction(chain: bytes, key: PrivateKey, body: chain_pb2.TransactionBody) -> bytes:
    """Sign a body for a chain; version and signer are filled in. Returns the transaction.

    Raises MalformedError for a body that cannot be encoded.
    """
    filled = chain_pb2.TransactionBody()
    filled.CopyFrom(body)
    filled.version = VERSION
    filled.signer = bytes(key.public_key)
    encoded = serialize_message(filled, "transaction's body")
    signature = key.sign(SIGNATURE_TAG + chain + encoded)
    return serialize_message(
        chain_pb2.Transaction(body=encoded, signature=signature), "transaction"
    )


def _split(encoded: bytes) -> tuple[bytes, bytes]:
    """Body and signature. Raises MalformedError."""
    # Nearly always 0x0a || varint of two bytes || body || 0x12 0x40 || signature, which is
    # read here as protobuf would, in a fifth of the time.
    end = len(encoded) - 2 - SIGNATURE_SIZE
    if (
        end > 3
        and encoded[0] == 0x0A
        and encoded[1] >= 0x80 > encoded[2] > 0
        and end == 3 + (encoded[1] & 0x7F | encoded[2] << 7)
        and encoded[end : end + 2] == b"\x12\x40"
    ):
        return encoded[3:end], encoded[end + 2 :]
    outer = parse_message(chain_pb2.Transaction, encoded, "transaction")
    return outer.body, outer.signature


def _attachments(items: Sequence[chain_pb2.Attachment]) -> tuple[tuple[bytes, int], ...]:
    named = tuple((item.hash, item.size) for item in items)
    hashes = [name for name, _ in named]
    if len(named) > MAX_ATTACHMENTS or hashes != sorted(set(hashes)):
        raise RefusalError(
            ResultCode.FIELD_REFUSED,
            f"attachments are at most {MAX_ATTACHMENTS}, ascending, each once",
        )
    for name, size in named:
        if len(name) != ID_SIZE or not 0 < size <= MAX_ATTACHMENT_BYTES:
            raise RefusalError(
                ResultCode.FIELD_REFUSED,
                f"an attachment is named by 32 bytes, and is 1 to {MAX_ATTACHMENT_BYTES} long",
            )
    return named
