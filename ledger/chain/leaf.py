"""The leaves of a chain's log: u8 kind || message, and what their hashes name.

::

    leaf      = u8 kind || message bytes         kind: 1 genesis, 2 transaction, 3 header
    leaf hash = SHA256(0x00 || leaf)             RFC 6962 section 2.1

The leaf hash of the genesis is the chain's id, that of a transaction the transaction's.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256
from typing import Final

from ledger.errors import MalformedError

ID_SIZE: Final = 32


class LeafKind(IntEnum):
    """What a leaf of a chain's log is."""

    GENESIS = 1
    TRANSACTION = 2
    HEADER = 3


_PREFIX: Final = {kind: bytes([kind]) for kind in LeafKind}
_HASH_PREFIX: Final = {kind: b"\x00" + bytes([kind]) for kind in LeafKind}


def encode_leaf(kind: LeafKind, message: bytes) -> bytes:
    """Return the leaf that holds ``message``."""
    return _PREFIX[kind] + message


def decode_leaf(leaf: bytes) -> tuple[LeafKind, bytes]:
    """Return kind and message of a leaf. Raises MalformedError for another kind."""
    try:
        return LeafKind(leaf[0]), leaf[1:]
    except (IndexError, ValueError):
        raise MalformedError("a leaf of a chain is a genesis, a transaction or a header") from None


def leaf_id(kind: LeafKind, message: bytes) -> bytes:
    """Return the leaf hash: the id of what is in it."""
    # SHA256(0x00 || kind || message)
    return sha256(_HASH_PREFIX[kind] + message).digest()
